//! A configuration that was checked: what the engine runs.

mod describe;

mod load;

use super::config::{BenchmarkConfig, Content};
use super::own_retries::OwnRetries;
use super::span::check_span;
use super::url::split_url;
use crate::actor::Placement;
use crate::bench::answer::Expected;
use crate::bench::capacity;
use crate::bench::request::{
    CountTokens, Estimate, Kind, Output, Recipe, Record, Workload, tokenizer,
};
use crate::config::{BaseUrl, Checked, ExtraHeaders, Preference};
use crate::error::{Error, Result};
use crate::operation::Endpoint;
use crate::policy::retry::RetryPolicy;
use crate::policy::split::Limits;
use crate::transport::Head;
use http::Method;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

pub(in crate::bench) use load::{ClosedLoad, Load, OpenLoad, Sessions};

/// What the engine runs.
pub(in crate::bench) struct Blueprint {
    pub(in crate::bench) load: Load,
    pub(in crate::bench) workload: Arc<Workload>,
    pub(in crate::bench) readiness: Option<Readiness>,
    pub(in crate::bench) settings: Checked,
    pub(in crate::bench) warmup: Duration,
    pub(in crate::bench) drain: Duration,
    pub(in crate::bench) workers: usize,
    /// What a reader of the report should know of how the configuration was understood.
    pub(in crate::bench) notes: Vec<String>,
    /// The whole configuration, without keys, as the report has it.
    pub(in crate::bench) config: Value,
}

/// What says that the service is ready, and how long it is waited for.
#[derive(Debug, Clone)]
pub(in crate::bench) struct Readiness {
    pub(in crate::bench) head: Arc<Head>,
    pub(in crate::bench) span: Duration,
}

impl Blueprint {
    pub(in crate::bench) fn new(config: &BenchmarkConfig) -> Result<Self> {
        config.check_load()?;
        let mut notes = Vec::new();
        let workload = Arc::new(workload(config)?);
        let load = load::checked(config, workload.len())?;
        if let Load::Closed(closed) = &load
            && closed.users as usize > workload.len()
            && workload.len() > 1
        {
            notes.push(format!(
                "{} users share {} records, round-robin",
                closed.users,
                workload.len()
            ));
        }
        if config.raise_open_files {
            capacity::make_room(load.most_in_flight());
        }
        let most = capacity::connections();
        if load.most_in_flight() > most {
            notes.push(format!(
                "the process may have {most} connections at once, and the load may ask for more \
                 (ulimit -n)"
            ));
        }
        let drain = config.drain.unwrap_or(config.request_timeout);
        for (name, span) in [("warmup", config.warmup), ("drain", drain)] {
            check_span(name, span)?;
        }
        if let Some(until) = load.until()
            && config.warmup >= until
        {
            return Err(Error::config(format!(
                "warmup must be shorter than the run (got {} s of {} s)",
                config.warmup.as_secs_f64(),
                until.as_secs_f64()
            )));
        }
        let placement = config
            .workers
            .map_or_else(Placement::default, Placement::Threads);
        let workers = placement.workers()?;
        let described = describe::describe(config, &load, &workload, workers);
        Ok(Self {
            readiness: readiness(config)?,
            settings: settings(config)?,
            warmup: config.warmup,
            drain,
            workers,
            notes,
            config: described,
            workload,
            load,
        })
    }
}

fn readiness(config: &BenchmarkConfig) -> Result<Option<Readiness>> {
    let Some(wait) = &config.wait_ready else {
        return Ok(None);
    };
    wait.check()?;
    let (origin, _) = split_url(&config.endpoint)?;
    Ok(Some(Readiness {
        head: head(config, origin, Method::GET, &wait.path)?,
        span: wait.span,
    }))
}

/// The head of requests that go with the key and the headers of the run.
fn head(
    config: &BenchmarkConfig,
    origin: BaseUrl,
    method: Method,
    path: &str,
) -> Result<Arc<Head>> {
    // What came compressed cannot be timed piece by piece.
    let mut headers = vec![("accept-encoding".to_owned(), "identity".to_owned())];
    for (name, value) in &config.headers {
        let value = value.to_str().map_err(|_| {
            Error::config(format!(
                "the value of the header {name} is not visible ASCII"
            ))
        })?;
        headers.push((name.as_str().to_owned(), value.to_owned()));
    }
    let preference = Preference {
        extra_headers: headers.into_iter().collect::<ExtraHeaders>(),
        ..Preference::default()
    };
    let endpoint = Endpoint::new(origin, config.api_key.clone());
    endpoint.head(method, path, &preference)
}

fn workload(config: &BenchmarkConfig) -> Result<Workload> {
    if !(1..=10_000).contains(&config.batch_size) {
        return Err(Error::config(format!(
            "batch_size must be between 1 and 10000 (got {})",
            config.batch_size
        )));
    }
    config.kind.check(
        config.stream,
        config.output_tokens.is_some(),
        config.batch_size,
    )?;
    let recipe = Recipe {
        kind: config.kind,
        model: config.model.clone(),
        batch_size: config.batch_size,
        stream: config.stream,
    };
    let bodies = match &config.content {
        Content::Bodies(bodies) => {
            let records: Vec<_> = bodies.iter().cloned().map(Record::Body).collect();
            recipe.bodies(&records)?
        }
        Content::Records(records) => recipe.bodies(records)?,
        Content::Synthetic(prompts, tokenizer) => {
            prompts.check()?;
            let counter: Box<dyn CountTokens> = match tokenizer {
                Some(path) => tokenizer::load(path)?,
                None => Box::new(Estimate),
            };
            let texts = prompts.texts(config.seed, &*counter);
            let records: Vec<_> = texts.into_iter().map(Record::Text).collect();
            recipe.bodies(&records)?
        }
    };
    let expected = if config.kind == Kind::Raw {
        Expected::Anything
    } else {
        Expected::Json
    };
    if config.output_tokens == Some(0) {
        return Err(Error::config("output_tokens must be at least 1 (got 0)"));
    }
    let output = config.output_tokens.map(|tokens| Output {
        tokens,
        vary: config.output_vary,
    });
    let (origin, path) = split_url(&config.endpoint)?;
    let head = head(config, origin, Method::POST, &path)?;
    Workload::new(&head, bodies, expected, output, config.seed)
}

/// The preference of a request that is on its own: what it may retry is its own affair.
fn settings(config: &BenchmarkConfig) -> Result<Checked> {
    let retries = u32::try_from(config.max_retries).unwrap_or(u32::MAX);
    if retries > 100 {
        return Err(Error::config(format!(
            "max_retries must be at most 100 (got {})",
            config.max_retries
        )));
    }
    let delay = config.retry_delay;
    if delay > Duration::from_secs(45) {
        return Err(Error::config(format!(
            "retry_delay must be at most 45 s (got {} s)",
            delay.as_secs_f64()
        )));
    }
    let preference = Preference {
        timeout: config.request_timeout,
        hedge_delay: config.hedge_delay,
        ..Preference::default()
    };
    let mut settings = preference.check()?;
    settings.limits = Limits::of_count(1);
    settings.retry = Arc::new(OwnRetries(RetryPolicy {
        max_retries: retries,
        initial_backoff: delay,
        non_retryable: Box::default(),
        max_retry_after: preference.max_retry_after,
        patience: preference.timeout,
    }));
    Ok(settings)
}
