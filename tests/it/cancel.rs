//! Nothing that was given up stays open, and nothing hangs.

use crate::support::{
    async_client_of, best_of_five, client_of, eventually, eventually_closed, eventually_in_flight,
    hanging_mock, one_each, texts,
};
use hedgerow::mock::{Fault, MockServer, Rule};
use hedgerow::{CancellationToken, Embed, Preference};
use std::time::{Duration, Instant};

/// A server that never answers, and a call of 20 requests to it.
fn hanging() -> (MockServer, Embed, CancellationToken) {
    let token = CancellationToken::new();
    let call = Embed::new(texts(20), "m").preference(Preference {
        cancel_token: Some(token.clone()),
        ..one_each()
    });
    (hanging_mock(), call, token)
}

const SOON: Duration = Duration::from_millis(50);

#[test]
fn one_token_ends_all_operations_that_have_it_and_those_to_come() {
    let (server, call, token) = hanging();
    let client = client_of(&server.url());
    let other = client_of(&server.url());
    let callers: Vec<_> = [client.clone(), client.clone(), other]
        .into_iter()
        .map(|client| {
            let call = call.clone();
            std::thread::spawn(move || client.embed(call))
        })
        .collect();
    eventually_in_flight(&server, 60);
    token.cancel();
    for caller in callers {
        assert!(caller.join().unwrap().unwrap_err().is_cancelled());
    }
    assert!(client.embed(call).unwrap_err().is_cancelled());
    eventually_closed(&server);
}

#[test]
fn a_dropped_future_aborts_its_requests() {
    let took = best_of_five(|| {
        let (server, call, _) = hanging();
        let client = async_client_of(&server.url());
        let pending = client.embed(call);
        eventually_in_flight(&server, 20);
        drop(pending);
        let took = eventually_closed(&server);
        assert_eq!(server.stats().aborted, 20);
        took
    });
    assert!(took < SOON, "{took:?}");
}

#[test]
fn a_hedge_s_loser_is_closed() {
    let server = MockServer::start().unwrap();
    server.inject(Rule::on("/v1/embeddings", Fault::Hang).times(1));
    let client = client_of(&server.url());
    let call = Embed::new(texts(1), "m").preference(Preference {
        hedge_delay: Some(Duration::from_millis(50).into()),
        ..one_each()
    });
    client.embed(call).unwrap();
    eventually("the loser is closed", || server.stats().aborted == 1);
    // The winner's connection is kept for the next request.
    eventually("one is kept", || server.stats().connections_open == 1);
}

#[test]
fn an_attempt_s_timeout_covers_connect_head_and_body() {
    for fault in [Fault::Hang, Fault::HangBody] {
        let server = MockServer::start().unwrap();
        server.inject(Rule::on("/v1/embeddings", fault));
        let client = client_of(&server.url());
        let call = Embed::new(texts(1), "m").preference(Preference {
            timeout: Duration::from_millis(150),
            max_retries: 1,
            initial_backoff: Duration::from_millis(50),
            ..Preference::default()
        });
        let start = Instant::now();
        let error = client.embed(call).unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert!(start.elapsed() >= Duration::from_millis(300));
        assert_eq!(server.stats().requests, 2);
        eventually_closed(&server);
    }
}

#[test]
fn the_total_timeout_ends_the_operation_and_closes_its_sockets() {
    let (server, call, _) = hanging();
    let client = client_of(&server.url());
    let call = call.preference(Preference {
        total_timeout: Some(Duration::from_millis(200)),
        ..one_each()
    });
    let start = Instant::now();
    let error = client.embed(call).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(start.elapsed() >= Duration::from_millis(195));
    eventually_closed(&server);
}
