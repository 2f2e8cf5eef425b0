//! Requests in every form that HTTP/1 allows, and in some that it does not.

use std::fmt::Write;
use std::time::Duration;

use super::client::{Client, Ended, request, server_and_client};
use crate::mock::{MockConfig, MockServer};

#[test]
fn requests_come_in_chunks_and_in_pieces() {
    let (_server, mut client) = server_and_client();
    client
        .send("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"k\":\r");
    std::thread::sleep(Duration::from_millis(20));
    client.send("\n3;ext=1\r\n12}\r\n0\r\nx-trailer: 1\r\n");
    std::thread::sleep(Duration::from_millis(20));
    client.send("\r\nGET /echo?next HTTP/1.1\r\n\r\n");
    assert_eq!(client.answer().expect("one").json()["body"]["k"], 12);
    assert_eq!(client.answer().expect("two").json()["query"], "next");
}

#[test]
fn pipelined_requests_are_answered_in_turn() {
    let (_server, mut client) = server_and_client();
    let mut all = String::new();
    for n in 0..50 {
        let delay = if n % 10 == 0 {
            "x-mock-latency-ms: 5\r\n"
        } else {
            ""
        };
        all += &request("POST", &format!("/echo?{n}"), delay, "{}");
    }
    client.send(all);
    for n in 0..50 {
        assert_eq!(
            client.answer().expect("an answer").json()["query"],
            n.to_string()
        );
    }
}

#[test]
fn a_client_that_waits_for_continue_is_told_to() {
    let (_server, mut client) = server_and_client();
    client.send("POST /echo HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    assert_eq!(client.answer().expect("leave").status, 100);
    client.send("{}");
    assert_eq!(client.answer().expect("an answer").status, 200);
}

#[test]
fn connections_close_when_asked() {
    let server = MockServer::start().expect("a server");
    for (request, keeps) in [
        ("GET /health HTTP/1.1\r\nconnection: close\r\n\r\n", false),
        ("GET /health HTTP/1.0\r\n\r\n", false),
        (
            "GET /health HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n",
            true,
        ),
        ("GET /health HTTP/1.1\r\n\r\n", true),
    ] {
        let mut client = Client::new(&server);
        client.send(request);
        assert_eq!(client.answer().expect("an answer").status, 200);
        if keeps {
            client.patience(Duration::from_millis(50));
        }
        let wanted = if keeps { Ended::Silent } else { Ended::Closed };
        let ended = client.answer().expect_err("no second answer");
        assert_eq!(ended, wanted, "{request}");
    }
}

#[test]
fn a_stream_to_an_old_client_ends_with_the_connection() {
    let (_server, mut client) = server_and_client();
    let body = r#"{"prompt":"a","stream":true}"#;
    let length = body.len();
    client.send(format!(
        "POST /v1/completions HTTP/1.0\r\ncontent-length: {length}\r\n\r\n{body}"
    ));
    let answer = client.answer().expect("an answer");
    assert_eq!(answer.header("transfer-encoding"), None);
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
}

#[test]
fn what_is_no_request_is_refused_and_counted() {
    let server = MockServer::start().expect("a server");
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    for (bytes, status) in [
        ("nonsense\r\n\r\n", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\ncontent-length: x\r\n\r\n", 400),
        (
            "POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
            400,
        ),
        (
            "POST /echo HTTP/1.1\r\ncontent-length: 300000000\r\n\r\n",
            413,
        ),
        (&long[..70_000], 431),
    ] {
        let mut client = Client::new(&server);
        client.send(bytes);
        assert_eq!(client.answer().expect("an answer").status, status);
    }
    assert_eq!((server.stats().malformed, server.stats().requests), (6, 0));
}

#[test]
fn large_bodies_go_both_ways() {
    let (_server, mut client) = server_and_client();
    let mut body = String::from("[");
    for n in 0..1_000_000 {
        write!(body, "{n:09},").expect("memory");
    }
    // Leading zeros make this no JSON, so that it comes back as a string.
    let echoed = client.post("/echo", "", &body).json();
    assert_eq!(echoed["body"].as_str(), Some(&*body));
    let answer = client.post(
        "/v1/embeddings",
        "",
        r#"{"input":["a","b"],"dimensions":400000}"#,
    );
    assert!(answer.whole && answer.body.len() > 8_000_000);
}

#[test]
fn a_server_starts_stops_and_fails_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        let server = MockServer::start().expect("a server");
        let addr = server.addr();
        let taken = MockServer::start_with(MockConfig {
            addr,
            ..MockConfig::default()
        });
        assert!(taken.is_err());
        drop(server);
        let again = MockServer::start_with(MockConfig {
            addr,
            ..MockConfig::default()
        });
        assert_eq!(again.expect("the port is free again").addr(), addr);
    });
}

#[test]
fn several_threads_share_the_connections() {
    let server = MockServer::start_with(MockConfig {
        threads: 3,
        ..MockConfig::default()
    });
    let server = server.expect("a server");
    let mut clients: Vec<Client> = (0..9).map(|_| Client::new(&server)).collect();
    for client in &mut clients {
        assert_eq!(
            client.post("/v1/embeddings", "", r#"{"input":"a"}"#).status,
            200
        );
    }
    assert_eq!(
        (server.stats().answered, server.stats().connections_open),
        (9, 9)
    );
    drop(server);
    for client in &mut clients {
        assert_eq!(client.answer().expect_err("an end"), Ended::Closed);
    }
}
