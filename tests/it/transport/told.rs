//! What an error tells: which request failed, and what came in place of an answer.

use super::{ask, ask_once, is_a_network_error, is_right, no_retries, preference};
use crate::support::client_of;
use crate::support::hostile::{Hostile, Next, Visit, assert_right, right};
use hedgerow::{BatchPost, Error, Preference};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;

/// A gateway's login page, as it is sent with 200 to whom it does not know.
const PAGE: &str = "<!DOCTYPE html>\n<html><body>Sign in to go on</body></html>";

fn page(visit: &mut Visit<'_>) -> Next {
    visit.answer("200 OK", "content-type: text/html\r\n", PAGE)
}

fn page_in_chunks(visit: &mut Visit<'_>) -> Next {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ntransfer-encoding: chunked\r\n\r\n";
    visit.write(format!("{head}{:x}\r\n{PAGE}\r\n0\r\n\r\n", PAGE.len()));
    Next::Keep
}

#[test]
fn a_whole_page_in_place_of_json_is_an_error_at_once() {
    for wrong in [page, page_in_chunks] {
        let server = Hostile::start(wrong);
        let error = ask_once(&server, &preference()).expect_err("no JSON");
        assert!(error.is_answer(), "{error}");
        let text = error.to_string();
        assert!(text.contains("text/html"), "{text}");
        assert!(text.contains("Sign in to go on"), "{text}");
        assert_eq!(server.requests(), 1, "{text}");
    }
}

#[test]
fn of_a_page_the_beginning_is_told_without_any_key() {
    let server = Hostile::start(|visit| {
        let padding = "x".repeat(80);
        let body = format!("<p>{padding}sk-test-key is no good{padding}");
        visit.answer("200 OK", "content-type: text/html\r\n", body)
    });
    let text = ask_once(&server, &preference())
        .expect_err("no JSON")
        .to_string();
    assert!(text.contains("xxx***"), "{text}");
    assert!(!text.contains("sk-test") && text.len() < 400, "{text}");
}

#[test]
fn a_page_that_may_be_cut_is_asked_for_again() {
    let error = is_a_network_error(|visit| {
        visit.end_with(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n{PAGE}"
        ))
    });
    assert!(error.to_string().contains("JSON"), "{error}");
}

#[test]
fn a_byte_order_mark_before_json_is_passed_over() {
    let marked = |body: String| format!("\u{feff}{body}");
    let server = Hostile::start(move |visit| {
        let body = marked(visit.rows());
        visit.answer("200 OK", "content-type: application/json\r\n", body)
    });
    is_right(&server, 2);
    let server = Hostile::start(|visit| {
        visit.answer(
            "200 OK",
            "content-type: application/json\r\n",
            "\u{feff}{\"a\":1}",
        )
    });
    let call = BatchPost::new("/x", [json!({})]).preference(no_retries());
    let answers = client_of(&server.url()).post(call).expect("JSON");
    let answer = answers[0].as_ref().expect("one answer");
    assert_eq!(&answer.bytes()[..], br#"{"a":1}"#);
    assert_eq!(answer.json::<Value>().expect("JSON"), json!({"a": 1}));
}

/// `error` names the request that failed, by its method and URL.
fn assert_named(error: &Error, request: &str) {
    let text = error.to_string();
    assert!(text.starts_with(&format!("{request}: ")), "{text}");
}

#[test]
fn an_error_names_the_method_and_the_url_of_its_request() {
    let refuse = |visit: &mut Visit<'_>| visit.answer("404 Not Found", "", "no such path");
    let server = Hostile::start(refuse);
    let url = server.url();
    let error = ask_once(&server, &no_retries()).expect_err("refused");
    assert_named(&error, &format!("POST {url}/v1/embeddings"));
    // A query may hold a key.
    let call = BatchPost::new("/x/y?key=sk-query#z", [json!({})]).preference(no_retries());
    let error = client_of(&url).post(call).expect_err("refused");
    assert_named(&error, &format!("POST {url}/x/y"));
    assert!(
        !format!("{error} {error:?}").contains("sk-query"),
        "{error:?}"
    );

    let server = Hostile::start(|visit| visit.stall_after(""));
    let request = format!("POST {}/v1/embeddings", server.url());
    let short = Preference {
        timeout: Duration::from_millis(150),
        ..no_retries()
    };
    let error = ask_once(&server, &short).expect_err("too late");
    assert!(error.is_timeout(), "{error}");
    assert_named(&error, &request);
    let short = Preference {
        total_timeout: Some(Duration::from_millis(150)),
        timeout: Duration::from_millis(150),
        ..no_retries()
    };
    let error = ask_once(&server, &short).expect_err("too late");
    assert_named(&error, &request);

    let server = Hostile::start(|_| Next::Close);
    let error = ask_once(&server, &no_retries()).expect_err("closed");
    assert!(error.is_network(), "{error}");
    assert_named(&error, &format!("POST {}/v1/embeddings", server.url()));

    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let url = format!("http://{}", free.expect("a free port"));
    let error = ask(&client_of(&url), &no_retries()).expect_err("nobody listens");
    assert!(error.is_connect(), "{error}");
    assert_named(&error, &format!("POST {url}/v1/embeddings"));
}

#[test]
fn of_a_long_refusal_the_text_has_the_beginning_and_the_body_all() {
    let server = Hostile::start(|visit| {
        let echo = "\u{fc}".repeat(20_000);
        visit.answer("403 Forbidden", "", echo)
    });
    let error = ask_once(&server, &no_retries()).expect_err("refused");
    let text = error.to_string();
    assert_eq!(text.matches('\u{fc}').count(), 1000);
    assert!(text.contains("\u{fc}…. Request ID: "), "{text}");
    assert_eq!(error.body().map(str::len), Some(40_000));
    // What serde says may quote a text of any length.
    let server = Hostile::start(|visit| {
        let long = "x".repeat(100_000);
        visit.answer("200 OK", "", format!("{{\"data\": \"{long}\"}}"))
    });
    let error = ask_once(&server, &no_retries()).expect_err("no rows");
    assert!(
        error.is_answer() && error.to_string().len() < 1000,
        "{error}"
    );
}

#[test]
fn a_base_url_may_be_that_of_embeddings() {
    let server = Hostile::start(right);
    let client = client_of(&format!("{}/v1/embeddings", server.url()));
    assert_right(&ask(&client, &no_retries()).expect("answered"), 0, 1);
    let head = server.heads().remove(0);
    assert!(
        head.starts_with("POST /v1/embeddings HTTP/1.1\r\n"),
        "{head}"
    );
}
