//! Delays and token schedules, against the clock.

use std::time::{Duration, Instant};

use super::client::{Client, request, server_and_client};
use crate::mock::{Latency, MockConfig, MockServer};

/// When each content token arrives, counted from just before the request is
/// sent, which is at most a moment before the server's own start.
fn arrivals(client: &mut Client, headers: &str, tokens: usize) -> Vec<Duration> {
    let body = format!(r#"{{"messages":[],"stream":true,"max_tokens":{tokens}}}"#);
    let start = Instant::now();
    client.send(request("POST", "/v1/chat/completions", headers, &body));
    let mut arrivals = Vec::new();
    loop {
        let line = client.line().expect("a line");
        if line.contains("\"delta\":{\"content\"") {
            arrivals.push(start.elapsed());
        }
        if line == "data: [DONE]" {
            // What remains: the event's empty line, the chunk's end, and the last chunk.
            for _ in 0..4 {
                client.line().expect("a line");
            }
            return arrivals;
        }
    }
}

#[test]
fn tokens_come_on_an_absolute_schedule() {
    let (_server, mut client) = server_and_client();
    let pace = "x-mock-ttft-ms: 20\r\nx-mock-itl-ms: 2.5\r\n";
    // A fifth of a millisecond on a quiet machine. A busy one spoils some streams; an error that
    // added up from token to token would be in all of them.
    let allowed = Duration::from_millis(10);
    let mut medians = Vec::new();
    while medians.iter().all(|median| *median >= allowed) {
        assert!(medians.len() < 20, "median lateness {medians:?}");
        let mut lateness = Vec::new();
        for (k, at) in (0..).zip(arrivals(&mut client, pace, 41)) {
            let due = Duration::from_millis(20) + k * Duration::from_micros(2500);
            assert!(at >= due, "token {k} is early: {at:?}");
            lateness.push(at.checked_sub(due).expect("not early"));
        }
        lateness.sort();
        medians.push(lateness[lateness.len() / 2]);
    }
}

#[test]
fn a_whole_completion_takes_as_long_as_its_stream() {
    let config = MockConfig {
        latency: Latency::Fixed(Duration::from_millis(10)),
        ttft: Duration::from_millis(30),
        itl: Duration::from_millis(5),
        ..MockConfig::default()
    };
    let server = MockServer::start_with(config).expect("a server");
    let start = Instant::now();
    Client::new(&server).post("/v1/completions", "", r#"{"prompt":"a","max_tokens":5}"#);
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(60), "{took:?}");
    let start = Instant::now();
    assert_eq!(Client::new(&server).get("GET", "/health").status, 200);
    assert!(start.elapsed() < took);
}

#[test]
fn a_header_sets_the_latency_of_its_request() {
    let latency = Latency::Fixed(Duration::from_mins(1));
    let server = MockServer::start_with(MockConfig {
        latency,
        ..MockConfig::default()
    });
    let server = server.expect("a server");
    let mut client = Client::new(&server);
    let start = Instant::now();
    client.post("/echo", "x-mock-latency-ms: 0\r\n", "");
    client.post("/echo", "x-mock-latency-ms: 12.5\r\n", "");
    let took = start.elapsed();
    assert!(
        took >= Duration::from_micros(12_500) && took < Duration::from_secs(30),
        "{took:?}"
    );
}
