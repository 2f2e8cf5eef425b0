//! The configuration of a run, out of the caller's dict: the flags of the command `batchbench`.

use super::progress::Listener;
use super::records;
use super::settings::Settings;
use crate::exception;
use hedgerow::bench::{
    Arrival, BenchmarkConfig, Kind, Lengths, RunMode, Slo, Synthetic, read_jsonl,
};
use hedgerow::transport::{HttpSettings, HttpVersion, Proxy};
use http::{HeaderName, HeaderValue};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;
use std::time::Duration;

const COUNT: std::ops::RangeInclusive<u64> = 1..=u32::MAX as u64;

/// Reads a dict. Whoever is to be told of progress comes apart.
pub(super) fn read(given: &Bound<'_, PyAny>) -> PyResult<(BenchmarkConfig, Option<Listener>)> {
    let py = given.py();
    let settings = Settings::new(given)?;
    let kind = settings.parsed("kind")?.unwrap_or(Kind::Chat);
    let duration = settings.some_span("duration")?;
    let mode = match duration {
        Some(duration) => RunMode::LongRunning { duration },
        None => RunMode::Finite {
            requests_per_user: settings.whole("requests_per_user", COUNT)?.unwrap_or(1),
        },
    };
    let host = settings.text("host")?;
    let host = host.as_deref().unwrap_or("https://api.openai.com");
    let endpoint = settings.text("endpoint")?;
    let (key, nothing) = (key(&settings)?, serde_json::Value::Null);
    let mut config = kind
        .url(host, endpoint.as_deref())
        .and_then(|url| BenchmarkConfig::try_new(url, key, 1, mode, nothing))
        .map_err(|error| exception::raise_plain(py, &error))?;
    config = what_is_sent(&settings, kind, config)?;
    config = service(&settings, config)?;
    config = load(&settings, duration, config)?;
    config = config
        .with_slos(settings.list::<Slo>("slo")?)
        .with_calibration(!settings.truth("no_calibration")?)
        .with_raised_open_files(true);
    let Some(function) = settings.get("progress")? else {
        return Ok((config, None));
    };
    if !function.is_callable() {
        return Err(settings.refused("progress", "a function"));
    }
    let (listener, tell) = Listener::new(function.unbind());
    Ok((config.with_progress(tell), Some(listener)))
}

/// What requests are made from.
fn source(
    settings: &Settings<'_>,
    kind: Kind,
    config: BenchmarkConfig,
) -> PyResult<BenchmarkConfig> {
    if let Some(records) = records::read(settings)? {
        return Ok(config.with_records(kind, records));
    }
    if let Some(path) = settings.get("jsonl")? {
        let path = path.extract::<PathBuf>();
        let path = path.map_err(|_| settings.refused("jsonl", "a path"))?;
        let records = read_jsonl(&path);
        let records = records.map_err(|error| PyValueError::new_err(error.to_string()))?;
        return Ok(config.with_records(kind, records));
    }
    let Some(tokens) = settings.whole("input_tokens", 1..=2_000_000)? else {
        let text = "one of records, jsonl and input_tokens must be given";
        return Err(PyValueError::new_err(text));
    };
    let prompts = Synthetic {
        lengths: match settings.real("input_sigma", 0.0..=5.0)? {
            Some(sigma) => Lengths::LogNormal {
                median: tokens,
                sigma,
            },
            None => Lengths::Uniform {
                tokens,
                vary: settings
                    .whole("input_vary", 0..=u32::MAX.into())?
                    .unwrap_or(0),
            },
        },
        prefix_overlap: settings.real("prefix_overlap", 0.0..=1.0)?.unwrap_or(0.0),
        count: settings.whole("prompts", COUNT)?.unwrap_or(1000),
    };
    Ok(config.with_synthetic(kind, prompts))
}

fn key(settings: &Settings<'_>) -> PyResult<Option<String>> {
    let name = settings.text("api_key_env")?;
    if let Some(key) = settings.text("api_key")? {
        return Ok(Some(key));
    }
    Ok(std::env::var(name.as_deref().unwrap_or("OPENAI_API_KEY")).ok())
}

fn what_is_sent(
    settings: &Settings<'_>,
    kind: Kind,
    config: BenchmarkConfig,
) -> PyResult<BenchmarkConfig> {
    let mut config = source(settings, kind, config)?
        .with_streaming(settings.truth("stream")?)
        .with_batch_size(settings.whole("batch_size", 1..=10_000)?.unwrap_or(1))
        .with_seed(settings.whole("seed", 0..=u64::MAX)?.unwrap_or(0));
    if let Some(model) = settings.text("model")? {
        config = config.with_model(model);
    }
    if let Some(tokens) = settings.whole("output_tokens", COUNT)? {
        let vary = settings.whole("output_vary", 0..=u32::MAX.into())?;
        config = config.with_output_tokens(tokens, vary.unwrap_or(0));
    }
    Ok(config)
}

fn service(settings: &Settings<'_>, mut config: BenchmarkConfig) -> PyResult<BenchmarkConfig> {
    let timeout = settings.real("request_timeout_secs", 0.1..=3600.0)?;
    let pause = settings.whole("retry_delay_ms", 0..=45_000)?;
    config = config
        .with_request_timeout(Duration::from_secs_f64(timeout.unwrap_or(60.0)))
        .with_retry(
            settings.whole("max_retries", 0..=100)?.unwrap_or(2),
            Duration::from_millis(pause.unwrap_or(250)),
        );
    if let Some(delay) = settings.hedge_delay("hedge_delay")? {
        config = config.with_hedge_delay(delay);
    }
    if let Some(span) = settings.some_span("wait_ready")? {
        let path = settings.text("ready_path")?;
        config = config.with_wait_ready(span, path.as_deref().unwrap_or("/health"));
    }
    config = config.with_http(http(settings)?);
    let Some(headers) = settings.get("headers")? else {
        return Ok(config);
    };
    // Values may be keys: an error shows the name alone.
    let wanted = "headers must be a dict of names and values, both str";
    let headers = headers.cast_into::<PyDict>();
    let headers = headers.map_err(|_| PyValueError::new_err(wanted))?;
    for (name, value) in &headers {
        let texts = name.extract::<String>().ok().zip(value.extract().ok());
        let (name, value): (String, String) = texts.ok_or_else(|| PyValueError::new_err(wanted))?;
        let refused = |what| PyValueError::new_err(format!("headers[{name:?}]: the {what}"));
        config = config.add_header(
            HeaderName::try_from(&name).map_err(|_| refused("name is no header's"))?,
            HeaderValue::try_from(&value).map_err(|_| refused("value is no header's"))?,
        );
    }
    Ok(config)
}

/// How connections are made.
fn http(settings: &Settings<'_>) -> PyResult<HttpSettings> {
    let version = if settings.truth("http2")? {
        HttpVersion::Http2
    } else {
        HttpVersion::Http1
    };
    let proxy = match settings.text("proxy")? {
        None => Proxy::Environment,
        Some(none) if none == "none" => Proxy::Direct,
        Some(url) => Proxy::At(url),
    };
    proxy
        .validate()
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(HttpSettings {
        version,
        proxy,
        ..HttpSettings::default()
    })
}

fn load(
    settings: &Settings<'_>,
    duration: Option<Duration>,
    config: BenchmarkConfig,
) -> PyResult<BenchmarkConfig> {
    let mut config = config
        .with_users(settings.whole("users", 1..=1_000_000)?)
        .with_user_stages(settings.stages("user_stages")?)
        .with_think_time(settings.span("think_time")?.unwrap_or_default())
        .with_warmup(settings.span("warmup")?.unwrap_or_default());
    let arrival = settings.parsed::<Arrival>("arrival")?.unwrap_or_default();
    let stages = settings.stages("stages")?;
    if let Some(rate) = settings.real("rate", 1e-6..=10_000_000.0)? {
        config = config.with_rate(rate, duration, arrival);
    } else if !stages.is_empty() {
        config = config.with_arrivals(stages, arrival);
    }
    if let Some(most) = settings.whole("max_in_flight", 0..=u64::MAX)? {
        config = config.with_max_in_flight(Some(most).filter(|most| *most > 0));
    }
    if let Some(requests) = settings.whole("requests", COUNT)? {
        config = config.with_request_count(requests);
    }
    if let Some(requests) = settings.whole("session_requests", 1..=1_000_000)? {
        config = config.with_sessions(requests);
    }
    if let Some(drain) = settings.span("drain")? {
        config = config.with_drain(drain);
    }
    if let Some(workers) = settings.whole("workers", 1..=1024)? {
        config = config.with_workers(workers);
    }
    Ok(config)
}
