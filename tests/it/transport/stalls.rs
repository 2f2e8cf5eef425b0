//! Servers that stop: every wait of an attempt has an end, and its socket closes with it.

use super::no_retries;
use crate::support::hostile::{Act, Hostile, Next, Visit};
use crate::support::queueing::listen;
use crate::support::{async_client_of, best_of_five, client_of, client_on, eventually, texts};
use hedgerow::transport::HttpSettings;
use hedgerow::{Embed, Error, Preference, System};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_millis(500);
/// How soon after a drop the server is to see the close.
const AT_ONCE: Duration = Duration::from_millis(50);

fn times_out(url: &str) -> Error {
    let short = Preference {
        timeout: TIMEOUT,
        ..no_retries()
    };
    let start = Instant::now();
    let call = Embed::new(texts(1), "m").preference(short);
    let error = client_of(url).embed(call).expect_err("never answered");
    assert!(error.is_timeout(), "{error}");
    assert!(error.to_string().contains("timeout_s"), "{error}");
    assert!(error.request_id().is_some(), "{error}");
    assert!(start.elapsed() >= TIMEOUT, "{:?}", start.elapsed());
    error
}

/// The timeout holds, and the server sees the socket close.
fn times_out_and_closes(script: Act) {
    let server = Hostile::start(script);
    times_out(&server.url());
    eventually("the request is there", || server.requests() == 1);
    assert_eq!(server.connections(), 1);
    eventually("the client closes", || server.closed_by_client() == 1);
    eventually("no socket is left", || server.open() == 0);
}

fn no_head(visit: &mut Visit<'_>) -> Next {
    visit.stall_after("")
}

fn half_a_body(visit: &mut Visit<'_>) -> Next {
    visit.stall_after("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"data\":[")
}

fn half_a_refusal(visit: &mut Visit<'_>) -> Next {
    visit.stall_after("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 1000\r\n\r\noops")
}

#[test]
fn a_server_that_never_answers_times_out() {
    times_out_and_closes(no_head);
}

#[test]
fn a_head_and_half_a_body_times_out() {
    times_out_and_closes(half_a_body);
    times_out_and_closes(half_a_refusal);
}

#[test]
fn half_a_head_times_out() {
    times_out_and_closes(|visit| visit.stall_after("HTTP/1.1 200 OK\r\ncontent-le"));
}

#[test]
fn an_informational_answer_and_nothing_after_it_times_out() {
    times_out_and_closes(|visit| visit.stall_after("HTTP/1.1 100 Continue\r\n\r\n"));
}

#[test]
fn a_slow_drip_times_out_in_the_head_and_in_the_body() {
    times_out_and_closes(|visit| {
        visit.drip(
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n",
            Duration::from_millis(100),
        );
        Next::Close
    });
    times_out_and_closes(|visit| {
        visit.write("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        visit.drip(&[b' '; 100], Duration::from_millis(100));
        Next::Close
    });
}

#[test]
fn a_server_that_does_not_read_times_out() {
    // The request is larger than the buffers of two sockets, and nobody takes it out of them.
    let server = Hostile::start_at_heads(|visit| {
        visit.pause(Duration::from_secs(20));
        Next::Close
    });
    let short = Preference {
        timeout: 4 * TIMEOUT,
        ..no_retries()
    };
    let call = Embed::new(["x".repeat(16 << 20)], "m").preference(short);
    let error = client_of(&server.url())
        .embed(call)
        .expect_err("never read");
    assert!(error.is_timeout(), "{error}");
    eventually("the request is there", || server.requests() == 1);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_server_that_never_accepts_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    times_out(&format!("http://{address}"));
}

#[test]
fn a_connection_that_does_not_come_about_is_a_connect_error_after_connect_timeout() {
    let Some(full) = FullBacklog::new() else {
        return;
    };
    let url = format!("http://{}", full.address);
    let http = HttpSettings {
        connect_timeout: TIMEOUT,
        ..HttpSettings::default()
    };
    let system = System::builder().workers(1).http(http).start();
    let client = client_on(&url, system.expect("a system"));
    let start = Instant::now();
    let error = super::ask(&client, &no_retries()).expect_err("no connection");
    assert!(error.is_connect(), "{error}");
    assert!(error.to_string().contains("connect_timeout"), "{error}");
    // Its default is 4 s.
    let took = start.elapsed();
    assert!(took >= TIMEOUT && took < Duration::from_secs(4), "{took:?}");
    // The attempt's own limit holds while a connection is being made, too.
    times_out(&url);
}

/// A listener whose queue is full, so that the kernel answers no further SYN.
struct FullBacklog {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<std::net::TcpStream>,
}

impl FullBacklog {
    /// `None` where the kernel will not have it so.
    fn new() -> Option<Self> {
        let listener = listen(1);
        let address = listener.local_addr().expect("a bound listener");
        let mut queued = Vec::new();
        while queued.len() < 64 {
            let connected = std::net::TcpStream::connect_timeout(&address, TIMEOUT);
            let Ok(stream) = connected else {
                return Some(Self {
                    address,
                    _listener: listener,
                    _queued: queued,
                });
            };
            queued.push(stream);
        }
        None
    }
}

/// How long after the drop of a call the server sees its socket close.
fn close_after_drop(script: Act) -> Duration {
    let server = Hostile::start(script);
    let client = async_client_of(&server.url());
    let mut round = 0;
    let best = best_of_five(|| {
        round += 1;
        let call = Embed::new(texts(1), "m").preference(no_retries());
        let pending = client.embed(call);
        eventually("the request is there", || server.requests() == round);
        // Long enough, as a rule, for what the server writes to have been read.
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(server.closed_by_client(), round - 1, "closed too early");
        drop(pending);
        eventually("the client closes", || server.closed_by_client() == round)
    });
    assert_eq!(server.connections(), round);
    best
}

#[test]
fn a_dropped_call_closes_its_socket_before_the_head() {
    let best = close_after_drop(no_head);
    assert!(best < AT_ONCE, "{best:?}");
}

#[test]
fn a_dropped_call_closes_its_socket_within_the_body() {
    let best = close_after_drop(half_a_body);
    assert!(best < AT_ONCE, "{best:?}");
}
