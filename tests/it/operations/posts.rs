//! Posts: methods, bodies, headers, paths, and answers of every kind.

use crate::support::hostile::{Hostile, Next};
use crate::support::{batches_of, client_of, mock_and_client, texts};
use bytes::Bytes;
use hedgerow::mock::{Fault, MockServer, Rule};
use hedgerow::{BatchPost, BlockingClient, Method, Payload, PostAnswer, Preference};
use serde_json::{Value, json};

const METHODS: [Method; 7] = [
    Method::Get,
    Method::Post,
    Method::Put,
    Method::Patch,
    Method::Delete,
    Method::Head,
    Method::Options,
];

fn one(path: &str) -> BatchPost {
    BatchPost::new(path, [json!({"n": 1})])
}

/// The answer to the call's only payload.
fn answer(client: &BlockingClient, call: BatchPost) -> PostAnswer {
    let answers = client.post(call).unwrap().into_data();
    let [answer] = answers.try_into().expect("one payload");
    answer.expect("it succeeded")
}

fn echo(client: &BlockingClient, call: BatchPost) -> Value {
    answer(client, call).json().unwrap()
}

#[test]
fn each_method_is_sent_with_or_without_a_body() {
    let server = Hostile::start(|visit| {
        let length = visit.body.len();
        let method = visit.head.split(' ').next().unwrap_or_default().to_owned();
        let body = json!({"method": method, "length": length}).to_string();
        let head = "content-type: application/json\r\n";
        if method == "HEAD" {
            let text = format!(
                "HTTP/1.1 200 OK\r\n{head}content-length: {}\r\n\r\n",
                body.len()
            );
            visit.write(text);
        } else {
            visit.answer("200 OK", head, body);
        }
        Next::Keep
    });
    let client = client_of(&server.url());
    for method in METHODS {
        let found = echo(&client, one("/x").method(method));
        let expected = match method {
            Method::Get => json!({"method": "GET", "length": 0}),
            Method::Post | Method::Put | Method::Patch => {
                json!({"method": method.to_string(), "length": 7})
            }
            _ => json!({}),
        };
        assert_eq!(found, expected, "{method}");
    }
    assert_eq!(server.connections(), 1);
    for (method, head) in METHODS.iter().zip(server.heads()) {
        assert!(
            head.starts_with(&format!("{method} /x HTTP/1.1\r\n")),
            "{head}"
        );
        let carries = matches!(method, Method::Post | Method::Put | Method::Patch);
        assert_eq!(head.contains("content-type:"), carries, "{head}");
    }
}

#[test]
fn the_mock_agrees_on_methods() {
    let (_server, client) = mock_and_client();
    for method in METHODS {
        let found = echo(&client, one("/echo").method(method));
        match method {
            Method::Delete | Method::Head | Method::Options => assert_eq!(found, json!({})),
            Method::Get => assert_eq!(
                (&found["method"], &found["body"]),
                (&json!("GET"), &Value::Null)
            ),
            _ => assert_eq!(found["body"], json!({"n": 1})),
        }
    }
}

#[test]
fn an_answer_without_a_body_is_an_empty_object() {
    let (server, client) = mock_and_client();
    server.inject(Rule::on("/echo", Fault::status(204)));
    for method in METHODS {
        assert_eq!(echo(&client, one("/echo").method(method)), json!({}));
    }
    server.clear();
    let empty = Fault::Status {
        code: 200,
        retry_after: None,
        body: Some(String::new()),
    };
    server.inject(Rule::on("/echo", empty));
    assert_eq!(echo(&client, one("/echo")), json!({}));
}

#[test]
fn an_answer_without_a_body_may_name_a_coding() {
    for coding in ["gzip", "zstd", "br", "deflate", "gzip, br"] {
        let server = Hostile::start(move |visit| {
            // The first answer tells of a body that another method would get, the second of none.
            let head = match visit.number {
                0 => "HTTP/1.1 200 OK\r\ncontent-length: 500",
                _ => "HTTP/1.1 204 No Content",
            };
            visit.write(format!("{head}\r\ncontent-encoding: {coding}\r\n\r\n"));
            Next::Keep
        });
        let client = client_of(&server.url());
        for method in [Method::Head, Method::Post] {
            let found = echo(&client, one("/x").method(method));
            assert_eq!(found, json!({}), "{method} {coding}");
        }
        assert_eq!((server.connections(), server.requests()), (1, 2));
    }
}

#[test]
fn a_header_replaces_one_of_the_same_name_whatever_its_case() {
    let (_server, client) = mock_and_client();
    let call = one("/echo")
        .header("ACCEPT", "text/csv")
        .header("Content-type", "application/x-mine")
        .header("X-Own", "1")
        .header("X-Later", "first")
        .header("x-later", "second")
        .header("Request-Timeout-MS", "77")
        .header("user-agent", "me")
        .preference(Preference {
            extra_headers: [("x-own", "0"), ("X-Extra", "e"), ("USER-AGENT", "you")].into(),
            ..Preference::default()
        });
    let found = echo(&client, call);
    for (name, value) in [
        ("accept", "text/csv"),
        ("content-type", "application/x-mine"),
        ("x-own", "1"),
        ("x-later", "second"),
        ("x-extra", "e"),
        ("request-timeout-ms", "77"),
        ("user-agent", "me"),
        ("authorization", "Bearer sk-test-key"),
    ] {
        // One that was sent twice would be a list.
        assert_eq!(found["headers"][name], value, "{name}");
    }
    let plain = echo(&client, one("/echo"));
    let accept = plain["headers"]["accept"].as_str().unwrap();
    assert!(accept.starts_with("application/json"), "{accept}");
    assert_eq!(plain["headers"]["x-own"], Value::Null);
    let other = echo(&client, one("/echo").header("Authorization", "Basic eA=="));
    assert_eq!(other["headers"]["authorization"], "Basic eA==");
    let bad = client.post(one("/echo").header("no name", "sk-secret"));
    let error = bad.unwrap_err();
    assert!(error.is_config() && !error.to_string().contains("sk-secret"));
}

#[test]
fn payloads_of_every_kind_are_sent_as_they_are() {
    #[derive(serde::Serialize)]
    struct Own {
        text: &'static str,
    }
    let (_server, client) = mock_and_client();
    let payloads = [
        Payload::from(json!([1, null])),
        Payload::json(&Own { text: "ü\"" }).unwrap(),
        Payload::raw(r#"{"raw" : 1.0}"#),
        Payload::raw("no JSON"),
        Bytes::from_static(b"true").into(),
        Payload::default(),
    ];
    let answers = client.post(BatchPost::new("/echo", payloads)).unwrap();
    let bodies: Vec<Value> = answers
        .iter()
        .map(|answer| answer.as_ref().unwrap().json::<Value>().unwrap()["body"].clone())
        .collect();
    let expected = [
        json!([1, null]),
        json!({"text": "ü\""}),
        json!({"raw": 1.0}),
        json!("no JSON"),
        json!(true),
        Value::Null,
    ];
    assert_eq!(bodies, expected);
}

#[test]
fn a_payload_is_a_request_whatever_the_preference_says() {
    let (server, client) = mock_and_client();
    let payloads = || texts(20).into_iter().map(Value::from);
    let preference = Preference {
        max_concurrent_requests: 600,
        max_chars_per_request: Some(50),
        ..batches_of(16)
    };
    let call = BatchPost::new("/echo", payloads()).preference(preference);
    let answers = client.post(call).unwrap();
    assert_eq!((answers.len(), answers.requests().len()), (20, 20));
    assert_eq!(server.stats().requests, 20);
    // The preference's own rule stays.
    let preference = Preference {
        max_concurrent_requests: 513,
        ..batches_of(15)
    };
    let call = BatchPost::new("/echo", payloads()).preference(preference);
    let error = client.post(call).unwrap_err().to_string();
    let rule = "max_concurrent_requests must be less than 512 when batch_size is less than 16";
    assert!(error.starts_with(rule), "{error}");
}

#[test]
fn a_path_joins_cleanly_and_keeps_its_query() {
    let server = MockServer::start().unwrap();
    for (base, path, found, query) in [
        ("", "echo", "/echo", json!(null)),
        ("/", "/echo/a", "/echo/a", json!(null)),
        ("/v1", "/v1/echo", "/v1/echo", json!(null)),
        ("/v1/", "/echo/b", "/v1/echo/b", json!(null)),
        ("", "/echo?a=1&b=x%20y", "/echo", json!("a=1&b=x%20y")),
        ("/echo", "a b?c d", "/echo/a%20b", json!("c%20d")),
    ] {
        let client = client_of(&format!("{}{base}", server.url()));
        let echoed = echo(&client, one(path));
        assert_eq!((&echoed["path"], &echoed["query"]), (&json!(found), &query));
    }
}

#[test]
fn what_is_neither_json_nor_message_pack_stays_bytes() {
    let server = Hostile::start(|visit| {
        let (head, body): (&str, &[u8]) = match visit.number {
            0 => ("content-type: text/plain\r\n", b"{\"no"),
            1 => (
                "content-type: application/octet-stream\r\n",
                b"\x00\xff\xc1",
            ),
            _ => ("", b"[1, 2]"),
        };
        visit.answer("200 OK", head, body)
    });
    let client = client_of(&server.url());
    let text = answer(&client, one("/a"));
    assert_eq!(text.bytes(), "{\"no");
    assert!(!text.is_json() && !text.is_message_pack());
    assert!(text.json::<Value>().unwrap_err().is_answer());
    let binary = answer(&client, one("/b"));
    assert_eq!(binary.into_bytes(), &b"\x00\xff\xc1"[..]);
    // Nothing is said of the third: whoever looks may try.
    assert_eq!(
        answer(&client, one("/c")).json::<Vec<u8>>().unwrap(),
        [1, 2]
    );
    assert_eq!(server.requests(), 3);
}

#[test]
fn message_pack_is_read_by_its_content_type_and_kept_as_it_came() {
    #[derive(serde::Deserialize)]
    struct Echo {
        method: String,
        body: Vec<u8>,
    }
    let (_server, client) = mock_and_client();
    let call = BatchPost::new("/echo", [Payload::raw(vec![0xff, 0, 1])]);
    let packed = answer(
        &client,
        call.header("x-mock-msgpack", "application/x-msgpack"),
    );
    assert!(packed.is_message_pack() && !packed.is_json());
    // Bytes come back as a `bin`.
    let echo: Echo = packed.json().unwrap();
    assert_eq!(
        (echo.method.as_str(), echo.body),
        ("POST", vec![0xff, 0, 1])
    );
    assert_eq!(packed.bytes()[0], 0x85);
}

#[test]
fn json_that_stays_cut_is_an_error_of_the_network() {
    let (server, client) = mock_and_client();
    server.inject(Rule::on("/echo", Fault::BadJson));
    let call = one("/echo").preference(Preference {
        max_retries: 1,
        ..Preference::default()
    });
    let error = client.post(call).unwrap_err();
    assert!(error.is_network(), "{error}");
    assert_eq!(server.stats().requests, 2);
}

#[test]
fn large_answers_and_small_ones_share_buffers_without_harm() {
    let (_server, client) = mock_and_client();
    let payloads = (0..64_usize).map(|n| {
        let length = if n.is_multiple_of(2) { 200_000 } else { 1 };
        Value::from("x".repeat(length + n))
    });
    let answers = client.post(BatchPost::new("/echo", payloads)).unwrap();
    for (n, answer) in answers.iter().enumerate() {
        let body = answer.as_ref().unwrap().json::<Value>().unwrap()["body"].clone();
        let length = if n.is_multiple_of(2) { 200_000 } else { 1 };
        assert_eq!(body.as_str().map(str::len), Some(length + n));
    }
}
