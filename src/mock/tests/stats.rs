//! What is counted, above all when clients go away.

use std::time::{Duration, Instant};

use super::client::{Client, Ended, request, server_and_client};
use crate::mock::{Fault, MockServer, Rule, Stats};

/// Waits until the counters say so; they follow a client's close within
/// milliseconds, but a loaded machine may take its time.
pub(super) fn until(server: &MockServer, holds: impl Fn(&Stats) -> bool) -> Stats {
    let start = Instant::now();
    loop {
        let stats = server.stats();
        if holds(&stats) {
            return stats;
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{stats:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn requests_are_counted_by_path_key_and_status() {
    let (server, mut client) = server_and_client();
    client.post(
        "/v1/embeddings",
        "authorization: Bearer k1\r\n",
        r#"{"input":"a"}"#,
    );
    client.post(
        "/v1/embeddings?q",
        "Authorization: Bearer k2\r\n",
        r#"{"input":"a"}"#,
    );
    client.post("/rerank", "", "{}");
    let json = client.get("GET", "/stats").json();
    let stats = server.stats();
    assert_eq!(serde_json::from_value::<Stats>(json).expect("stats"), stats);
    assert_eq!((stats.requests, stats.answered, stats.in_flight), (3, 3, 0));
    assert_eq!((stats.peak_in_flight, stats.connections_total), (1, 1));
    assert_eq!(
        stats.per_path,
        [("/rerank".into(), 1), ("/v1/embeddings".into(), 2)].into()
    );
    assert_eq!(
        stats.per_key,
        [("k1".into(), 1), ("k2".into(), 1), ("none".into(), 1)].into()
    );
    assert_eq!(stats.per_status, [(200, 2), (400, 1)].into());

    assert_eq!(client.get("DELETE", "/stats").status, 204);
    let stats = server.stats();
    assert_eq!(
        (
            stats.requests,
            stats.connections_open,
            stats.connections_peak
        ),
        (0, 1, 1)
    );
    assert!(stats.per_path.is_empty());
}

#[test]
fn a_client_that_leaves_is_noticed_while_its_answer_is_due() {
    let server = MockServer::start().expect("a server");
    let paced = "x-mock-ttft-ms: 1\r\nx-mock-itl-ms: 60000\r\n";
    let stream = r#"{"prompt":"a","stream":true}"#;
    let whole = r#"{"prompt":"a"}"#;
    for (path, headers, body) in [
        ("/echo", "x-mock-latency-ms: 60000\r\n", ""),
        ("/echo", "x-mock-fault: hang\r\n", ""),
        ("/echo", "x-mock-fault: hang_body\r\n", ""),
        ("/v1/completions", paced, stream),
        ("/v1/completions", paced, whole),
    ] {
        server.clear();
        let mut client = Client::new(&server);
        client.send(request("POST", path, headers, body));
        until(&server, |stats| stats.in_flight == 1);
        // Bytes behind the request must neither hide the close nor be taken for it.
        client.send("GET /echo");
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(server.stats().in_flight, 1);
        let left = Instant::now();
        drop(client);
        let stats = until(&server, |stats| {
            stats.in_flight == 0 && stats.connections_open == 0
        });
        assert!(
            left.elapsed() < Duration::from_millis(500),
            "{:?}",
            left.elapsed()
        );
        assert_eq!(
            (stats.aborted, stats.answered, stats.dropped),
            (1, 0, 0),
            "{headers}"
        );
    }
}

#[test]
fn a_client_that_leaves_an_answer_unread_is_noticed() {
    let (server, mut client) = server_and_client();
    client.send(request(
        "POST",
        "/embeddings",
        "",
        r#"{"input":"a","dimensions":5000000}"#,
    ));
    client.line().expect("the answer begins");
    assert_eq!(server.stats().in_flight, 1);
    drop(client);
    let stats = until(&server, |stats| stats.in_flight == 0);
    assert_eq!((stats.aborted, stats.answered), (1, 0));
}

#[test]
fn what_a_fault_closes_is_dropped_not_aborted() {
    let server = MockServer::start().expect("a server");
    for fault in ["reset", "close_before_answer", "cut_body"] {
        let mut client = Client::new(&server);
        client.send(request(
            "POST",
            "/echo",
            &format!("x-mock-fault: {fault}\r\n"),
            "{}",
        ));
        let _ = client.answer();
    }
    let stats = until(&server, |stats| stats.connections_open == 0);
    assert_eq!((stats.dropped, stats.aborted, stats.answered), (3, 0, 0));
    assert_eq!(stats.per_status, [(200, 1)].into());
}

#[test]
fn what_was_in_flight_at_a_reset_counts_no_more() {
    let (server, mut client) = server_and_client();
    client.send(request("POST", "/echo", "x-mock-latency-ms: 1000\r\n", ""));
    until(&server, |stats| stats.in_flight == 1);
    server.clear();
    assert_eq!(
        (server.stats().requests, server.stats().peak_in_flight),
        (0, 1)
    );
    client.answer().expect("an answer");
    let stats = server.stats();
    assert_eq!(
        (stats.in_flight, stats.answered, stats.per_status.len()),
        (0, 0, 0)
    );
}

#[test]
fn many_in_flight_make_a_peak() {
    let server = MockServer::start().expect("a server");
    server.inject(Rule::on("", Fault::Delay(Duration::from_millis(250))));
    let mut clients: Vec<Client> = (0..20).map(|_| Client::new(&server)).collect();
    for client in &mut clients {
        client.send(request("GET", "/echo", "", ""));
    }
    for client in &mut clients {
        assert_eq!(client.answer().expect("one").status, 200);
    }
    let stats = server.stats();
    assert_eq!(
        (stats.peak_in_flight, stats.connections_peak, stats.answered),
        (20, 20, 20)
    );
    let mut client = clients.swap_remove(0);
    client.patience(Duration::from_millis(20));
    assert_eq!(client.answer().expect_err("no more"), Ended::Silent);
}
