//! Sessions and think time: what the partly open loop promises, against what the server saw.

use super::{ANSWER, MS, arrivals, chat, ms, run, users};
use crate::support::hostile::{Hostile, Next};
use crate::support::slow_mock;
use hedgerow::bench::{Arrival, BenchmarkConfig, Metric, Report};
use hedgerow::mock::{Fault, Latency, MockServer, Rule};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// When a request came, and when its answer was written.
#[derive(Debug, Clone, Copy)]
struct Visit {
    came: Instant,
    left: Instant,
}

/// The visits of each body's number, in the order in which they came.
type Visits = Arc<Mutex<HashMap<u64, Visit>>>;

/// A server that notes which body came when. `pause` says how long it takes over which.
fn noting_server(pause: impl Fn(u64) -> Duration + Send + Sync + 'static) -> (Hostile, Visits) {
    let visits = Visits::default();
    let theirs = Arc::clone(&visits);
    let server = Hostile::start(move |visit| {
        let came = Instant::now();
        let body: serde_json::Value = serde_json::from_slice(&visit.body).unwrap();
        let text = body["messages"][0]["content"].as_str().unwrap();
        let number: u64 = text.parse().unwrap();
        visit.pause(pause(number));
        let left = Instant::now();
        visit.answer("200 OK", "content-type: application/json\r\n", ANSWER);
        theirs.lock().unwrap().insert(number, Visit { came, left });
        Next::Keep
    });
    (server, visits)
}

/// Bodies that say their numbers.
fn numbered(config: BenchmarkConfig, count: u64) -> BenchmarkConfig {
    let bodies = (0..count).map(|number| chat(&number.to_string()));
    config.with_per_user_bodies(bodies.collect()).unwrap()
}

fn told(visits: &Visits) -> HashMap<u64, Visit> {
    visits.lock().unwrap().clone()
}

fn adds_up(report: &Report) {
    let requests = &report.requests;
    assert_eq!(requests.planned, requests.sent + requests.dropped);
}

#[test]
fn a_session_s_requests_follow_each_other_after_a_thought() {
    let (server, visits) = noting_server(|_| 10 * MS);
    let config = arrivals(&server.url(), 40.0, 250 * MS, Arrival::Constant)
        .with_sessions(3)
        .with_think_time(100 * MS);
    let report = run(&numbered(config, 30));
    assert_eq!(
        (report.requests.planned, report.requests.succeeded),
        (30, 30)
    );
    let visits = told(&visits);
    for first in (0..30).step_by(3) {
        for number in [first, first + 1] {
            let (before, next) = (visits[&number], visits[&(number + 1)]);
            let pause = next.came.saturating_duration_since(before.left);
            assert!(pause >= 100 * MS, "request {number}: {pause:?}");
        }
    }
    assert_eq!(
        report.load_model,
        "partly open, constant arrivals, 40 sessions/s of 3 requests, think time 0.1 s"
    );
    // The thoughts are nobody's latency.
    assert!(ms(report.latency_ms.p50) < 100.0, "{:?}", report.latency_ms);
    assert_eq!(report.lag_ms.count, 30);
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    let load = &json["config"]["load"];
    assert_eq!(load["session_requests"], 3);
    assert_eq!(load["think_time_s"], 0.1);
}

#[test]
fn arrivals_wait_for_no_session_and_a_session_waits_for_itself() {
    // The first session's first request takes longer than the whole schedule.
    let (server, visits) = noting_server(|number| if number == 0 { 1500 * MS } else { MS });
    let config = arrivals(&server.url(), 20.0, 400 * MS, Arrival::Constant).with_sessions(2);
    let report = run(&numbered(config, 16));
    assert_eq!(report.requests.succeeded, 16);
    let visits = told(&visits);
    for number in 2..16 {
        assert!(visits[&number].came < visits[&0].left, "request {number}");
    }
    assert!(visits[&1].came >= visits[&0].left);
}

#[test]
fn latency_runs_from_when_a_request_was_due_also_where_it_waits_for_a_place() {
    let server = slow_mock(Latency::Fixed(20 * MS));
    let config = arrivals(&server.url(), 100.0, 300 * MS, Arrival::Constant)
        .with_sessions(2)
        .with_max_in_flight(Some(1));
    let report = run(&config);
    assert_eq!(
        (report.requests.planned, report.requests.succeeded),
        (60, 60)
    );
    assert_eq!(server.stats().peak_in_flight, 1);
    // 60 requests of 20 ms in a row: the later ones were due long before they had their place.
    assert!(ms(report.latency_ms.max) > 400.0, "{:?}", report.latency_ms);
    assert!(ms(report.service_ms.p50) < 60.0, "{:?}", report.service_ms);
}

#[test]
fn what_a_slow_session_leaves_unsent_is_dropped_and_told() {
    let server = slow_mock(Latency::Fixed(60 * MS));
    let config = arrivals(&server.url(), 50.0, 200 * MS, Arrival::Constant)
        .with_sessions(5)
        .with_drain(50 * MS);
    let report = run(&config);
    assert_eq!(report.requests.planned, 50, "ten sessions of five");
    adds_up(&report);
    // What was cut may not have reached the server.
    let reached = server.stats().requests;
    let answered = report.requests.total;
    assert!((answered..=report.requests.sent).contains(&reached));
    assert!(report.requests.dropped > 5, "{:?}", report.requests);
    assert!(!report.valid && report.verdict.contains("never sent"));
}

#[test]
fn a_failure_is_an_answer_too_and_the_last_session_may_be_shorter() {
    let server = MockServer::start().unwrap();
    server.inject(Rule::on("/", Fault::status(400)).times(4));
    let config = arrivals(&server.url(), 200.0, 500 * MS, Arrival::Poisson)
        .with_sessions(4)
        .with_request_count(10);
    let report = run(&config);
    let requests = &report.requests;
    assert_eq!(
        (requests.planned, requests.sent, requests.dropped),
        (10, 10, 0)
    );
    assert_eq!((requests.failed, requests.succeeded), (4, 6));
    assert_eq!(server.stats().requests, 10);
}

/// Rule 7, as far as it can hold where answers say what is due: as many sessions arrive, and each
/// sends the same. When they arrive is tested beside the agenda, which has no clock.
#[test]
fn a_seed_says_which_sessions_arrive_and_what_they_send() {
    let sent = |seed: u64| -> Vec<u64> {
        let (server, visits) = noting_server(|_| MS);
        let config = arrivals(&server.url(), 50.0, 400 * MS, Arrival::Poisson)
            .with_sessions(2)
            .with_seed(seed);
        run(&numbered(config, 1000));
        let mut sent: Vec<u64> = told(&visits).into_keys().collect();
        sent.sort_unstable();
        sent
    };
    let one = sent(7);
    assert_eq!(one, (0..one.len() as u64).collect::<Vec<_>>());
    assert_eq!(one, sent(7));
    assert!((8..11).any(|seed| sent(seed) != one));
}

#[test]
fn users_think_between_an_answer_and_their_next_request() {
    let server = slow_mock(Latency::Fixed(10 * MS));
    let config = users(&server.url(), 3, 4).with_think_time(200 * MS);
    let report = run(&config);
    assert_eq!(report.requests.succeeded, 12);
    assert_eq!(report.load_model, "closed loop, 3 users, think time 0.2 s");
    // Four requests and three thoughts, one after the other.
    assert!(report.duration_s > 0.64, "{}", report.duration_s);
    // The thoughts are nobody's latency.
    assert!(ms(report.latency_ms.p50) < 200.0, "{:?}", report.latency_ms);
    let lag = report.histograms.get(Metric::Lag).unwrap();
    assert_eq!(lag.count(), 9, "each thought ends at a time of its own");
}

#[test]
fn a_bad_combination_is_refused_with_its_names() {
    let refused = |config: BenchmarkConfig| {
        let error = hedgerow::bench::run_blocking(&config).unwrap_err();
        assert!(error.is_config(), "{error}");
        error.to_string()
    };
    let open = || arrivals("http://127.0.0.1:9", 1.0, MS, Arrival::Poisson);
    let closed = || users("http://127.0.0.1:9", 1, 1);
    for (config, part) in [
        (
            open().with_sessions(0),
            "session_requests must be between 1 and 1000000 (got 0)",
        ),
        (
            open().with_think_time(MS),
            "it needs session_requests (got 0.001 s)",
        ),
        (
            open()
                .with_sessions(2)
                .with_think_time(Duration::from_hours(721)),
            "think_time must be at most 30 days (got 2595600 s)",
        ),
        (closed().with_sessions(2), "session_requests is of arrivals"),
        (closed().with_request_count(2), "requests is of arrivals"),
    ] {
        let error = refused(config);
        assert!(error.contains(part), "{part}: {error}");
    }
}
