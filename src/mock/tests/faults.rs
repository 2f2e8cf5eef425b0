//! Each fault, as a raw socket sees it.

use std::io::Read;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Client, Ended, Received, request, server_and_client};
use crate::mock::{Fault, MockServer, Rule};

const BATCH: &str = r#"{"input":["a","b","c"],"model":"m"}"#;
const BASE64: &str = r#"{"input":["a","b","c"],"model":"m","encoding_format":"base64"}"#;

/// Asks for embeddings under a fault, on a connection of its own.
fn ask(server: &MockServer, faults: &str, body: &str) -> (Client, Result<Received, Ended>) {
    ask_at("/v1/embeddings", server, faults, body)
}

fn ask_at(
    path: &str,
    server: &MockServer,
    faults: &str,
    body: &str,
) -> (Client, Result<Received, Ended>) {
    let mut client = Client::new(server);
    if faults.starts_with("hang") {
        client.patience(Duration::from_millis(300));
    }
    let header = format!("x-mock-fault: {faults}\r\n");
    client.send(request("POST", path, &header, body));
    let answer = client.answer();
    (client, answer)
}

fn answer(server: &MockServer, faults: &str, body: &str) -> Received {
    ask(server, faults, body).1.expect("an answer")
}

fn end(server: &MockServer, faults: &str) -> Ended {
    ask(server, faults, BATCH).1.expect_err("no answer")
}

#[test]
fn statuses_carry_what_they_are_given() {
    let server = MockServer::start().expect("a server");
    let refused = answer(&server, "status=503;retry_after=1", BATCH);
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(refused.json()["error"]["type"], "server_error");
    let refused = answer(&server, "status=200;body=<html>", BATCH);
    assert_eq!(
        (refused.text(), refused.header("content-type")),
        ("<html>", Some("text/plain"))
    );
    let redirect = answer(&server, "redirect=/echo", BATCH);
    assert_eq!(
        (redirect.status, redirect.header("location")),
        (307, Some("/echo"))
    );
    let extra = answer(&server, "header=x-a:b,header=x-c: d", BATCH);
    assert_eq!(
        (extra.header("x-a"), extra.header("x-c")),
        (Some("b"), Some("d"))
    );
    assert_eq!(answer(&server, "status=204", BATCH).body, b"");
}

#[test]
fn connections_end_without_an_answer() {
    let server = MockServer::start().expect("a server");
    assert_eq!(end(&server, "hang"), Ended::Silent);
    assert_eq!(end(&server, "reset"), Ended::Reset);
    assert_eq!(end(&server, "close_before_answer"), Ended::Closed);
    let start = Instant::now();
    assert_eq!(answer(&server, "delay=60", BATCH).status, 200);
    assert!(start.elapsed() >= Duration::from_millis(60));
}

#[test]
fn bodies_break_off() {
    let server = MockServer::start().expect("a server");
    let sound = answer(&server, "", BATCH).body;
    for (faults, length) in [
        ("cut_body=10", 10),
        ("cut_body", sound.len() / 2),
        ("cut_body=100000", sound.len() - 1),
    ] {
        let (mut client, cut) = ask(&server, faults, BATCH);
        let cut = cut.expect("a head");
        assert!(!cut.whole, "{faults}");
        assert_eq!(cut.body, sound[..length]);
        assert_eq!(client.line().expect_err("an end"), Ended::Closed);
        let cut = answer(&server, &format!("{faults},chunked"), BATCH);
        assert!(!cut.whole, "{faults} in chunks");
        assert_eq!(cut.body, sound[..length]);
    }
    let (mut client, cut) = ask(&server, "hang_body", BATCH);
    assert_eq!(cut.expect("a head").body, sound[..sound.len() / 2]);
    assert_eq!(client.line().expect_err("no more"), Ended::Silent);
    let (mut client, cut) = ask(&server, "cut_body,reset", BATCH);
    // A reset may overtake what was sent before it, even the head.
    assert!(cut.is_err_and(|ended| ended == Ended::Reset) || client.line().is_err());
}

#[test]
fn rows_are_wrong() {
    let server = MockServer::start().expect("a server");
    let rows = |faults: &str| answer(&server, faults, BATCH).json()["data"].clone();
    let indices = |rows: &Value| -> Vec<u64> {
        rows.as_array()
            .expect("rows")
            .iter()
            .filter_map(|row| row["index"].as_u64())
            .collect()
    };
    let lengths = |rows: &Value| -> Vec<usize> {
        let rows = rows.as_array().expect("rows").iter();
        rows.filter_map(|row| row["embedding"].as_array().map(Vec::len))
            .collect()
    };
    assert_eq!(indices(&rows("short_rows")), [0, 1]);
    assert_eq!(indices(&rows("extra_rows")), [0, 1, 2, 3]);
    assert_eq!(indices(&rows("repeated_index")), [0, 1, 1]);
    assert_eq!(lengths(&rows("mixed_dimensions")), [8, 8, 7]);
    let one = answer(&server, "repeated_index", r#"{"input":"a"}"#).json();
    assert_eq!(one["data"][0]["index"], 1);
    assert!(
        answer(&server, "non_finite", BATCH)
            .text()
            .contains("\"embedding\":[NaN,")
    );
    let json = answer(&server, "non_finite", BASE64).json();
    let text = json["data"][0]["embedding"].as_str().expect("base64");
    assert!(text.starts_with("AADAf"), "{text}");
}

#[test]
fn rows_of_rankings_are_wrong_too() {
    let server = MockServer::start().expect("a server");
    let ask = |path: &str, fault: &str, body: &str| {
        let (_, answer) = ask_at(path, &server, fault, body);
        answer.expect("an answer")
    };
    for (fault, rows) in [("short_rows", 1), ("extra_rows", 3)] {
        let rerank = ask("/rerank", fault, r#"{"query":"q","texts":["a","b"]}"#).json();
        assert_eq!(rerank.as_array().map(Vec::len), Some(rows));
        let predict = ask("/predict", fault, r#"{"inputs":[["a"],["b"]]}"#).json();
        assert_eq!(predict.as_array().map(Vec::len), Some(rows));
    }
    let rerank = ask(
        "/rerank",
        "repeated_index",
        r#"{"query":"q","texts":["a","b"]}"#,
    )
    .json();
    assert_eq!(
        (&rerank[0]["index"], &rerank[1]["index"]),
        (&json!(0), &json!(0))
    );
    let text = ask("/predict", "non_finite", r#"{"inputs":[["a"]]}"#);
    assert!(text.text().contains("NaN"));
}

#[test]
fn json_and_formats_are_wrong() {
    let server = MockServer::start().expect("a server");
    let bad = answer(&server, "bad_json", BATCH);
    assert!(bad.whole && serde_json::from_slice::<Value>(&bad.body).is_err());
    assert!(answer(&server, "ignore_base64", BASE64).json()["data"][0]["embedding"].is_array());
    assert_eq!(answer(&server, "refuse_base64", BASE64).status, 400);
    assert_eq!(answer(&server, "refuse_base64", BATCH).status, 200);
}

#[test]
fn answers_are_compressed_and_framed() {
    let server = MockServer::start().expect("a server");
    let sound = answer(&server, "", BATCH).body;
    for name in ["zstd", "gzip", "br", "deflate"] {
        for framing in ["", ",chunked", ",close_delimited"] {
            let packed = answer(&server, &format!("encoding={name}{framing}"), BATCH);
            assert_eq!(packed.header("content-encoding"), Some(name));
            let body = &packed.body[..];
            let mut plain = Vec::new();
            match name {
                "zstd" => zstd::Decoder::new(body).and_then(|mut d| d.read_to_end(&mut plain)),
                "gzip" => flate2::read::GzDecoder::new(body).read_to_end(&mut plain),
                "br" => brotli::Decompressor::new(body, 4096).read_to_end(&mut plain),
                _ => flate2::read::ZlibDecoder::new(body).read_to_end(&mut plain),
            }
            .expect("compressed data");
            assert_eq!(plain, sound, "{name}{framing}");
        }
    }
    let (mut client, close) = ask(&server, "close_delimited", BATCH);
    let close = close.expect("an answer");
    assert_eq!(
        (close.header("content-length"), close.header("connection")),
        (None, Some("close"))
    );
    assert_eq!(client.line().expect_err("an end"), Ended::Closed);
}

#[test]
fn kept_connections_close_after_all() {
    let server = MockServer::start().expect("a server");
    let (mut client, kept) = ask(&server, "close_without_notice", BATCH);
    assert_eq!(kept.expect("an answer").header("connection"), None);
    assert_eq!(client.line().expect_err("an end"), Ended::Closed);
    let (mut client, kept) = ask(&server, "close_on_reuse", BATCH);
    assert_eq!(kept.expect("an answer").header("connection"), None);
    client.patience(Duration::from_millis(100));
    assert_eq!(client.line().expect_err("idle"), Ended::Silent);
    client.patience(Duration::from_secs(10));
    client.send(request("GET", "/health", "", ""));
    assert_eq!(client.line().expect_err("an end"), Ended::Closed);
}

#[test]
fn streams_break_off() {
    let server = MockServer::start().expect("a server");
    let body = r#"{"messages":[],"stream":true,"max_tokens":10}"#;
    let stream = |faults: &str| {
        let (_, answer) = ask_at("/v1/chat/completions", &server, faults, body);
        answer.expect("a head")
    };
    let sound = stream("");
    assert!(sound.whole);
    // The role and half of the tokens come before the middle.
    for faults in ["cut_body", "hang_body", "cut_body,close_delimited"] {
        let cut = stream(faults);
        assert_eq!(cut.text().matches("data: ").count(), 6, "{faults}");
        assert!(!cut.whole || faults.ends_with("delimited"));
    }
    let cut = stream("cut_body=100");
    assert!(!cut.whole && cut.body == sound.body[..100]);
    assert!(!stream("cut_body=100000").whole);
    let bad = stream("bad_json");
    assert!(bad.whole && bad.body.len() < sound.body.len());
    assert_eq!(stream("status=500").status, 500);
    assert_eq!(stream("encoding=zstd").header("content-encoding"), None);
}

#[test]
fn rules_play_out_in_sequence_and_count_down() {
    let server = MockServer::start().expect("a server");
    server.inject(
        Rule::on("/v1/embeddings", Fault::status(503))
            .after(1)
            .times(2),
    );
    server.inject(Rule::on("/v1/embeddings", Fault::status(429)).times(1));
    let mut client = Client::new(&server);
    let statuses: Vec<u16> = (0..5)
        .map(|_| client.post("/v1/embeddings", "", BATCH).status)
        .collect();
    assert_eq!(statuses, [429, 503, 503, 200, 200]);
    assert_eq!(client.get("GET", "/health").status, 200);
    assert_eq!(server.rules()[0].times, Some(0));
}

#[test]
fn rules_choose_by_header_body_share_and_load() {
    let (server, mut client) = server_and_client();
    let mut status =
        |headers: &str, body: &str| client.post("/v1/embeddings", headers, body).status;
    server.inject(Rule::on("", Fault::status(401)).when_header("Authorization", "Bearer bad"));
    server.inject(Rule::on("", Fault::status(500)).when_body_contains("text 7"));
    assert_eq!(status("authorization: Bearer good\r\n", BATCH), 200);
    assert_eq!(status("authorization: Bearer bad\r\n", BATCH), 401);
    assert_eq!(status("", r#"{"input":["text 6","text 7"]}"#), 500);
    server.clear();
    server.inject(Rule::on("", Fault::status(503)).above_in_flight(1));
    assert_eq!(status("", BATCH), 200);
    server.clear();
    server.inject(Rule::on("", Fault::status(503)).share(0.25));
    let failed = (0..400).filter(|_| status("", BATCH) == 503).count();
    assert!((60..140).contains(&failed), "{failed}");
}

#[test]
fn rules_are_set_over_http() {
    let (server, mut client) = server_and_client();
    let rule = r#"{"path":"/v1/embeddings","times":1,"faults":"status=503;retry_after=2"}"#;
    assert_eq!(client.post("/mock/rules", "", rule).status, 200);
    let listed = client.post("/mock/rules", "", &format!("[{rule}]")).json();
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    let refused = client.post("/v1/embeddings", "", BATCH);
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("2"))
    );
    assert_eq!(client.get("DELETE", "/mock/rules").status, 204);
    assert_eq!(client.get("GET", "/mock/rules").json(), json!([]));
    assert_eq!(client.post("/v1/embeddings", "", BATCH).status, 200);
    let refused = client.post("/mock/rules", "", r#"{"faults":"nonsense"}"#);
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("nonsense"));
    assert_eq!(server.stats().requests, 2);
}
