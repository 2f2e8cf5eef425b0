//! Schedules: kept, told of, and the same each time.

use super::{ANSWER, MS, arrivals, chat, ms, run, users};
use crate::support::hostile::{Hostile, Next};
use crate::support::{in_some_try, near};
use hedgerow::bench::{Arrival, BenchmarkConfig, Kind, Lengths, Metric, Stage, Synthetic};
use hedgerow::mock::{Latency, MockConfig, MockServer};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Answers at once, but from half a second after the first request on nothing for a second.
fn stalling_server() -> Hostile {
    let began = OnceLock::new();
    Hostile::start(move |visit| {
        let began: &Instant = began.get_or_init(Instant::now);
        let stall = 500 * MS..1500 * MS;
        if stall.contains(&began.elapsed()) {
            visit.pause(stall.end.saturating_sub(began.elapsed()));
        }
        visit.answer("200 OK", "content-type: application/json\r\n", ANSWER);
        Next::Keep
    })
}

/// Rule 1.
#[test]
fn a_server_that_stalls_a_second_gives_a_ramp_of_latencies() {
    in_some_try(|| {
        let server = stalling_server();
        let span = Duration::from_secs(2);
        let report = run(&arrivals(&server.url(), 100.0, span, Arrival::Constant));
        assert_eq!(
            (report.requests.planned, report.requests.succeeded),
            (200, 200)
        );
        // Half of the requests arrive in the stall, and wait from a second down to nothing: their
        // latencies lie on a straight line.
        let latency = &report.latency_ms;
        near("p90", ms(latency.p90), 800.0, 80.0)?;
        near("p95", ms(latency.p95), 900.0, 80.0)?;
        near("the longest", ms(latency.max), 1000.0, 80.0)?;
        near("the mean", ms(latency.mean), 260.0, 60.0)?;
        let histogram = report.histograms.get(Metric::Latency).unwrap();
        let slow = histogram.buckets().filter(|(us, _)| *us > 40_000);
        let slow: u32 = slow.map(|(_, count)| u32::try_from(count).unwrap()).sum();
        near("the number that waited", slow.into(), 100.0, 10.0)
    });
}

/// Rule 2: a cap on what is in flight is latency, and what is never sent is told of.
#[test]
fn a_cap_shifts_no_schedule_and_what_is_planned_is_sent_or_dropped() {
    let server = MockServer::start_with(MockConfig {
        latency: Latency::Fixed(40 * MS),
        ..MockConfig::default()
    })
    .unwrap();
    let config = arrivals(
        &server.url(),
        200.0,
        Duration::from_secs(1),
        Arrival::Constant,
    )
    .with_max_in_flight(Some(2))
    .with_drain(400 * MS);
    let report = run(&config);
    let requests = &report.requests;
    assert_eq!(requests.planned, 200);
    assert_eq!(requests.planned, requests.sent + requests.dropped);
    // What was cut may not have reached the server.
    assert!((requests.total..=requests.sent).contains(&server.stats().requests));
    assert!(server.stats().peak_in_flight <= 2);
    assert!((30..=100).contains(&requests.sent), "{requests:?}");
    assert!(
        !report.valid && report.verdict.contains("never sent"),
        "{}",
        report.verdict
    );
    // The last that was sent was due long before: from its own place in the schedule.
    assert!(ms(report.latency_ms.max) > 500.0, "{:?}", report.latency_ms);
    let service = ms(report.service_ms.p50);
    assert!(
        (39.0..100.0).contains(&service),
        "the server was not slow: {service}"
    );
    assert!(ms(report.queue_ms.max) > 400.0);
}

/// Rule 2: all of a schedule is sent where there is room, and lateness is reported.
#[test]
fn a_schedule_is_sent_whole_and_its_lag_is_told() {
    let server = MockServer::start().unwrap();
    let stages = ["100:300ms", "0-400:500ms", "50:200ms"].map(|text| text.parse().unwrap());
    let config = users(&server.url(), 1, 1).with_arrivals(stages.to_vec(), Arrival::Constant);
    let report = run(&config);
    assert_eq!((report.requests.planned, report.requests.sent), (140, 140));
    assert_eq!(server.stats().requests, 140);
    assert_eq!(report.lag_ms.count, 140);
    assert!(
        report.load_model.starts_with("open loop"),
        "{}",
        report.load_model
    );
}

/// Rule 6.
#[test]
fn every_report_names_its_model() {
    let server = MockServer::start().unwrap();
    let closed = run(&users(&server.url(), 3, 2));
    assert_eq!(closed.load_model, "closed loop, 3 users");
    assert_eq!(closed.requests.total, 6);
    let open = run(&arrivals(
        &server.url(),
        100.0,
        100 * MS,
        Arrival::Gamma(0.5),
    ));
    assert!(open.load_model.contains("open loop"), "{}", open.load_model);
    assert!(open.load_model.contains("gamma:0.5"), "{}", open.load_model);
}

#[test]
fn users_come_and_go_by_their_stages() {
    let server = MockServer::start_with(MockConfig {
        latency: Latency::Fixed(10 * MS),
        ..MockConfig::default()
    })
    .unwrap();
    let stages = vec![Stage::steady(2.0, 300 * MS), Stage::steady(6.0, 300 * MS)];
    let report = run(&users(&server.url(), 1, 1).with_user_stages(stages));
    assert_eq!(server.stats().peak_in_flight, 6);
    assert!(
        report.load_model.contains("up to 6 users"),
        "{}",
        report.load_model
    );
    assert!(report.requests.succeeded > 20);
}

/// The warm-up is left out of the figures, and counted apart.
#[test]
fn a_warm_up_comes_in_front_and_is_left_out() {
    let server = MockServer::start().unwrap();
    let config = arrivals(&server.url(), 100.0, 500 * MS, Arrival::Constant).with_warmup(300 * MS);
    let report = run(&config);
    assert_eq!((report.requests.planned, report.requests.total), (80, 50));
    assert_eq!((report.warmup.sent, report.latency_ms.count), (30, 50));
}

/// What a server was sent, head and body, in the order in which it came.
type Seen = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

fn recording_server() -> (Hostile, Seen) {
    let seen = Seen::default();
    let theirs = Arc::clone(&seen);
    let server = Hostile::start(move |visit| {
        let is_same = |line: &&str| !line.starts_with("date:") && !line.starts_with("host:");
        // In which order headers come says nothing.
        let mut head: Vec<&str> = visit.head.lines().filter(is_same).collect();
        head.sort_unstable();
        let request = (head.join("\n"), visit.body.clone());
        theirs.lock().unwrap().push(request);
        visit.answer("200 OK", "content-type: application/json\r\n", ANSWER);
        Next::Keep
    });
    (server, seen)
}

/// What is sent in a run of this load, in the order of the bytes.
fn sent(seed: u64, load: impl Fn(&str) -> BenchmarkConfig) -> Vec<(String, Vec<u8>)> {
    let (server, requests) = recording_server();
    let prompts = Synthetic {
        lengths: Lengths::LogNormal {
            median: 30,
            sigma: 0.5,
        },
        prefix_overlap: 0.2,
        count: 17,
    };
    let config = load(&server.url())
        .with_synthetic(Kind::Chat, prompts)
        .with_output_tokens(20, 10)
        .with_seed(seed);
    let report = run(&config);
    assert_eq!(report.requests.failed, 0, "{:?}", report.failures);
    let mut requests = std::mem::take(&mut *requests.lock().unwrap());
    requests.sort();
    requests
}

/// Rules 7 and 17: the same seed sends the same bytes, on any number of cores.
#[test]
fn a_seed_says_which_bytes_are_sent_on_any_number_of_cores() {
    let open = |seed, workers| {
        sent(seed, |url| {
            arrivals(url, 400.0, 200 * MS, Arrival::Poisson).with_workers(workers)
        })
    };
    let one = open(7, 1);
    assert!(one.len() > 50, "{}", one.len());
    // Not by assert_eq, which would print them all.
    assert!(one == open(7, 3));
    assert!(one != open(8, 1));
    // Users are shared out among the threads, of which some have more.
    let closed = |workers| sent(7, |url| users(url, 5, 6).with_workers(workers));
    let alone = closed(1);
    assert_eq!(alone.len(), 30);
    assert!(alone == closed(3));
    let bodies: std::collections::HashSet<&Vec<u8>> = one.iter().map(|(_, body)| body).collect();
    assert!(
        bodies.len() > 40,
        "numbers of tokens vary: {}",
        bodies.len()
    );
}

/// Rule 17.
#[test]
fn a_report_holds_what_is_needed_to_make_the_run_again() {
    let server = MockServer::start().unwrap();
    let mut config = users(&server.url(), 2, 2)
        .with_per_user_bodies(vec![chat("a"), chat("b"), chat("c")])
        .unwrap()
        .with_seed(99);
    config
        .headers_mut()
        .insert("x-tenant", "garden".parse().unwrap());
    let report = run(&config);
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json["seed"], 99);
    let shown = &json["config"];
    assert_eq!(shown["load"]["users"], 2);
    assert_eq!(shown["header_names"], serde_json::json!(["x-tenant"]));
    assert!(
        !report.to_json().contains("garden"),
        "values of headers are not shown"
    );
    let hash = shown["data_set"]["hash"].as_str().unwrap();
    assert!(hash.starts_with("sha256:") && hash.len() == 71, "{hash}");
    for key in ["versions", "host"] {
        assert!(
            json[key]
                .as_object()
                .is_some_and(|object| !object.is_empty()),
            "{key}"
        );
    }
    assert_eq!(json["data_set"], shown["data_set"]["hash"]);
}
