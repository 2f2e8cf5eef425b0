//! The benchmark harness: each rule of what makes a figure trustworthy, by number, and the command
//! as people run it.

// Rules 1, 2, 6, 7, 13, 17: schedules are kept, told of, and the same each time.
mod load;

// Rules 2, 6: sessions and think time.
mod sessions;

// Rules 3, 5, 11: retries, tokens, failures; against what the server counted and planned.
mod truth;

// Pauses before retries, hedges.
mod attempts;

// Waiting for a service before its load.
mod ready;

// Rules 14, 15, 16: what the harness itself costs.
mod cost;

// The library, under the names of the harness that this one replaces.
mod library;

// The command: exit codes (rule 12), what comes out.
mod command;

// The command: bad values.
mod refusals;

// The command: Ctrl-C.
#[cfg(unix)]
mod interrupts;

use hedgerow::bench::{Arrival, BenchmarkConfig, Report, RunMode, Stage, run_blocking};
use serde_json::{Value, json};
use std::time::Duration;

/// A millisecond.
const MS: Duration = Duration::from_millis(1);

/// An answer without a text.
const ANSWER: &str = "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}";

/// A chat of one message.
fn chat(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}]})
}

/// Users of a chat service, each with so many requests; nothing is calibrated.
fn users(url: &str, users: usize, requests_per_user: usize) -> BenchmarkConfig {
    let endpoint = format!("{url}/v1/chat/completions");
    let mode = RunMode::Finite { requests_per_user };
    BenchmarkConfig::try_new(endpoint, None, users, mode, chat("Ping"))
        .expect("a configuration")
        .with_calibration(false)
        .with_workers(1)
}

/// Arrivals at a chat service.
fn arrivals(url: &str, rate: f64, span: Duration, arrival: Arrival) -> BenchmarkConfig {
    users(url, 1, 1).with_arrivals(vec![Stage::steady(rate, span)], arrival)
}

fn run(config: &BenchmarkConfig) -> Report {
    run_blocking(config).expect("a report")
}

/// Milliseconds of a figure that there must be.
fn ms(figure: Option<f64>) -> f64 {
    figure.expect("enough samples")
}
