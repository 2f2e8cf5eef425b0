//! Servers that refuse streams, end connections, and break the rules.

use super::{client, client_with, embed, is_right, settings, window_of};
use crate::support::expected::assert_rows;
use crate::support::h2_server::{H2Server, Visit, attempts, rows};
use crate::support::hostile::{Hostile, Next};
use crate::support::{eventually, texts};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use h2::{Reason, SendStream};
use hedgerow::transport::HttpSettings;
use hedgerow::{Embed, Error, Preference};
use http::request::Parts;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// What a server does wrong with a stream.
type Wrong = fn(&mut Visit) -> BoxFuture<'_, ()>;

/// What can end a stream before its time.
const WRONGS: [(&str, Wrong); 6] = [
    ("reset", |visit| reset(visit, Reason::INTERNAL_ERROR)),
    ("reset as if all were well", |visit| {
        reset(visit, Reason::NO_ERROR)
    }),
    ("reset within the body", |visit| {
        begin(visit).send_reset(Reason::INTERNAL_ERROR);
        future::ready(()).boxed()
    }),
    ("ended with an error", |visit| {
        visit.abort(Reason::INTERNAL_ERROR).boxed()
    }),
    ("closed", |visit| visit.close().boxed()),
    ("closed within the body", |visit| {
        let begun = begin(visit);
        visit.close().map(move |()| drop(begun)).boxed()
    }),
];

fn reset(visit: &mut Visit, reason: Reason) -> BoxFuture<'_, ()> {
    visit.reset(reason);
    future::ready(()).boxed()
}

/// Sends a head, and a part of a body.
fn begin(visit: &mut Visit) -> SendStream<Bytes> {
    let mut sending = visit.begin(200, &[]).expect("the client is there");
    sending.send_data("{\"data\":[".into(), false).unwrap();
    sending
}

/// By which a server's log knows an attempt.
pub(super) fn id(head: &Parts) -> Option<&str> {
    head.headers["x-baseten-customer-request-id"].to_str().ok()
}

async fn after(mut visit: Visit, wrong: Wrong) {
    visit.read().await;
    wrong(&mut visit).await;
}

#[test]
fn what_goes_wrong_once_is_not_noticed() {
    for (what, wrong) in WRONGS {
        let server = H2Server::start(move |visit| async move {
            match visit.number {
                0 => after(visit, wrong).await,
                _ => visit.right().await,
            }
        });
        let found = embed(&client(&server.url()), 1).expect(what);
        assert_rows(&found, &texts(1), &[]);
        assert_eq!((attempts(&found), server.requests()), (2, 2), "{what}");
    }
}

#[test]
fn what_goes_wrong_always_is_a_network_error() {
    for (what, wrong) in WRONGS {
        let server = H2Server::start(move |visit| after(visit, wrong));
        let call = Embed::new(texts(1), "m").preference(Preference {
            max_retries: 2,
            initial_backoff: Duration::from_millis(50),
            ..window_of(1)
        });
        let error = client(&server.url()).embed(call).expect_err(what);
        assert!(error.is_network(), "{what}: {error}");
        assert_eq!(server.requests(), 3, "{what}");
        let last = server.heads().pop().expect("a request");
        assert_eq!(error.request_id(), id(&last), "{what}");
    }
}

#[test]
fn a_stream_s_trouble_is_not_its_connection_s() {
    const REQUESTS: usize = 30;
    let server = H2Server::start(async |mut visit| {
        if visit.number % 3 == 0 && visit.is_first {
            visit.reset(Reason::INTERNAL_ERROR);
        } else {
            visit.right().await;
        }
    });
    let found = embed(&client(&server.url()), REQUESTS).expect("retried");
    assert_rows(&found, &texts(REQUESTS), &[]);
    assert_eq!(attempts(&found), server.requests());
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_connection_that_ends_under_many_streams_is_replaced_by_one() {
    const REQUESTS: usize = 50;
    let close: Wrong = |visit| visit.close().boxed();
    let abort: Wrong = |visit| visit.abort(Reason::ENHANCE_YOUR_CALM).boxed();
    for wrong in [close, abort] {
        let server = H2Server::start(move |mut visit| async move {
            if visit.connection > 0 {
                visit.right().await;
            } else if visit.number == REQUESTS - 1 {
                wrong(&mut visit).await;
            } else {
                visit.until_reset().await;
            }
        });
        let found = embed(&client(&server.url()), REQUESTS).expect("retried");
        assert_rows(&found, &texts(REQUESTS), &[]);
        assert_eq!(attempts(&found), 2 * REQUESTS);
        let counts = (server.connections(), server.requests());
        assert_eq!(counts, (2, 2 * REQUESTS));
    }
}

/// More than the server's window takes before it reads.
fn large_request() -> Embed {
    Embed::new(["x".repeat(4 << 20)], "m").preference(window_of(1))
}

#[test]
fn a_refusal_before_the_request_was_read_is_told_as_what_it_is() {
    for wants_the_rest in [true, false] {
        let server = H2Server::start(move |mut visit| async move {
            let mut sending = visit.begin(413, &[]).expect("the client is there");
            sending.send_data("too much".into(), true).unwrap();
            // Otherwise the end of the script is the end of the stream: RST_STREAM(NO_ERROR).
            if wants_the_rest {
                visit.until_reset_of(sending).await;
            }
        });
        let client = client(&server.url());
        for count in 1..=2 {
            let error = client.embed(large_request()).expect_err("refused");
            let told = (error.status(), error.body());
            assert_eq!(told, (Some(413), Some("too much")), "{error}");
            assert_eq!((server.connections(), server.requests()), (1, count));
        }
        if wants_the_rest {
            eventually("both are reset", || server.resets().len() == 2);
        }
    }
}

#[test]
fn an_answer_before_the_request_was_read_counts() {
    let server = H2Server::start(async |mut visit| {
        visit.answer(200, &[], rows(br#"{"input": ["x"]}"#, 2));
    });
    let found = client(&server.url()).embed(large_request());
    let found = found.expect("answered");
    assert_eq!((attempts(&found), server.requests()), (1, 1));
}

#[test]
fn a_body_that_is_not_as_long_as_it_says_is_a_network_error() {
    for length in ["3", "500"] {
        for reason in [None, Some(Reason::NO_ERROR)] {
            let server = H2Server::start(move |mut visit| async move {
                let body = rows(&visit.read().await, 2);
                let sending = visit.begin(200, &[("content-length", length)]);
                let mut sending = sending.expect("the client is there");
                sending.send_data(body, reason.is_none()).unwrap();
                if let Some(reason) = reason {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    sending.send_reset(reason);
                }
            });
            let error = embed(&client(&server.url()), 1).expect_err("of another length");
            assert!(error.is_network(), "{length}: {error}");
            assert_eq!(server.requests(), 2, "{length}");
        }
    }
}

fn assert_connect_error(url: &str, http: HttpSettings, why: &str) -> Error {
    let start = Instant::now();
    let error = embed(&client_with(url, http), 20).expect_err("no HTTP/2 there");
    assert!(error.is_connect(), "{error}");
    assert!(error.to_string().contains(why), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5), "{error}");
    error
}

#[test]
fn a_server_without_http2_is_a_connect_error() {
    let server = Hostile::start(|visit| {
        visit.end_with("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
    });
    assert_connect_error(&server.url(), settings(), "no HTTP/2");
    let closing = Hostile::start(|_| Next::Close);
    assert_connect_error(&closing.url(), settings(), "no HTTP/2");
}

#[test]
fn a_server_that_waits_for_http1_is_a_connect_error_after_connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    let http = HttpSettings {
        connect_timeout: Duration::from_millis(300),
        ..settings()
    };
    assert_connect_error(&format!("http://{address}"), http, "connect_timeout");
}

/// A connection that was being opened for calls that were given up is none of the next call's.
#[test]
fn a_call_given_up_while_connecting_leaves_nothing_to_the_next() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    let http = HttpSettings {
        connect_timeout: Duration::from_millis(400),
        ..settings()
    };
    let client = client_with(&format!("http://{address}"), http);
    let pending = client
        .as_async()
        .embed(Embed::new(texts(5), "m").preference(window_of(5)));
    let (mut silent, _) = listener.accept().expect("the client comes");
    silent.read_exact(&mut [0; 24]).expect("a preface");
    drop(pending);
    silent.read_to_end(&mut Vec::new()).expect("closed");
    std::thread::sleep(Duration::from_millis(500));
    let server = H2Server::honest();
    relay_once(listener, server.address());
    is_right(&client, 5);
}

/// Passes the next connection on to `behind`.
pub(super) fn relay_once(listener: TcpListener, behind: SocketAddr) {
    std::thread::spawn(move || {
        let (client, _) = listener.accept()?;
        let server = TcpStream::connect(behind)?;
        let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        std::io::copy(&mut &server, &mut &client)
    });
}

/// Answers each connection with these frames, and closes it.
fn raw(frames: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client?;
            client.write_all(&frames)?;
            std::thread::spawn(move || std::io::copy(&mut client, &mut std::io::sink()));
        }
        std::io::Result::Ok(())
    });
    address
}

pub(super) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("a short one")
        .to_be_bytes();
    [&length[1..], &[kind, 0, 0, 0, 0, 0], payload].concat()
}

pub(super) const SETTINGS: u8 = 4;
const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;

#[test]
fn a_server_that_sees_no_request_is_a_network_error() {
    let frames = [frame(SETTINGS, &[]), frame(GOAWAY, &[0; 8])].concat();
    let client = client(&format!("http://{}", raw(frames)));
    let error = embed(&client, 3).expect_err("never seen");
    assert!(error.is_network() || error.is_connect(), "{error}");
}

#[test]
fn what_a_server_says_when_it_ends_a_connection_is_not_repeated() {
    let mut last_words = vec![0, 0, 0, 0, 0, 0, 0, 11];
    last_words.extend_from_slice(b"Bearer sk-test-key");
    let frames = [frame(SETTINGS, &[]), frame(GOAWAY, &last_words)].concat();
    let client = client(&format!("http://{}", raw(frames)));
    let error = embed(&client, 1).expect_err("ended");
    assert!(!format!("{error} {error:?}").contains("sk-test"), "{error}");
}

#[test]
fn frames_that_break_the_rules_are_typed_errors() {
    for frames in [
        frame(PING, b"too long a ping"),
        [frame(SETTINGS, &[]), frame(PING, b"short")].concat(),
        [frame(SETTINGS, &[]), frame(0, b"data of no stream")].concat(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec(),
        vec![0; 100],
        vec![255; 100],
    ] {
        let client = client(&format!("http://{}", raw(frames.clone())));
        let error = embed(&client, 3).expect_err("no HTTP/2");
        assert!(
            error.is_network() || error.is_connect(),
            "{frames:?}: {error}"
        );
    }
}
