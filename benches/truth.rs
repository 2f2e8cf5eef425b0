//! The harness against the truth: a mock server plays tokens on a schedule that is known, and what
//! is reported of it is compared with that schedule.
//!
//! `cargo bench --features cli --bench truth` prints how far the figures are off, with 200 streams
//! under way, and fails where they are further off than they may be on an idle machine.

use hedgerow::bench::{
    Arrival, BenchmarkConfig, Distribution, Report, RunMode, Stage, run_blocking,
};
use hedgerow::mock::{MockConfig, MockServer};
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;

const TTFT: Duration = Duration::from_millis(50);
const ITL: Duration = Duration::from_millis(10);
const TOKENS: usize = 50;
/// Streams under way at once.
const STREAMS: usize = 200;
/// How far off the median may be, and the 99th percentile.
const ALLOWED_MS: [f64; 2] = [1.0, 5.0];

fn main() -> ExitCode {
    // `cargo test` builds and runs benches too, without this flag: there it would only take time.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let server = MockServer::start_with(MockConfig {
        ttft: TTFT,
        itl: ITL,
        tokens: TOKENS,
        ..MockConfig::default()
    })
    .expect("the mock server starts");
    let mut fine = true;
    for (name, config) in [
        ("open loop, Poisson", open(&server)),
        ("closed loop", closed(&server)),
    ] {
        let report = run_blocking(&config).expect("a run");
        println!(
            "{name}: {} streams, {}",
            report.requests.succeeded, report.verdict
        );
        fine &= is_near("time to first token", &report.ttft_ms, TTFT);
        fine &= is_near("inter-token latency", &report.itl_ms, ITL);
        fine &= report.requests.failed == 0 && has_all_tokens(&report);
    }
    ExitCode::from(u8::from(!fine))
}

fn base(server: &MockServer, mode: RunMode) -> BenchmarkConfig {
    let endpoint = format!("{}/v1/chat/completions", server.url());
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Ping"}]});
    BenchmarkConfig::try_new(endpoint, None, STREAMS, mode, body)
        .expect("a configuration")
        .with_streaming(true)
        .with_warmup(Duration::from_secs(2))
        .with_calibration(false)
}

fn closed(server: &MockServer) -> BenchmarkConfig {
    let duration = Duration::from_secs(10);
    base(server, RunMode::LongRunning { duration })
}

/// As many streams a second as keep so many under way.
fn open(server: &MockServer) -> BenchmarkConfig {
    let each = TTFT + ITL * u32::try_from(TOKENS - 1).expect("few tokens");
    let rate = f64::from(u32::try_from(STREAMS).expect("few streams")) / each.as_secs_f64();
    let mode = RunMode::Finite {
        requests_per_user: 1,
    };
    let stages = vec![Stage::steady(rate, Duration::from_secs(10))];
    base(server, mode).with_arrivals(stages, Arrival::Poisson)
}

fn is_near(name: &str, found: &Distribution, truth: Duration) -> bool {
    let truth = truth.as_secs_f64() * 1e3;
    let off = [found.p50, found.p99].map(|figure| figure.map_or(f64::INFINITY, |ms| ms - truth));
    println!(
        "  {name}: {truth} ms; p50 {:+.2} ms, p99 {:+.2} ms",
        off[0], off[1]
    );
    off.iter()
        .zip(ALLOWED_MS)
        .all(|(off, allowed)| off.abs() <= allowed)
}

fn has_all_tokens(report: &Report) -> bool {
    let expected = report.requests.succeeded * TOKENS as u64;
    report.tokens.completion == expected
        && report.itl_ms.count + report.requests.succeeded == expected
}
