//! What makes a second attempt of a request, and when: pauses and hedges.

use super::{MS, chat, ms, run, users};
use crate::support::{hanging_mock, slow_mock};
use hedgerow::HedgeDelay;
use hedgerow::bench::{BenchmarkConfig, RunMode};
use hedgerow::mock::{Fault, Latency, MockServer, Rule};
use std::time::Duration;

#[test]
fn retries_without_a_pause_follow_at_once() {
    let server = MockServer::start().unwrap();
    server.inject(Rule::on("/", Fault::status(500)).times(6));
    let report = run(&users(&server.url(), 1, 1).with_retry(6, Duration::ZERO));
    let requests = &report.requests;
    assert_eq!((requests.succeeded, requests.attempts), (1, 7));
    // With the default's pauses it would be a minute, unless all dice were lucky.
    assert!(
        ms(report.latency_ms.max) < 1000.0,
        "{:?}",
        report.latency_ms
    );
    assert_eq!(report.config["retry_delay_ms"], 0.0);
}

/// Each request of a run is an operation of its own: the quantile is of the run's requests.
#[test]
fn a_hedge_may_wait_for_a_quantile_of_what_the_run_s_requests_took() {
    let server = slow_mock(Latency::Fixed(5 * MS));
    let config = users(&server.url(), 4, 40).with_hedge_delay(HedgeDelay::Quantile(0.95));
    server.inject(
        Rule::on("/", Fault::Delay(Duration::from_secs(5)))
            .after(60)
            .times(3),
    );
    let report = run(&config);
    let requests = &report.requests;
    assert_eq!(requests.succeeded, 160);
    assert!(requests.attempts >= 163, "{requests:?}");
    // A twin whose request has ended may not have reached the server.
    assert!((163..=requests.attempts).contains(&server.stats().requests));
    // A twin came for each that would have taken five seconds.
    assert!(
        ms(report.latency_ms.max) < 2000.0,
        "{:?}",
        report.latency_ms
    );
    assert_eq!(report.config["hedge_quantile"], 0.95);
}

#[test]
fn nothing_is_hedged_before_enough_requests_have_ended() {
    let server = slow_mock(Latency::Fixed(5 * MS));
    let config = users(&server.url(), 1, 19).with_hedge_delay(HedgeDelay::Quantile(0.5));
    assert_eq!(run(&config).requests.attempts, 19);
}

#[test]
fn the_attempts_of_requests_that_are_cut_count_as_well() {
    let server = hanging_mock();
    let mode = RunMode::LongRunning { duration: 300 * MS };
    let endpoint = format!("{}/v1/chat/completions", server.url());
    let config = BenchmarkConfig::try_new(endpoint, None, 3, mode, chat("Ping")).unwrap();
    let config = config.with_calibration(false).with_drain(Duration::ZERO);
    let requests = run(&config).requests;
    assert_eq!((requests.cancelled, requests.attempts), (3, 3));
    assert_eq!(server.stats().requests, 3);
}
