//! The configuration as the report has it: whatever is needed to send the same again, but the keys.

use super::load::{Load, OpenLoad};
use crate::bench::plan::config::{BenchmarkConfig, Content};
use crate::bench::plan::open::Pace;
use crate::bench::plan::schedule::Stage;
use crate::bench::request::Workload;
use crate::policy::hedge::HedgeDelay;
use crate::transport::HttpVersion;
use serde_json::{Value, json};
use std::time::Duration;

/// As JSON.
pub(super) fn describe(
    config: &BenchmarkConfig,
    load: &Load,
    workload: &Workload,
    workers: usize,
) -> Value {
    let load = match load {
        Load::Closed(closed) => json!({
            "users": closed.users,
            "requests_per_user": closed.per_user,
            "duration_s": closed.until.map(|until| seconds(until.saturating_sub(config.warmup))),
            "user_stages": stages(&config.user_stages),
            "think_time_s": seconds(closed.think),
        }),
        Load::Open(arrivals) => describe_arrivals(config, arrivals),
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
        "hedge_delay_s": match config.hedge_delay {
            Some(HedgeDelay::Fixed(delay)) => Some(seconds(delay)),
            _ => None,
        },
        "hedge_quantile": match config.hedge_delay {
            Some(HedgeDelay::Quantile(share)) => Some(share),
            _ => None,
        },
        "header_names": names,
        "api_key": config.api_key.is_some(),
        "seed": config.seed,
        "workers": workers,
    })
}

fn describe_arrivals(config: &BenchmarkConfig, arrivals: &OpenLoad) -> Value {
    let open = config.open.as_ref();
    let most = Some(arrivals.max_in_flight).filter(|most| *most != usize::MAX);
    json!({
        "stages": open.map(|open| match &open.pace {
            Pace::Stages(given) => stages(given),
            Pace::Rate(rate, _) => {
                let span = arrivals.span.saturating_sub(config.warmup);
                stages(&[Stage::steady(*rate, span)])
            }
        }),
        "arrival": open.map(|open| open.arrival.to_string()),
        "max_in_flight": most,
        "requests": Some(arrivals.most).filter(|most| *most != u64::MAX),
        "session_requests": arrivals.sessions.map(|sessions| sessions.requests),
        "think_time_s": arrivals.sessions.map(|sessions| seconds(sessions.think)),
        "duration_s": seconds(arrivals.span.saturating_sub(config.warmup)),
    })
}

fn seconds(span: Duration) -> f64 {
    span.as_secs_f64()
}

fn stages(stages: &[Stage]) -> Vec<String> {
    stages.iter().map(ToString::to_string).collect()
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
