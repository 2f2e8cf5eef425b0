//! A configuration that was checked: what the engine runs.

use super::bodies::Recipe;
use super::config::{BenchmarkConfig, Content, Open};
use super::limits;
use super::load::{Levels, Schedule, Stage};
use super::measured::Expected;
use super::prompts::{CountTokens, Estimate};
use super::run_mode::{LONGEST_RUN, RunMode};
use super::workload::{Output, Workload};
use crate::config::{BaseUrl, Checked, ExtraHeaders, Preference};
use crate::error::{Error, Result};
use crate::operation::Endpoint;
use crate::policy::hedge::HedgeDelay;
use crate::policy::split::Limits;
use crate::transport::{Head, HttpVersion};
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What the engine runs.
pub(super) struct Blueprint {
    pub(super) load: Load,
    pub(super) workload: Arc<Workload>,
    pub(super) settings: Checked,
    pub(super) warmup: Duration,
    pub(super) drain: Duration,
    pub(super) workers: usize,
    /// What a reader of the report should know of how the configuration was understood.
    pub(super) notes: Vec<String>,
    /// The whole configuration, without keys, as the report has it.
    pub(super) config: Value,
}

/// Who starts requests.
#[derive(Debug, Clone)]
pub(super) enum Load {
    Closed(Closed),
    Open(Arrivals),
}

/// Users, each with one request at a time.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    pub(super) users: u32,
    /// Requests that each may make.
    pub(super) per_user: Option<u64>,
    /// No request is started after that.
    pub(super) until: Option<Duration>,
    /// How many users are active when; all of them where this is `None`.
    pub(super) levels: Option<Levels>,
}

/// A schedule that waits for nobody.
#[derive(Debug, Clone)]
pub(super) struct Arrivals {
    pub(super) schedule: Schedule,
    pub(super) span: Duration,
    pub(super) max_in_flight: usize,
    pub(super) most: u64,
}

impl Load {
    /// When the last request is started at the latest, where time says so.
    pub(super) fn until(&self) -> Option<Duration> {
        match self {
            Self::Closed(closed) => closed.until,
            Self::Open(arrivals) => Some(arrivals.span),
        }
    }

    /// The most requests under way at once.
    fn most_in_flight(&self) -> u64 {
        match self {
            Self::Closed(closed) => closed.users.into(),
            Self::Open(arrivals) => (arrivals.max_in_flight as u64).min(arrivals.most),
        }
    }

    /// Whether the level changes while the run lasts.
    pub(super) fn changes(&self) -> bool {
        matches!(self, Self::Closed(closed) if closed.levels.is_some())
    }

    /// The model that every report names.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Closed(closed) => {
                let most = if closed.levels.is_some() {
                    "up to "
                } else {
                    ""
                };
                format!("closed loop, {most}{} users", closed.users)
            }
            Self::Open(arrivals) => format!("open loop, {}", arrivals.schedule),
        }
    }
}

impl Blueprint {
    pub(super) fn new(config: &BenchmarkConfig) -> Result<Self> {
        config.check_load()?;
        let mut notes = Vec::new();
        let workload = Arc::new(workload(config)?);
        let load = load(config)?;
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
        let most = limits::connections();
        if load.most_in_flight() > most {
            notes.push(format!(
                "the process may have {most} connections at once, and the load may ask for more \
                 (ulimit -n)"
            ));
        }
        let drain = config.drain.unwrap_or(config.request_timeout);
        if config.warmup > LONGEST_RUN || drain > LONGEST_RUN {
            return Err(Error::config("warmup and drain must be at most 30 days"));
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
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = config.workers.unwrap_or(cores);
        if !(1..=1024).contains(&workers) {
            return Err(Error::config(format!(
                "workers must be between 1 and 1024 (got {workers})"
            )));
        }
        let described = describe(config, &load, &workload, workers);
        Ok(Self {
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

/// Origin, and path with query.
pub(super) fn split_url(endpoint: &str) -> Result<(BaseUrl, String)> {
    let bad = |cause: String| {
        Error::config(format!(
            "the endpoint is not a URL that can be used: {cause}"
        ))
    };
    let url = url::Url::parse(endpoint).map_err(|cause| bad(cause.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it holds a user name or a password".to_owned()));
    }
    let origin = url.origin().ascii_serialization();
    let base = BaseUrl::parse(&origin).map_err(|cause| bad(cause.to_string()))?;
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    Ok((base, path))
}

fn head(config: &BenchmarkConfig) -> Result<Arc<Head>> {
    let (base, path) = split_url(&config.endpoint)?;
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
    let endpoint = Endpoint::new(base, config.api_key.clone());
    endpoint.head(Method::POST, &path, &preference)
}

fn workload(config: &BenchmarkConfig) -> Result<Workload> {
    if !(1..=10_000).contains(&config.batch_size) {
        return Err(Error::config(format!(
            "batch_size must be between 1 and 10000 (got {})",
            config.batch_size
        )));
    }
    let recipe = Recipe {
        kind: config.kind,
        model: config.model.clone(),
        batch_size: config.batch_size,
        stream: config.stream,
    };
    let bodies = match &config.content {
        Content::Bodies(bodies) => {
            let records: Vec<_> = bodies.iter().cloned().map(super::Record::Body).collect();
            recipe.bodies(&records)?
        }
        Content::Records(records) => recipe.bodies(records)?,
        Content::Synthetic(prompts, tokenizer) => {
            prompts.check()?;
            let counter: Box<dyn CountTokens> = match tokenizer {
                Some(path) => super::tokenizer::load(path)?,
                None => Box::new(Estimate),
            };
            let texts = prompts.texts(config.seed, &*counter);
            let records: Vec<_> = texts.into_iter().map(super::Record::Text).collect();
            recipe.bodies(&records)?
        }
    };
    let expected = if config.kind == super::Kind::Raw {
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
    Workload::new(&head(config)?, bodies, expected, output, config.seed)
}

fn load(config: &BenchmarkConfig) -> Result<Load> {
    if let Some(open) = &config.open {
        return arrivals(config, open).map(Load::Open);
    }
    let mut closed = Closed {
        users: u32::try_from(config.users).unwrap_or(u32::MAX),
        per_user: None,
        until: None,
        levels: None,
    };
    if !config.user_stages.is_empty() {
        let levels = levels(&config.user_stages, config.warmup)?;
        closed.users = rounded_up(levels.highest())?;
        closed.until = Some(levels.span());
        closed.levels = Some(levels);
        return Ok(Load::Closed(closed));
    }
    match config.mode {
        RunMode::Finite { requests_per_user } => closed.per_user = Some(requests_per_user as u64),
        RunMode::LongRunning { duration } => closed.until = Some(config.warmup + duration),
    }
    Ok(Load::Closed(closed))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be between 1 and a million"
)]
fn rounded_up(users: f64) -> Result<u32> {
    if (f64::MIN_POSITIVE..=1e6).contains(&users) {
        Ok(users.ceil() as u32)
    } else {
        Err(Error::config(format!(
            "the users of stages must reach above 0 and at most 1000000 (got {users})"
        )))
    }
}

/// The stages, with the warm-up in front.
fn levels(stages: &[Stage], warmup: Duration) -> Result<Levels> {
    let mut all = Vec::with_capacity(stages.len() + 1);
    if let Some(first) = stages.first()
        && !warmup.is_zero()
    {
        all.push(Stage::steady(first.from, warmup));
    }
    for stage in stages {
        stage.check()?;
        all.push(*stage);
    }
    let levels = Levels(all);
    if levels.span() > LONGEST_RUN {
        return Err(Error::config("the stages must end within 30 days"));
    }
    Ok(levels)
}

fn arrivals(config: &BenchmarkConfig, open: &Open) -> Result<Arrivals> {
    let levels = levels(&open.stages, config.warmup)?;
    if levels.highest() <= 0.0 {
        return Err(Error::config(
            "the rate must be above 0 (got 0 in every stage)",
        ));
    }
    if open.max_in_flight == Some(0) {
        return Err(Error::config("max_in_flight must be at least 1 (got 0)"));
    }
    Ok(Arrivals {
        span: levels.span(),
        schedule: Schedule::new(levels, open.arrival, config.seed),
        max_in_flight: open.max_in_flight.unwrap_or(usize::MAX),
        most: open.requests.unwrap_or(u64::MAX),
    })
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
    settings.limits = Limits {
        batch_size: 1,
        max_chars: None,
    };
    settings.retry.max_retries = retries;
    settings.retry.initial_backoff = delay;
    settings.retry.alone = true;
    Ok(settings)
}

/// The configuration as the report has it: whatever is needed to send the same again, but the keys.
fn describe(config: &BenchmarkConfig, load: &Load, workload: &Workload, workers: usize) -> Value {
    let seconds = |span: Duration| span.as_secs_f64();
    let stages = |stages: &[Stage]| stages.iter().map(ToString::to_string).collect::<Vec<_>>();
    let load = match load {
        Load::Closed(closed) => json!({
            "users": closed.users,
            "requests_per_user": closed.per_user,
            "duration_s": closed.until.map(|until| seconds(until.saturating_sub(config.warmup))),
            "user_stages": stages(&config.user_stages),
        }),
        Load::Open(arrivals) => json!({
            "stages": config.open.as_ref().map(|open| stages(&open.stages)),
            "arrival": config.open.as_ref().map(|open| open.arrival.to_string()),
            "max_in_flight": Some(arrivals.max_in_flight).filter(|most| *most != usize::MAX),
            "requests": Some(arrivals.most).filter(|most| *most != u64::MAX),
            "duration_s": seconds(arrivals.span.saturating_sub(config.warmup)),
        }),
    };
    let names: Vec<&str> = config
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .collect();
    json!({
        "endpoint": config.endpoint.split(['?', '#']).next(),
        "kind": config.kind.to_string(),
        "model": config.model,
        "stream": config.stream,
        "batch_size": config.batch_size,
        "output_tokens": config.output_tokens,
        "output_vary": config.output_vary,
        "content": describe_content(&config.content),
        "data_set": {"requests": workload.len(), "hash": workload.hash()},
        "load": load,
        "warmup_s": seconds(config.warmup),
        "drain_s": seconds(config.drain.unwrap_or(config.request_timeout)),
        "request_timeout_s": seconds(config.request_timeout),
        "max_retries": config.max_retries,
        "retry_delay_ms": seconds(config.retry_delay) * 1e3,
        "http_version": match config.http.version {
            HttpVersion::Http1 => 1,
            HttpVersion::Http2 => 2,
        },
        // Its host and port alone: a URL may hold a password.
        "proxy": format!("{:?}", config.http.proxy),
        "hedge_delay_s": config.hedge_delay.and_then(|delay| match delay {
            HedgeDelay::Fixed(delay) => Some(seconds(delay)),
            HedgeDelay::Quantile(_) => None,
        }),
        "header_names": names,
        "api_key": config.api_key.is_some(),
        "seed": config.seed,
        "workers": workers,
    })
}

fn describe_content(content: &Content) -> Value {
    match content {
        Content::Bodies(bodies) => json!({"bodies": bodies.len()}),
        Content::Records(records) => json!({"records": records.len()}),
        Content::Synthetic(prompts, tokenizer) => json!({
            "synthetic": format!("{:?}", prompts.lengths),
            "prefix_overlap": prompts.prefix_overlap,
            "prompts": prompts.count,
            "tokenizer": tokenizer.as_ref().map(|path| path.display().to_string()),
            "tokens_estimated": tokenizer.is_none(),
        }),
    }
}
