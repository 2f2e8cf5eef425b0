//! A server with limits: who is refused, what is counted, and how limits change.

use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{Client, Received, request};
use super::stats::until;
use crate::mock::{Fault, LimitStyle, Limits, MockConfig, MockServer, Rule};

pub(super) fn limited(limits: Limits) -> (MockServer, Client) {
    let config = MockConfig {
        limits,
        ..MockConfig::default()
    };
    let server = MockServer::start_with(config).expect("a server");
    let client = Client::new(&server);
    (server, client)
}

/// Limits of so few requests a minute that no test lasts until the next.
pub(super) fn once_a_minute(style: LimitStyle) -> Limits {
    Limits {
        requests_per_minute: Some(1),
        style,
        ..Limits::default()
    }
}

pub(super) fn embed(client: &mut Client, texts: &[&str]) -> Received {
    let body = json!({ "input": texts }).to_string();
    client.post("/v1/embeddings", "", &body)
}

#[test]
fn one_too_many_in_flight_is_refused_at_once() {
    let (server, mut client) = limited(Limits {
        max_in_flight: Some(2),
        overload_status: 503,
        ..Limits::default()
    });
    let slow = request("POST", "/echo", "x-mock-latency-ms: 60000\r\n", "");
    let mut held: Vec<Client> = (0..2).map(|_| Client::new(&server)).collect();
    for client in &mut held {
        client.send(&slow);
    }
    until(&server, |stats| stats.in_flight == 2);

    // Refused without the delay that it asks for, and on a connection that stays.
    let start = Instant::now();
    for _ in 0..2 {
        client.send(&slow);
        let refused = client.answer().expect("a refusal");
        assert_eq!(refused.status, 503);
        assert_eq!(refused.header("retry-after"), None);
        assert_eq!(refused.json()["error"]["code"], "overloaded");
    }
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(client.get("GET", "/health").status, 200);
    assert_eq!(client.get("GET", "/stats").status, 200);

    // A client that leaves makes room.
    drop(held.pop());
    until(&server, |stats| stats.in_flight == 1);
    assert_eq!(client.post("/echo", "", "").status, 200);
    let stats = server.stats();
    assert_eq!(stats.per_limit, [("max_in_flight".into(), 2)].into());
    assert_eq!(stats.per_status, [(200, 2), (503, 2)].into());
}

#[test]
fn a_request_is_in_flight_from_its_head_on() {
    let (server, mut client) = limited(Limits {
        max_in_flight: Some(1),
        retry_after: Some(7),
        ..Limits::default()
    });
    let mut slow = Client::new(&server);
    slow.send("POST /echo HTTP/1.1\r\nhost: mock\r\ncontent-length: 2\r\n\r\n{");
    let start = Instant::now();
    let refused = loop {
        let answer = client.post("/echo", "", "");
        if answer.status != 200 {
            break answer;
        }
        assert!(start.elapsed() < Duration::from_secs(5));
    };
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("7"));
    slow.send("}");
    assert_eq!(slow.answer().expect("an answer").status, 200);
    assert_eq!(client.post("/echo", "", "").status, 200);
}

#[test]
fn a_client_that_has_its_answer_finds_its_place_free() {
    let (server, _) = limited(Limits {
        max_in_flight: Some(1),
        ..Limits::default()
    });
    let mut clients: Vec<Client> = (0..4).map(|_| Client::new(&server)).collect();
    for turn in 0..400 {
        let client = &mut clients[turn % 4];
        assert_eq!(embed(client, &["a"]).status, 200, "{turn}");
    }
    let stream = r#"{"prompt":"a","stream":true,"max_tokens":3}"#;
    assert_eq!(clients[0].post("/v1/completions", "", stream).status, 200);
    assert_eq!(embed(&mut clients[1], &["a"]).status, 200);
    // What is dropped by a fault gives its place back too.
    clients[2].send(request("POST", "/echo", "x-mock-fault: reset\r\n", ""));
    assert!(clients[2].answer().is_err());
    assert_eq!(embed(&mut clients[3], &["a"]).status, 200);
    assert!(server.stats().per_limit.is_empty());
}

#[test]
fn a_request_is_let_in_again_when_it_was_told() {
    let (_server, mut client) = limited(Limits {
        requests_per_minute: Some(600),
        tokens_per_minute: Some(6000),
        ..Limits::default()
    });
    // 130 tokens where a second has 100: let through, and owed.
    let long = "a".repeat(520);
    assert_eq!(embed(&mut client, &[&long]).status, 200);
    // Owed for 300 ms, which a busy machine may let pass: then again.
    let refused = loop {
        let answer = embed(&mut client, &["a"]);
        if answer.status == 429 {
            break answer;
        }
        embed(&mut client, &[&long]);
    };
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, Some("1"))
    );
    assert_eq!(refused.json()["error"]["type"], "tokens");
    // Without tokens only the requests count.
    assert_eq!(client.post("/echo", "", "{}").status, 200);
    let ms: u64 = refused
        .header("retry-after-ms")
        .expect("one")
        .parse()
        .expect("ms");
    assert!(ms <= 310, "{ms}");
    std::thread::sleep(Duration::from_millis(ms));
    assert_eq!(embed(&mut client, &["a"]).status, 200);
}

#[test]
fn the_tokens_of_all_endpoints_count() {
    let (_server, mut client) = limited(Limits {
        max_batch_tokens: Some(2),
        ..Limits::default()
    });
    for (path, fits, too_much) in [
        (
            "/v1/embeddings",
            r#"{"input":"12345678"}"#,
            r#"{"input":"123456789"}"#,
        ),
        (
            "/v1/completions",
            r#"{"prompt":["a","b"]}"#,
            r#"{"prompt":["a","b","c"]}"#,
        ),
        (
            "/v1/chat/completions",
            r#"{"messages":[{"content":"a"},{"content":[{"text":"b"}]}]}"#,
            r#"{"messages":[{"content":"abcde"},{"content":[{"text":"b"}]}]}"#,
        ),
        (
            "/rerank",
            r#"{"query":"a","texts":["b"]}"#,
            r#"{"query":"a","texts":["b","c"]}"#,
        ),
        (
            "/predict",
            r#"{"inputs":[["a","b"]]}"#,
            r#"{"inputs":[["a","b"],["c"]]}"#,
        ),
    ] {
        assert_eq!(client.post(path, "", fits).status, 200, "{path}");
        let refused = client.post(path, "", too_much);
        assert_eq!(refused.status, 400, "{path}");
        assert!(
            refused.text().contains("Requested 3 tokens, max 2"),
            "{path}"
        );
    }
}

#[test]
fn a_refused_request_meets_no_rule() {
    let (server, mut client) = limited(once_a_minute(LimitStyle::OpenAi));
    server.inject(
        Rule::on(
            "",
            Fault::Header {
                name: "x-met".to_owned(),
                value: "1".to_owned(),
            },
        )
        .times(2),
    );
    assert_eq!(embed(&mut client, &["a"]).header("x-met"), Some("1"));
    assert_eq!(embed(&mut client, &["a"]).header("x-met"), None);
    assert_eq!(server.rules()[0].times, Some(1));
}

#[test]
fn limits_change_at_run_time() {
    let (server, mut client) = limited(Limits::default());
    let limits = r#"{"requests_per_minute":1,"retry_after":3,"style":"azure"}"#;
    let set = client.post("/mock/limits", "", limits);
    assert_eq!(set.status, 200);
    assert_eq!(set.json(), client.get("GET", "/mock/limits").json());
    assert_eq!(set.json()["style"], "azure");
    assert_eq!(server.limits().requests_per_minute, Some(1));
    assert_eq!(embed(&mut client, &["a"]).status, 200);
    assert_eq!(embed(&mut client, &["a"]).status, 429);
    server.clear();
    assert_eq!(embed(&mut client, &["a"]).status, 429);

    assert_eq!(client.get("DELETE", "/mock/limits").status, 204);
    assert_eq!(server.limits(), Limits::default());
    assert_eq!(embed(&mut client, &["a"]).status, 200);
    assert_eq!(client.get("PUT", "/mock/limits").status, 405);
}

#[test]
fn a_limit_that_changes_while_requests_are_in_flight_counts_them_right() {
    let (server, mut client) = limited(Limits {
        max_in_flight: Some(5),
        ..Limits::default()
    });
    let mut held = Client::new(&server);
    held.send(request("POST", "/echo", "x-mock-latency-ms: 60000\r\n", ""));
    until(&server, |stats| stats.in_flight == 1);
    let one = Limits {
        max_in_flight: Some(1),
        ..Limits::default()
    };
    server.limit(one).expect("limits");
    assert_eq!(embed(&mut client, &["a"]).status, 429);
    drop(held);
    until(&server, |stats| stats.in_flight == 0);
    assert_eq!(embed(&mut client, &["a"]).status, 200);
}

#[test]
fn a_bad_limit_is_named_with_its_value_and_range() {
    let (server, mut client) = limited(Limits::default());
    let bad = Limits {
        max_in_flight: Some(0),
        ..Limits::default()
    };
    let words = "`max_in_flight` is 0; it must be 1 to 1000000";
    assert_eq!(
        server.limit(bad.clone()).expect_err("bad").to_string(),
        words
    );
    let config = MockConfig {
        limits: bad,
        ..MockConfig::default()
    };
    assert_eq!(
        MockServer::start_with(config).expect_err("bad").to_string(),
        words
    );
    for (body, part) in [
        (r#"{"max_in_flight":0}"#, words),
        (
            r#"{"overload_status":200}"#,
            "`overload_status` is 200; it must be 400 to 599",
        ),
        (r#"{"max_batch":1}"#, "max_batch"),
        (r#"{"style":"tie"}"#, "tie"),
    ] {
        let answer = client.post("/mock/limits", "", body);
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(part), "{}", answer.text());
    }
    assert_eq!(server.limits(), Limits::default());
    let error = "tie"
        .parse::<LimitStyle>()
        .expect_err("no style")
        .to_string();
    assert!(error.contains("`tie`") && error.contains("tei"), "{error}");
}
