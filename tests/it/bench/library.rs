//! The library, under the names of the harness that this one replaces.

use super::{chat, users};
use hedgerow::bench::{BenchmarkConfig, BenchmarkReport, RunMode, run_benchmark};
use hedgerow::mock::{Fault, MockServer, Rule};
use std::time::Duration;

fn config(server: &MockServer, mode: RunMode) -> hedgerow::Result<BenchmarkConfig> {
    let endpoint = format!("{}/v1/chat/completions", server.url());
    let key = Some("sk-secret-key".to_owned());
    let config = BenchmarkConfig::try_new(endpoint, key, 3, mode, chat("Ping"))?
        .with_request_timeout(Duration::from_secs(30))
        .with_retry(1, Duration::from_millis(50))
        .add_header(
            http::HeaderName::from_static("x-key"),
            http::HeaderValue::from_static("sk-other-secret"),
        )
        .with_per_user_bodies(vec![chat("a"), chat("b"), chat("c")])?;
    Ok(config.with_calibration(false))
}

#[tokio::test]
async fn a_run_is_awaited_on_the_caller_s_own_runtime() {
    let server = MockServer::start().unwrap();
    let mode = RunMode::Finite {
        requests_per_user: 4,
    };
    let report: BenchmarkReport = run_benchmark(config(&server, mode).unwrap()).await.unwrap();
    assert_eq!(report.total_requests, 12);
    assert_eq!(
        (report.successful_requests, report.failed_requests),
        (12, 0)
    );
    assert_eq!(report.total_completion_tokens, 12 * 16);
    assert!(report.total_prompt_tokens > 0 && report.requests_per_second > 0.0);
    assert!(
        report.latency_p50.is_some() && report.latency_p99.is_none(),
        "12 samples"
    );
    assert!(report.failures.is_empty());
    assert!(report.total_duration > Duration::ZERO);
    let json = serde_json::to_string(&report).unwrap();
    let read: BenchmarkReport = serde_json::from_str(&json).unwrap();
    assert_eq!(read.report, report.report);
}

#[tokio::test]
async fn failures_are_told_with_their_user_and_no_key_is_shown() {
    let server = MockServer::start().unwrap();
    let body = Some("no: sk-secret-key, sk-other-secret".to_owned());
    server.inject(Rule::on(
        "/",
        Fault::Status {
            code: 403,
            retry_after: None,
            body,
        },
    ));
    let duration = Duration::from_millis(50);
    let config = config(&server, RunMode::LongRunning { duration }).unwrap();
    assert!(!format!("{config:?}").contains("secret"));
    let report = run_benchmark(config).await.unwrap();
    assert_eq!(report.successful_requests, 0);
    assert!(report.failed_requests >= 3 && !report.failures.is_empty());
    assert!(report.failures.iter().all(|failure| failure.user_id < 3));
    assert!(report.failures[0].error.contains("403 Forbidden"));
    let shown = format!("{report:?}{}", serde_json::to_string(&report).unwrap());
    assert!(!shown.contains("secret"), "{shown}");
}

#[tokio::test]
async fn a_run_that_nobody_awaits_ends() {
    let server = MockServer::start().unwrap();
    let duration = Duration::from_mins(10);
    let run = run_benchmark(config(&server, RunMode::LongRunning { duration }).unwrap());
    let given_up = tokio::time::timeout(Duration::from_millis(300), run).await;
    assert!(given_up.is_err());
    let wait = move || crate::support::eventually_closed(&server);
    tokio::task::spawn_blocking(wait).await.unwrap();
}

#[test]
fn a_bad_configuration_is_refused_with_its_value_and_range() {
    let finite = |requests_per_user| RunMode::Finite { requests_per_user };
    let made = |url: &str, users, mode| {
        BenchmarkConfig::try_new(url, None, users, mode, chat("a")).map(drop)
    };
    for (result, part) in [
        (made("no url", 1, finite(1)), "URL"),
        (made("ftp://h", 1, finite(1)), "URL"),
        (made("http://u:p@h", 1, finite(1)), "password"),
        (
            made("http://h", 0, finite(1)),
            "user_count must be between 1 and 1000000 (got 0)",
        ),
        (
            made("http://h", 1, finite(0)),
            "requests_per_user must be at least 1 (got 0)",
        ),
    ] {
        let error = result.unwrap_err();
        assert!(
            error.is_config() && error.to_string().contains(part),
            "{error}"
        );
    }
    let zero = made(
        "http://h",
        1,
        RunMode::LongRunning {
            duration: Duration::ZERO,
        },
    );
    assert!(
        zero.unwrap_err()
            .to_string()
            .contains("duration must be above 0")
    );
    let refused = |config: BenchmarkConfig| {
        let error = hedgerow::bench::run_blocking(&config).unwrap_err();
        assert!(error.is_config(), "{error}");
        error.to_string()
    };
    let fine = || users("http://127.0.0.1:9", 1, 1);
    assert!(refused(fine().with_retry(101, Duration::from_secs(1))).contains("max_retries"));
    let no_time = fine().with_request_timeout(Duration::ZERO);
    assert!(refused(no_time).contains("timeout"), "zero is no default");
    assert!(refused(fine().with_users(Some(0))).contains("user_count"));
    assert!(refused(fine().with_batch_size(0)).contains("batch_size"));
    assert!(refused(fine().with_request_timeout(Duration::from_secs(4000))).contains("timeout"));
    assert!(refused(fine().with_output_tokens(0, 0)).contains("output_tokens"));
    assert!(refused(fine().with_hedge_delay(Duration::from_millis(1))).contains("hedge_delay"));
    assert!(refused(fine().with_workers(0)).contains("workers"));
}
