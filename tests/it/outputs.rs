//! What a benchmark's report comes out as: an HDR log that another implementation reads, and a page
//! that a real browser shows.
//!
//! Needs Python 3 with `venv` (and a package index for `pip`) and Chromium
//! (`apt-get install chromium`, or its path in `CHROMIUM`).

mod browser;

mod python;

use hedgerow::bench::{BenchmarkConfig, Report, RunMode, Slo, run_blocking};
use hedgerow::mock::{Fault, MockConfig, MockServer, Rule};
use serde_json::json;
use std::sync::OnceLock;
use std::time::Duration;

/// The report of a real run: streamed answers, a warm-up, retries and some failures.
fn report() -> &'static Report {
    static REPORT: OnceLock<Report> = OnceLock::new();
    REPORT.get_or_init(|| {
        let server = MockServer::start_with(MockConfig {
            ttft: Duration::from_millis(10),
            itl: Duration::from_millis(2),
            rules: vec![Rule::on("/", "status=503".parse::<Fault>().unwrap()).share(0.05)],
            ..MockConfig::default()
        })
        .unwrap();
        let url = format!("{}/v1/chat/completions", server.url());
        let body =
            json!({"model": "m", "messages": [{"role": "user", "content": "<Ping> & \"pong\""}]});
        let mode = RunMode::LongRunning {
            duration: Duration::from_millis(2500),
        };
        let terms = ["ttft_p90<1s", "error_rate<0.1%", "goodput>10"];
        let config = BenchmarkConfig::try_new(url, None, 16, mode, body)
            .unwrap()
            .with_streaming(true)
            .with_retry(0, Duration::from_millis(1))
            .with_warmup(Duration::from_millis(500))
            .with_slos(terms.map(|term| Slo::parse(term).unwrap()).to_vec());
        run_blocking(&config).unwrap()
    })
}

#[test]
fn the_run_that_is_shown_has_everything() {
    let report = report();
    assert!(report.requests.succeeded > 100 && report.requests.failed > 0);
    assert!(report.ttft_ms.count > 100 && report.itl_ms.count > 100);
    assert!(report.warmup.sent > 0 && report.errors.contains_key("http_503"));
    let read = Report::from_json(&report.to_json()).unwrap();
    assert_eq!(&read, report);
}
