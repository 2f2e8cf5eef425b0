//! What limits count beside requests, and whose: inputs, connections, keys.

use serde_json::json;

use super::client::{Client, Ended, Received, request};
use super::limits::{embed, limited, once_a_minute};
use super::stats::until;
use crate::mock::{LimitStyle, Limits, MockServer};

/// A request for embeddings that is answered in a minute, on a connection of its own.
fn held(server: &MockServer, texts: &[&str]) -> Client {
    let mut client = Client::new(server);
    let body = json!({ "input": texts }).to_string();
    let slow = "x-mock-latency-ms: 60000\r\n";
    client.send(request("POST", "/v1/embeddings", slow, &body));
    client
}

fn embed_as(client: &mut Client, key: &str) -> Received {
    let header = format!("authorization: Bearer {key}\r\n");
    client.post("/v1/embeddings", &header, r#"{"input":"a"}"#)
}

#[test]
fn each_input_needs_a_place() {
    let (server, mut client) = limited(Limits {
        max_inputs_in_flight: Some(8),
        style: LimitStyle::Tei,
        ..Limits::default()
    });
    let five = held(&server, &["a", "b", "c", "d", "e"]);
    until(&server, |stats| stats.in_flight == 1);
    let refused = embed(&mut client, &["a", "b", "c", "d"]);
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.json(),
        json!({"message": "Model is overloaded", "code": 429, "type": "Overloaded"})
    );
    assert_eq!(refused.header("retry-after"), None);
    let rerank = r#"{"query":"q","texts":["a","b","c","d"]}"#;
    assert_eq!(
        client.post("/rerank", "", rerank).json(),
        json!({"error": "Model is overloaded", "error_type": "Overloaded"})
    );
    // One that is refused holds no place, and one that is answered gives its back.
    for _ in 0..3 {
        assert_eq!(embed(&mut client, &["a", "b", "c"]).status, 200);
    }
    let three = held(&server, &["a", "b", "c"]);
    until(&server, |stats| stats.in_flight == 2);
    assert_eq!(embed(&mut client, &["a"]).status, 429);
    assert_eq!(client.post("/echo", "", "{}").status, 200);
    drop((five, three));
    until(&server, |stats| stats.in_flight == 0);
    assert_eq!(embed(&mut client, &["a"; 8]).status, 200);
    assert_eq!(embed(&mut client, &["a"; 9]).status, 429);
    let refused = server.stats().per_limit;
    assert_eq!(refused, [("max_inputs_in_flight".into(), 4)].into());
}

#[test]
fn a_request_that_a_rate_refuses_holds_no_places() {
    let (server, mut client) = limited(Limits {
        max_inputs_in_flight: Some(2),
        ..once_a_minute(LimitStyle::OpenAi)
    });
    assert_eq!(embed(&mut client, &["a", "b"]).status, 200);
    for _ in 0..3 {
        let refused = embed(&mut client, &["a", "b"]);
        assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
    }
    let inputs = Limits {
        max_inputs_in_flight: Some(2),
        overload_status: 503,
        retry_after: Some(3),
        ..Limits::default()
    };
    server.limit(inputs).expect("limits");
    assert_eq!(embed(&mut client, &["a", "b"]).status, 200);
    let refused = embed(&mut client, &["a", "b", "c"]);
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("3"))
    );
    assert_eq!(refused.json()["error"]["code"], "overloaded");
}

#[test]
fn idle_connections_count_as_uvicorn_counts_them() {
    let (server, mut client) = limited(Limits {
        limit_concurrency: Some(3),
        style: LimitStyle::Tei,
        ..Limits::default()
    });
    assert_eq!(embed(&mut client, &["a"]).status, 200);
    let second = Client::new(&server);
    until(&server, |stats| stats.connections_open == 2);
    assert_eq!(embed(&mut client, &["a"]).status, 200);

    // The third has sent nothing either.
    let third = Client::new(&server);
    until(&server, |stats| stats.connections_open == 3);
    let refused = embed(&mut client, &["a"]);
    assert_eq!(refused.status, 503);
    assert_eq!(refused.text(), "Service Unavailable");
    assert_eq!(refused.header("connection"), Some("close"));
    assert_eq!(
        refused.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    client.send(request("GET", "/echo", "", ""));
    assert!(matches!(client.answer(), Err(Ended::Closed | Ended::Reset)));
    until(&server, |stats| stats.connections_open == 2);
    drop(second);
    until(&server, |stats| stats.connections_open == 1);
    let mut third = third;
    assert_eq!(embed(&mut third, &["a"]).status, 200);
    let refused = server.stats().per_limit;
    assert_eq!(refused, [("limit_concurrency".into(), 1)].into());
}

#[test]
fn each_key_has_limits_of_its_own() {
    let (server, mut client) = limited(Limits {
        max_in_flight: Some(1),
        by_key: true,
        ..once_a_minute(LimitStyle::OpenAi)
    });
    for key in ["k1", "k2"] {
        assert_eq!(embed_as(&mut client, key).status, 200, "{key}");
        let refused = embed_as(&mut client, key);
        assert_eq!(refused.status, 429, "{key}");
        assert_eq!(refused.header("x-ratelimit-remaining-requests"), Some("0"));
    }
    assert_eq!(embed(&mut client, &["a"]).status, 200);
    assert_eq!(embed(&mut client, &["a"]).status, 429);

    // In flight too, through a change of the limits.
    let at_once = Limits {
        max_in_flight: Some(1),
        by_key: true,
        ..Limits::default()
    };
    server.limit(at_once.clone()).expect("limits");
    let mut slow = Client::new(&server);
    let headers = "authorization: Bearer k1\r\nx-mock-latency-ms: 60000\r\n";
    slow.send(request("POST", "/echo", headers, "{}"));
    until(&server, |stats| stats.in_flight == 1);
    server.limit(at_once).expect("limits");
    assert_eq!(embed_as(&mut client, "k1").status, 429);
    assert_eq!(embed_as(&mut client, "k2").status, 200);
    drop(slow);
    until(&server, |stats| stats.in_flight == 0);
    assert_eq!(embed_as(&mut client, "k1").status, 200);
}

#[test]
fn past_the_last_of_their_own_keys_share_limits() {
    let (_server, mut client) = limited(Limits {
        by_key: true,
        ..once_a_minute(LimitStyle::OpenAi)
    });
    let mut statuses = (0..4098).map(|key| embed_as(&mut client, &format!("k{key}")).status);
    assert!(statuses.by_ref().take(4097).all(|status| status == 200));
    assert_eq!(statuses.next(), Some(429));
}
