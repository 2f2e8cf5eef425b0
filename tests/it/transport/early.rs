//! Answers before their time, and bytes after their end.

use super::{ask, is_broken, no_retries};
use crate::support::hostile::{Hostile, Next, assert_right};
use crate::support::{client_of, eventually};
use hedgerow::Embed;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// More than the buffers of two sockets hold.
const LARGE: usize = 24 << 20;

#[test]
fn a_refusal_before_the_request_was_read_is_told_as_what_it_is() {
    let server = Hostile::start_at_heads(|visit| {
        visit.answer("413 Payload Too Large", "connection: close\r\n", "too much");
        // Closing with bytes unread makes this an RST, as it does for real servers.
        Next::Close
    });
    let input = "x".repeat(LARGE);
    let call = Embed::new([input], "m").preference(no_retries());
    let error = client_of(&server.url()).embed(call).expect_err("refused");
    assert_eq!(
        (error.status(), error.body()),
        (Some(413), Some("too much")),
        "{error}"
    );
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_large_request_arrives_whole() {
    let server = Hostile::start(|visit| {
        let expected = LARGE..LARGE + 100;
        assert!(
            expected.contains(&visit.body.len()),
            "{} bytes",
            visit.body.len()
        );
        visit.right()
    });
    let call = Embed::new(["x".repeat(LARGE)], "m").preference(no_retries());
    client_of(&server.url())
        .embed(call)
        .expect("an honest server");
    assert_eq!(server.requests(), 1);
}

#[test]
fn bytes_after_a_body_are_not_read_as_the_next_answer() {
    const FORGED: &str = r#"{"data":[{"index":0,"embedding":[666.0,666.0]}],"model":"forged"}"#;
    let server = Hostile::start(|visit| {
        let body = visit.rows();
        let length = body.len();
        let forged = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{FORGED}",
            FORGED.len()
        );
        visit.write(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}{forged}"
        ));
        Next::Keep
    });
    let client = client_of(&server.url());
    for _ in 0..8 {
        let found = ask(&client, &no_retries()).expect("an answer, and bytes that are not ours");
        assert_right(&found, 0, 1);
        assert_eq!(found.model(), "hostile");
    }
    assert_eq!(server.requests(), 8);
}

#[test]
fn an_answer_without_content_has_a_body_that_is_empty() {
    let server = Hostile::start(|visit| {
        visit.write("HTTP/1.1 204 No Content\r\n\r\n");
        Next::Keep
    });
    let text = is_broken(&server).to_string();
    assert!(text.contains("JSON"), "{text}");
    // A connection that says nothing of closing stays: the retry came over it too.
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_answer_nobody_asked_for_is_not_taken_for_the_next() {
    let unasked = Arc::new(AtomicBool::new(false));
    let written = Arc::clone(&unasked);
    let server = Hostile::start(move |visit| {
        visit.right();
        if visit.connection == 0 {
            visit.right();
            written.store(true, SeqCst);
        }
        Next::Keep
    });
    let client = client_of(&server.url());
    ask(&client, &no_retries()).expect("answered");
    eventually("it is on its way", || unasked.load(SeqCst));
    let other = Embed::new(["text number 7"], "m").preference(no_retries());
    let found = client.embed(other).expect("answered");
    assert_eq!(found.row(0), [7.0, 1.0], "an answer to another request");
    assert_eq!(server.requests(), 2);
}
