//! How large an answer may be.

use super::codings::compressed;
use super::{ask, ask_once, is_broken, no_retries, preference};
use crate::support::client_on;
use crate::support::hostile::{Hostile, Next, Visit};
use hedgerow::{BlockingClient, Error, Preference, System};
use std::time::Duration;

const LIMIT: usize = 1 << 20;

fn limited_client(server: &Hostile) -> BlockingClient {
    let system = System::builder().workers(1).max_response_bytes(LIMIT);
    client_on(&server.url(), system.start().expect("a system"))
}

/// What `server` answers is larger than [`LIMIT`].
fn is_too_large(server: &Hostile) {
    let error = ask(&limited_client(server), &preference()).expect_err("too large");
    assert_refused(server, &error, LIMIT);
}

/// Asserts that a limit ended the call at once: what is too large now will be so again.
fn assert_refused(server: &Hostile, error: &Error, limit: usize) {
    assert!(error.is_answer(), "{error}");
    let text = error.to_string();
    assert!(text.contains("max_response_bytes"), "{text}");
    assert!(text.contains(&limit.to_string()), "{text}");
    assert_eq!(server.requests(), 1, "{text}");
}

const CHUNK: usize = 64 << 10;

/// Writes so many chunks, and no last one.
fn chunks_without_end(visit: &mut Visit<'_>, count: usize) -> Next {
    let chunk = format!("{CHUNK:x}\r\n{}\r\n", "x".repeat(CHUNK));
    for _ in 0..count {
        visit.write(&chunk);
    }
    visit.stall_after("")
}

/// An answer of one row, whose embedding is `start`, so much of `unit`, and `end`.
fn one_large_row(start: &str, unit: &str, end: &str) -> Vec<u8> {
    const SIZE: usize = 60 << 20;
    let row = unit.repeat(SIZE / unit.len());
    format!(r#"{{"data":[{{"index":0,"embedding":{start}{row}{end}}}],"model":"m"}}"#).into()
}

fn assert_large_answer_works(body: Vec<u8>, dimensions: usize, first: f32) {
    let server = Hostile::start(move |visit| visit.answer("200 OK", "", &body));
    // A busy machine takes its time to decode them, which is part of the attempt's.
    let patient = Preference {
        timeout: Duration::from_mins(2),
        ..no_retries()
    };
    let found = ask_once(&server, &patient).expect("60 MB are fine");
    assert_eq!((found.len(), found.dimensions()), (1, dimensions));
    let row = found.row(0);
    assert_eq!(
        (row[0].to_bits(), row.last()),
        (first.to_bits(), Some(&0.25))
    );
    assert_eq!((server.connections(), server.requests()), (1, 1));
}

#[test]
fn an_answer_of_60_mb_of_numbers_works() {
    let unit = "-0.12345678901234567890123456789,";
    let body = one_large_row("[", unit, "0.25]");
    assert_large_answer_works(body, (60 << 20) / unit.len() + 1, -0.123_456_79);
}

#[test]
fn an_answer_of_60_mb_of_base64_works() {
    // Three times 1.0 and 0.25: little-endian float32, 16 characters for 12 bytes.
    let one = "AACAPwAAgD8AAIA/";
    let body = one_large_row("\"", one, "AACAPg==\"");
    assert_large_answer_works(body, (60 << 20) / one.len() * 3 + 1, 1.0);
}

#[test]
fn an_announced_length_above_the_limit_is_refused_unread() {
    let server = Hostile::start(|visit| {
        visit.stall_after(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
            LIMIT + 1
        ))
    });
    is_too_large(&server);
}

#[test]
fn a_body_that_outgrows_the_limit_is_refused() {
    let server = Hostile::start(|visit| {
        visit.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        chunks_without_end(visit, LIMIT / CHUNK + 1)
    });
    is_too_large(&server);
}

#[test]
fn a_body_of_exactly_the_limit_is_read() {
    let server = Hostile::start(|visit| {
        let mut body = visit.rows();
        body.push_str(&" ".repeat(LIMIT - body.len()));
        visit.answer("200 OK", "", body)
    });
    ask(&limited_client(&server), &no_retries()).expect("not a byte too much");
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_small_body_that_unfolds_past_the_limit_is_refused() {
    for coding in ["gzip", "zstd", "br", "deflate"] {
        let bomb = compressed(coding, &vec![b' '; 16 << 20]);
        assert!(bomb.len() < LIMIT, "a bomb of {coding} is small");
        let server = Hostile::start(move |visit| {
            visit.answer("200 OK", &format!("content-encoding: {coding}\r\n"), &bomb)
        });
        let error = ask(&limited_client(&server), &preference()).expect_err("too large");
        assert_refused(&server, &error, LIMIT);
    }
}

#[test]
fn an_absurd_length_is_refused_without_memory() {
    // The first is above the default limit, the second above what a u64 holds.
    let server = Hostile::start(|visit| {
        visit.stall_after("HTTP/1.1 200 OK\r\ncontent-length: 10000000000000000000\r\n\r\nabc")
    });
    let error = ask_once(&server, &preference()).expect_err("10 EB");
    assert_refused(&server, &error, 1 << 30);

    let server = Hostile::start(|visit| {
        visit.end_with("HTTP/1.1 200 OK\r\ncontent-length: 100000000000000000000\r\n\r\nabc")
    });
    is_broken(&server);
}

#[test]
fn a_body_far_short_of_a_large_length_is_cut() {
    // Below the limit of 1 GiB, and never sent: the attempt ends with the connection.
    let server = Hostile::start(|visit| {
        visit.end_with("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\nabc")
    });
    let text = is_broken(&server).to_string();
    assert!(text.contains("3 of 1000000000 bytes"), "{text}");
}

#[test]
fn a_refusal_without_end_is_read_as_far_as_it_is_told() {
    const TOLD: usize = 64 << 10;
    let server = Hostile::start(|visit| {
        visit.write("HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n");
        chunks_without_end(visit, 100)
    });
    let error = ask_once(&server, &preference()).expect_err("refused");
    assert_eq!(error.status(), Some(403), "{:.100}", error.to_string());
    assert_eq!(error.body().map(str::len), Some(TOLD));
    assert_eq!(server.requests(), 1);
}
