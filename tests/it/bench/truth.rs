//! What is reported, against what the server counted and planned.

use super::{MS, ms, run, users};
use crate::support::hostile::{Hostile, Next};
use crate::support::{in_some_try, near};
use hedgerow::bench::{Report, Slo};
use hedgerow::mock::{Fault, Latency, MockConfig, MockServer, Rule};
use std::time::Duration;

/// Rule 3.
#[test]
fn a_retry_s_pause_counts_in_latency_and_its_attempts_are_told() {
    let server = MockServer::start().unwrap();
    let refusal = "status=503;retry_after=0.3".parse().unwrap();
    server.inject(Rule::on("/", refusal).times(1));
    let report = run(&users(&server.url(), 1, 1));
    assert_eq!(
        (report.requests.succeeded, report.requests.attempts),
        (1, 2)
    );
    let latency = ms(report.latency_ms.max);
    assert!(latency >= 300.0, "{latency}");
    assert!(ms(report.queue_ms.max) >= 300.0 && ms(report.service_ms.max) < 300.0);
}

/// Each fault that is retried, and the attempts that the server saw.
#[test]
fn attempts_are_as_many_as_the_server_counted() {
    for fault in [
        "status=500",
        "status=429",
        "reset",
        "cut_body",
        "bad_json",
        "close_before_answer",
    ] {
        let server = MockServer::start().unwrap();
        let rule = Rule::on("/", fault.parse::<Fault>().unwrap()).share(0.3);
        server.inject(rule);
        let report = run(&users(&server.url(), 8, 10).with_retry(3, MS * 50));
        let requests = &report.requests;
        assert_eq!(requests.total, 80, "{fault}");
        assert!(requests.attempts > 80, "{fault}: {requests:?}");
        assert_eq!(requests.attempts, server.stats().requests, "{fault}");
        assert_eq!(
            requests.total,
            requests.succeeded + requests.failed,
            "{fault}"
        );
    }
}

#[test]
fn no_retry_means_no_second_attempt() {
    for fault in [Fault::status(503), Fault::Reset, Fault::Hang] {
        let server = MockServer::start().unwrap();
        server.inject(Rule::on("/", fault.clone()));
        let config = users(&server.url(), 4, 2)
            .with_retry(0, 50 * MS)
            .with_request_timeout(200 * MS);
        let report = run(&config);
        assert_eq!(
            (report.requests.failed, report.requests.attempts),
            (8, 8),
            "{fault:?}"
        );
        assert_eq!(server.stats().requests, 8, "{fault:?}");
    }
}

/// A stream that breaks off before its end is made again.
#[test]
fn a_stream_without_its_end_is_a_failure_that_is_retried() {
    let server = MockServer::start().unwrap();
    server.inject(Rule::on("/", "cut_body".parse().unwrap()).times(3));
    let report = run(&users(&server.url(), 1, 3)
        .with_streaming(true)
        .with_retry(5, 50 * MS));
    assert_eq!(
        (report.requests.succeeded, report.requests.attempts),
        (3, 6)
    );
    let always = MockServer::start().unwrap();
    always.inject(Rule::on("/", "cut_body".parse().unwrap()));
    let config = users(&always.url(), 1, 1)
        .with_streaming(true)
        .with_retry(1, 50 * MS);
    let report = run(&config);
    assert_eq!(
        report.errors.get("network"),
        Some(&1),
        "{:?}",
        report.errors
    );
}

fn paced(ttft: Duration, itl: Duration, tokens: usize) -> MockServer {
    MockServer::start_with(MockConfig {
        ttft,
        itl,
        tokens,
        ..MockConfig::default()
    })
    .unwrap()
}

/// Rule 5, and the ground truth: bounds for a busy machine; `benches` has the tight ones.
#[test]
fn times_of_tokens_are_those_of_the_server_s_schedule() {
    in_some_try(|| {
        let server = paced(60 * MS, 10 * MS, 20);
        let report = run(&users(&server.url(), 20, 3).with_streaming(true));
        assert_eq!(report.requests.succeeded, 60, "{:?}", report.failures);
        assert_eq!(report.itl_ms.count, 60 * 19);
        assert!(report.chunk_gap_ms.count > report.itl_ms.count);
        let prompt = hedgerow::mock::tokens_of("Ping") as u64;
        assert_eq!(
            (report.tokens.prompt, report.tokens.completion),
            (60 * prompt, 60 * 20)
        );
        assert_eq!(report.tokens.estimated_requests, 0);
        let first = ms(report.ttft_ms.p50);
        assert!(first >= 59.5, "the server waits for so long: {first}");
        near("time to first token", first, 60.0, 15.0)?;
        near("inter-token latency", ms(report.itl_ms.p50), 10.0, 3.0)?;
        near("time a token", ms(report.tpot_ms.p50), 10.0, 3.0)?;
        // The role comes at once, and is no token.
        near("first byte", ms(report.first_byte_ms.p50), 0.0, 45.0)
    });
}

/// Chat and completions, streamed or not, give the same counts.
#[test]
fn tokens_are_the_server_s_and_an_estimate_is_told_as_one() {
    let server = paced(Duration::ZERO, Duration::ZERO, 12);
    let whole = run(&users(&server.url(), 2, 2));
    assert_eq!(whole.tokens.completion, 48);
    assert_eq!(
        whole.ttft_ms.count, 0,
        "without a stream there is no first token"
    );
    let silent = Hostile::start(|visit| {
        let body = "{\"choices\":[{\"message\":{\"content\":\"12345678\"}}]}";
        visit.answer("200 OK", "content-type: application/json\r\n", body);
        Next::Keep
    });
    let report = run(&users(&silent.url(), 1, 3));
    assert_eq!(
        report.requests.succeeded, 3,
        "an answer without usage is no failure"
    );
    assert_eq!(
        (report.tokens.completion, report.tokens.estimated_requests),
        (6, 3)
    );
}

fn half_refusing(share: f64) -> Report {
    let server = MockServer::start_with(MockConfig {
        latency: Latency::Fixed(5 * MS),
        ..MockConfig::default()
    })
    .unwrap();
    server.inject(Rule::on("/", Fault::status(500)).share(share));
    let slos = ["latency_p90<1s", "error_rate<10%"].map(|term| term.parse::<Slo>().unwrap());
    run(&users(&server.url(), 8, 40)
        .with_retry(0, 50 * MS)
        .with_slos(slos.to_vec()))
}

/// Rule 11.
#[test]
fn a_server_that_refuses_half_scores_no_better() {
    let (honest, refusing) = (half_refusing(0.0), half_refusing(0.5));
    assert!(honest.meets_slos());
    assert_eq!(
        (honest.requests.succeeded, refusing.requests.total),
        (320, 320)
    );
    assert!(refusing.requests.succeeded < 240, "{:?}", refusing.requests);
    assert_eq!(
        refusing.errors.get("http_500"),
        Some(&refusing.requests.failed)
    );
    // Not by its rates, which are of successes; not by its latencies, where a failure is no end.
    let share = |report: &Report| report.rates.goodput_per_s * report.duration_s / 320.0;
    assert!((share(&honest) - 1.0).abs() < 0.05, "{}", share(&honest));
    assert!(share(&refusing) < 0.8, "{}", share(&refusing));
    assert!(
        refusing.slo.iter().all(|result| !result.met),
        "{:?}",
        refusing.slo
    );
}

#[test]
fn each_kind_is_answered_and_counted() {
    use hedgerow::bench::{Kind, Record};
    let server = MockServer::start().unwrap();
    let texts: Vec<Record> = (0..6)
        .map(|number| Record::Text(format!("text {number}")))
        .collect();
    for kind in [
        Kind::Chat,
        Kind::Completions,
        Kind::Embeddings,
        Kind::Rerank,
        Kind::Classify,
    ] {
        let endpoint = format!("{}{}", server.url(), kind.path());
        let mode = hedgerow::bench::RunMode::Finite {
            requests_per_user: 3,
        };
        let config = hedgerow::bench::BenchmarkConfig::try_new(
            endpoint,
            None,
            2,
            mode,
            serde_json::Value::Null,
        );
        let mut config = config.unwrap().with_records(kind, texts.clone());
        if !matches!(kind, Kind::Chat | Kind::Completions) {
            config = config.with_batch_size(2);
        }
        let report = run(&config.with_calibration(false));
        assert_eq!(
            report.requests.succeeded, 6,
            "{kind}: {:?}",
            report.failures
        );
    }
}

/// Hedges are attempts like any other.
#[test]
fn a_hedge_is_sent_and_counted() {
    let server = MockServer::start().unwrap();
    let slow = Rule::on("/", Fault::Delay(Duration::from_secs(2))).times(1);
    server.inject(slow);
    let report = run(&users(&server.url(), 1, 1).with_hedge_delay(50 * MS));
    assert_eq!(
        (report.requests.succeeded, report.requests.attempts),
        (1, 2)
    );
    assert!(ms(report.latency_ms.max) < 1500.0);
}
