//! Connections that a server ends in good order, and streams that it refuses: what it has not
//! processed is sent again, and is no attempt.

use super::troubles::{GOAWAY, SETTINGS, frame, id, relay_once};
use super::{client, embed, is_right};
use crate::support::expected::assert_rows;
use crate::support::h2_server::{H2Server, attempts};
use crate::support::{eventually, texts};
use h2::Reason;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// Time for the word that a connection ends to reach the client before its next call.
const ON_ITS_WAY: Duration = Duration::from_millis(100);

#[test]
fn a_connection_that_is_being_ended_answers_its_streams_and_gets_no_more() {
    const ROUNDS: usize = 5;
    const REQUESTS: usize = 20;
    // Each connection is ended by its first request, as servers do that count them.
    let server = H2Server::start(async |visit| {
        visit
            .wait_for_requests((visit.connection + 1) * REQUESTS)
            .await;
        if visit.on_connection == 0 {
            visit.go_away();
        }
        visit.right().await;
    });
    let client = client(&server.url());
    for _ in 0..ROUNDS {
        is_right(&client, REQUESTS);
        std::thread::sleep(ON_ITS_WAY);
    }
    let counts = (server.connections(), server.requests());
    assert_eq!(counts, (ROUNDS, ROUNDS * REQUESTS));
}

#[test]
fn a_connection_that_is_being_ended_and_still_has_a_stream_gets_no_more() {
    const REQUESTS: usize = 20;
    let server = H2Server::start(async |visit| {
        if visit.number == 0 {
            visit.go_away();
            visit.wait_for_requests(1 + REQUESTS).await;
        }
        visit.right().await;
    });
    let client = client(&server.url());
    let slow = std::thread::spawn({
        let client = client.clone();
        move || is_right(&client, 1)
    });
    eventually("it is there", || server.requests() == 1);
    std::thread::sleep(ON_ITS_WAY);
    is_right(&client, REQUESTS);
    slow.join().expect("answered");
    assert_eq!((server.connections(), server.requests()), (2, 1 + REQUESTS));
}

/// Its first connection is ended when requests have come, of which it says that it has processed
/// those up to `last`; the others are passed on to `behind`.
fn ending_its_first(last: u32, reason: Reason, behind: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept()?;
        client.write_all(&frame(SETTINGS, &[]))?;
        // More than a preface and settings.
        client.read_exact(&mut [0; 500])?;
        let end = [last.to_be_bytes(), u32::from(reason).to_be_bytes()];
        client.write_all(&frame(GOAWAY, &end.concat()))?;
        relay_once(listener, behind);
        if last > 0 {
            return Ok(0);
        }
        std::io::copy(&mut client, &mut std::io::sink())
    });
    address
}

#[test]
fn requests_that_a_server_has_not_seen_when_it_ends_a_connection_are_no_failures() {
    const REQUESTS: usize = 20;
    for reason in [Reason::NO_ERROR, Reason::ENHANCE_YOUR_CALM] {
        let server = H2Server::honest();
        let first = ending_its_first(0, reason, server.address());
        is_right(&client(&format!("http://{first}")), REQUESTS);
        assert_eq!((server.connections(), server.requests()), (1, REQUESTS));
    }
}

#[test]
fn requests_that_a_server_may_have_processed_when_it_ends_a_connection_are_attempts() {
    const REQUESTS: usize = 5;
    let server = H2Server::honest();
    let first = ending_its_first(i32::MAX as u32, Reason::NO_ERROR, server.address());
    let found = embed(&client(&format!("http://{first}")), REQUESTS).expect("retried");
    assert_rows(&found, &texts(REQUESTS), &[]);
    // One goes first to an endpoint that was not asked before; how many follow it onto its first
    // connection is a matter of time.
    let repeated = attempts(&found) - REQUESTS;
    assert!((1..=REQUESTS).contains(&repeated), "{repeated}");
    assert_eq!((server.connections(), server.requests()), (1, REQUESTS));
}

#[test]
fn streams_that_a_server_refuses_are_opened_again_once_at_no_cost() {
    const REQUESTS: usize = 30;
    let server = H2Server::start(async |mut visit| {
        // All have come before one is refused.
        visit.wait_for_requests(REQUESTS).await;
        if visit.number % 3 == 0 && visit.number < REQUESTS {
            visit.reset(Reason::REFUSED_STREAM);
        } else {
            visit.right().await;
        }
    });
    is_right(&client(&server.url()), REQUESTS);
    let refused = REQUESTS / 3;
    let counts = (server.connections(), server.requests());
    assert_eq!(counts, (1, REQUESTS + refused));
    for head in server.heads() {
        assert!(id(&head).is_some_and(|id| id.ends_with("-0")));
    }
}

#[test]
fn a_server_that_refuses_every_stream_is_asked_twice_an_attempt() {
    let server = H2Server::start(async |mut visit| visit.reset(Reason::REFUSED_STREAM));
    let error = embed(&client(&server.url()), 1).expect_err("refused");
    assert!(error.is_network(), "{error}");
    // The first attempt, and the retry.
    assert_eq!(server.requests(), 4, "{error}");
    let last = server.heads().pop().expect("a request");
    assert_eq!(error.request_id(), id(&last));
}

/// As over HTTP/1.1: a server may close a connection just as requests are on their way again.
#[test]
fn what_a_kept_connection_ends_under_is_retried_at_once() {
    const REQUESTS: usize = 5;
    const ROUNDS: usize = 4;
    // Each connection answers one call and closes when the next has come.
    let server = H2Server::start(async |visit| {
        if visit.on_connection < REQUESTS {
            visit.right().await;
        } else {
            let last = visit.number - visit.on_connection + 2 * REQUESTS;
            visit.wait_for_requests(last).await;
            visit.close().await;
        }
    });
    let client = client(&server.url());
    is_right(&client, REQUESTS);
    for round in 1..ROUNDS {
        let found = embed(&client, REQUESTS).expect("retried");
        assert_rows(&found, &texts(REQUESTS), &[]);
        assert_eq!(attempts(&found), 2 * REQUESTS);
        let counts = (server.connections(), server.requests());
        assert_eq!(counts, (1 + round, (1 + 2 * round) * REQUESTS));
    }
}
