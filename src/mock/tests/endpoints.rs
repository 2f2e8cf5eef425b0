//! What each endpoint answers.

use serde_json::{Value, json};

use super::client::{Client, server_and_client};
use crate::mock::{MockServer, embedding_of, labels_of, score_of, token};

fn floats(row: &Value) -> Vec<f32> {
    serde_json::from_value(row["embedding"].clone()).expect("floats")
}

#[test]
fn embeddings_come_as_floats_or_base64() {
    let (_server, mut client) = server_and_client();
    let answer = client.post(
        "/v1/embeddings",
        "",
        r#"{"input":["a","b \" \u00e9"],"model":"m"}"#,
    );
    assert_eq!(answer.status, 200);
    let json = answer.json();
    assert_eq!(
        (&json["object"], &json["model"]),
        (&json!("list"), &json!("m"))
    );
    assert_eq!(json["data"][1]["index"], 1);
    assert_eq!(json["data"][1]["object"], "embedding");
    assert_eq!(floats(&json["data"][0]), embedding_of("a", 8));
    assert_eq!(floats(&json["data"][1]), embedding_of("b \" \u{e9}", 8));
    assert_eq!(
        json["usage"],
        json!({"prompt_tokens": 3, "total_tokens": 3})
    );

    let body =
        r#"{"input":"a","model":"m","encoding_format":"base64","dimensions":100,"user":"u"}"#;
    let json = client.post("/embeddings", "", body).json();
    let text = json["data"][0]["embedding"].as_str().expect("a string");
    let bytes = base64_simd::STANDARD.decode_to_vec(text).expect("base64");
    let wanted: Vec<u8> = embedding_of("a", 100)
        .into_iter()
        .flat_map(f32::to_le_bytes)
        .collect();
    assert_eq!(bytes, wanted);
}

#[test]
fn a_large_row_is_the_same_when_it_is_remembered() {
    let (_server, mut client) = server_and_client();
    for dimensions in [64, 1024] {
        let body = json!({"input": ["a", "b"], "dimensions": dimensions}).to_string();
        let first = client.post("/v1/embeddings", "", &body);
        assert_eq!(
            floats(&first.json()["data"][1]),
            embedding_of("b", dimensions)
        );
        assert_eq!(client.post("/v1/embeddings", "", &body).body, first.body);
    }
}

#[test]
fn rerank_answers_best_first() {
    let server = MockServer::start().expect("a server");
    let texts: Vec<String> = (0..20).map(|n| format!("text {n}")).collect();
    let body = json!({"query": "q", "texts": texts, "return_text": true}).to_string();
    let json = Client::new(&server).post("/rerank", "", &body).json();
    let rows = json.as_array().expect("a bare list");
    assert_eq!(rows.len(), 20);
    for pair in rows.windows(2) {
        assert!(pair[0]["score"].as_f64() >= pair[1]["score"].as_f64());
    }
    for row in rows {
        let text = row["text"].as_str().expect("the text");
        assert_eq!(text, format!("text {}", row["index"]));
        assert_eq!(row["score"].to_string(), score_of("q", text).to_string());
    }
    let raw = r#"{"query":"q","texts":["a"],"raw_scores":true}"#;
    let json = Client::new(&server).post("/rerank", "", raw).json();
    assert!(json[0].get("text").is_none());
    let score = f64::from(score_of("q", "a"));
    assert!(
        (json[0]["score"].as_f64().expect("a logit") - (score / (1.0 - score)).ln()).abs() < 1e-4
    );
}

#[test]
fn predict_answers_labels_for_each_input() {
    let server = MockServer::start().expect("a server");
    let json = Client::new(&server)
        .post("/predict", "", r#"{"inputs":[["a"],["b","c"]]}"#)
        .json();
    for (row, text) in ["a", "b\nc"].into_iter().enumerate() {
        for (place, (label, score)) in labels_of(text).into_iter().enumerate() {
            assert_eq!(json[row][place]["label"], label);
            assert_eq!(json[row][place]["score"].to_string(), score.to_string());
        }
    }
}

#[test]
fn a_completion_has_the_tokens_it_was_asked_for() {
    let (_server, mut client) = server_and_client();
    let body = r#"{"model":"m","messages":[{"role":"system","content":null},{"role":"user",
        "content":[{"type":"text","text":"abcd"},{"type":"image_url","image_url":{"url":"x"}}]},
        {"role":"user","content":"abcde"}],"max_completion_tokens":3,"max_tokens":9}"#;
    let json = client.post("/v1/chat/completions", "", body).json();
    assert_eq!(json["object"], "chat.completion");
    let choice = &json["choices"][0];
    assert_eq!(
        choice["message"]["content"],
        format!("{}{}{}", token(0), token(1), token(2))
    );
    assert_eq!(choice["finish_reason"], "length");
    assert_eq!(
        json["usage"],
        json!({"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6})
    );

    let json = client
        .post("/v1/completions", "", r#"{"model":"m","prompt":"abc"}"#)
        .json();
    assert_eq!(json["object"], "text_completion");
    assert_eq!(json["choices"][0]["finish_reason"], "stop");
    assert_eq!(json["usage"]["completion_tokens"], 16);
}

/// The events of a stream, as JSON; the closing `[DONE]` is checked and left out.
fn events(text: &str) -> Vec<Value> {
    let body = text.strip_suffix("data: [DONE]\n\n").expect("an end");
    let events = body.split_terminator("\n\n");
    events
        .map(|event| serde_json::from_str(&event["data: ".len()..]).expect("JSON"))
        .collect()
}

#[test]
fn a_chat_stream_has_role_tokens_finish_and_usage() {
    let server = MockServer::start().expect("a server");
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":2,
        "stream":true,"stream_options":{"include_usage":true}}"#;
    let answer = Client::new(&server).post("/v1/chat/completions", "", body);
    assert!(answer.whole);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let events = events(answer.text());
    let deltas: Vec<&Value> = events
        .iter()
        .map(|event| &event["choices"][0]["delta"])
        .collect();
    assert_eq!(*deltas[0], json!({"role": "assistant", "content": ""}));
    assert_eq!(*deltas[1], json!({"content": token(0)}));
    assert_eq!(*deltas[2], json!({"content": token(1)}));
    assert_eq!(*deltas[3], json!({}));
    assert_eq!(events[3]["choices"][0]["finish_reason"], "length");
    assert_eq!(events[3]["usage"], Value::Null);
    assert_eq!(events[4]["choices"], json!([]));
    assert_eq!(events[4]["usage"]["completion_tokens"], 2);
    assert_eq!(events.len(), 5);
}

#[test]
fn a_text_stream_has_no_role_and_no_usage_unasked() {
    let server = MockServer::start().expect("a server");
    let body = r#"{"prompt":["a","b"],"max_tokens":1,"stream":true}"#;
    let events = events(
        Client::new(&server)
            .post("/v1/completions", "", body)
            .text(),
    );
    assert_eq!(events[0]["choices"][0]["text"], token(0));
    assert_eq!(events[1]["choices"][0]["finish_reason"], "length");
    assert!(events[1].get("usage").is_none());
    assert_eq!(events.len(), 2);
}

#[test]
fn an_echo_tells_what_it_was_sent() {
    let (_server, mut client) = server_and_client();
    let json = client
        .post(
            "/echo/a/b?x=1&y",
            "X-Twice: a\r\nx-twice: b\r\n",
            r#"{"k":[1]}"#,
        )
        .json();
    assert_eq!(
        (&json["method"], &json["path"]),
        (&json!("POST"), &json!("/echo/a/b"))
    );
    assert_eq!(
        (&json["query"], &json["body"]),
        (&json!("x=1&y"), &json!({"k": [1]}))
    );
    assert_eq!(json["headers"]["x-twice"], json!(["a", "b"]));
    assert_eq!(json["headers"]["host"], "mock");
    assert_eq!(client.post("/echo", "", "plain").json()["body"], "plain");
    for method in ["GET", "DELETE", "OPTIONS", "PATCH"] {
        let json = client.get(method, "/echo").json();
        assert_eq!(
            (&json["method"], &json["body"]),
            (&json!(method), &Value::Null)
        );
    }
}

#[test]
fn an_echo_speaks_messagepack_to_those_who_do() {
    let (_server, mut client) = server_and_client();
    let answer = client.post(
        "/echo",
        "accept: application/vnd.msgpack, */*\r\n",
        "\x01\x02",
    );
    assert_eq!(
        answer.header("content-type"),
        Some("application/vnd.msgpack")
    );
    assert_eq!(answer.body[0], 0x85);
    let tail = b"\xa4body\xc4\x02\x01\x02";
    assert!(answer.body.ends_with(tail), "{:?}", answer.body);
    let answer = client.post("/echo", "x-mock-msgpack: 1\r\n", r#"{"a":1}"#);
    assert_eq!(answer.header("content-type"), Some("application/msgpack"));
    assert!(answer.body.ends_with(b"\xa4body\x81\xa1a\x01"));
    let answer = client.post("/echo", "x-mock-msgpack: 1\r\n", "");
    assert!(answer.body.ends_with(b"\xa4body\xc0"));
}

#[test]
fn any_json_comes_back_in_messagepack_as_it_was_sent() {
    let (_server, mut client) = server_and_client();
    let sent = json!({
        "numbers": [0, 127, 128, 300, 65_536, u64::MAX, -1, -33, -129, i64::MIN, 0.5, 1e300],
        "texts": ["", "x".repeat(32), "x".repeat(256), "x".repeat(65_536)],
        "lists": [[], vec![0; 15], vec![0; 16], vec![0; 65_536]],
        "others": {"null": null, "true": true, "false": false, "nested": {"a": {}}},
    });
    let answer = client.post("/echo", "x-mock-msgpack: 1\r\n", &sent.to_string());
    let echo: Value = rmp_serde::from_slice(&answer.body).expect("MessagePack");
    assert_eq!(echo["body"], sent);
    assert_eq!(echo["query"], Value::Null);
}

#[test]
fn wrong_requests_are_told_so() {
    let (_server, mut client) = server_and_client();
    for (path, body) in [
        ("/v1/embeddings", "{"),
        ("/v1/embeddings", r#"{"input":[]}"#),
        ("/v1/embeddings", r#"{"input":[1]}"#),
        ("/v1/embeddings", r#"{"input":"a","dimensions":0}"#),
        ("/v1/embeddings", r#"{"input":"a","encoding_format":"hex"}"#),
        ("/rerank", r#"{"query":"q","texts":[]}"#),
        ("/predict", r#"{"inputs":["a"]}"#),
        ("/v1/chat/completions", r#"{"model":"m"}"#),
        ("/v1/chat/completions", r#"{"messages":[],"max_tokens":0}"#),
        ("/v1/completions", r#"{"messages":[]}"#),
    ] {
        let answer = client.post(path, "", body);
        assert_eq!(answer.status, 400, "{path} {body}");
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    }
    assert_eq!(client.post("/v1/v1/embeddings", "", "{}").status, 404);
    assert_eq!(client.post("/v1", "", "{}").status, 404);
    let answer = client.get("GET", "/v1/embeddings");
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("POST, OPTIONS"))
    );
    assert_eq!(
        client
            .post("/echo", "x-mock-fault: nonsense\r\n", "")
            .status,
        400
    );
    assert_eq!(
        client
            .post("/echo", "x-mock-latency-ms: soon\r\n", "")
            .status,
        400
    );
    let body = r#"{"prompt":"a"}"#;
    assert_eq!(
        client
            .post("/v1/completions", "x-mock-itl-ms: x\r\n", body)
            .status,
        400
    );
}

#[test]
fn health_and_options_answer_without_work() {
    let (_server, mut client) = server_and_client();
    assert_eq!(client.get("GET", "/health").json(), json!({"status": "ok"}));
    let answer = client.get("HEAD", "/health");
    assert_eq!(
        (answer.status, answer.header("content-length")),
        (200, Some("15"))
    );
    let answer = client.get("OPTIONS", "/v1/embeddings");
    assert_eq!(
        (answer.status, answer.header("content-length")),
        (204, None)
    );
}
