//! Streams: given up ones are reset and their connection serves the next, and no connection has
//! more than it may have.

use super::{client, embed, is_right, settings, window_of};
use crate::support::h2_server::{H2Server, Visit, rows};
use crate::support::{client_on, eventually, texts};
use h2::Reason;
use hedgerow::{CancellationToken, Embed, Preference, System};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_millis(300);

/// Never answers the first so many requests, and the others rightly.
fn silent_for(first: usize) -> H2Server {
    H2Server::start(move |visit| async move {
        if visit.number < first {
            visit.until_reset().await;
        } else {
            visit.right().await;
        }
    })
}

/// The client has reset so many streams, and gets answers over the same connection.
fn assert_reset(server: &H2Server, count: usize) {
    eventually("all are reset", || server.resets().len() == count);
    assert_eq!(server.resets(), vec![Reason::CANCEL; count]);
    assert_eq!((server.connections(), server.closed()), (1, 0));
}

#[test]
fn a_cancelled_call_resets_its_streams_and_the_next_has_their_connection() {
    const REQUESTS: usize = 40;
    let server = silent_for(REQUESTS);
    let client = client(&server.url());
    let token = CancellationToken::new();
    let call = Embed::new(texts(REQUESTS), "m").preference(Preference {
        cancel_token: Some(token.clone()),
        ..window_of(REQUESTS)
    });
    let caller = std::thread::spawn({
        let client = client.clone();
        move || client.embed(call)
    });
    eventually("all are there", || server.requests() == REQUESTS);
    token.cancel();
    assert!(caller.join().unwrap().unwrap_err().is_cancelled());
    assert_reset(&server, REQUESTS);
    is_right(&client, REQUESTS);
    assert_eq!((server.connections(), server.requests()), (1, 2 * REQUESTS));
}

#[test]
fn a_dropped_call_resets_its_streams() {
    const REQUESTS: usize = 40;
    let server = silent_for(REQUESTS);
    let client = client(&server.url());
    let call = Embed::new(texts(REQUESTS), "m").preference(window_of(REQUESTS));
    let pending = client.as_async().embed(call);
    eventually("all are there", || server.requests() == REQUESTS);
    drop(pending);
    assert_reset(&server, REQUESTS);
    is_right(&client, 1);
}

#[test]
fn a_hedge_s_loser_is_reset() {
    let server = silent_for(1);
    let client = client(&server.url());
    let call = Embed::new(texts(1), "m").preference(Preference {
        hedge_delay: Some(Duration::from_millis(50).into()),
        ..window_of(1)
    });
    let found = client.embed(call).expect("the twin is answered");
    assert_eq!(found.requests()[0].attempts, 2);
    assert_reset(&server, 1);
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_silent_server_times_out_and_its_streams_are_reset() {
    // The first says nothing at all, the second stops within the body.
    let server = H2Server::start(async |mut visit| match visit.number {
        0 => visit.until_reset().await,
        1 => match visit.begin(200, &[]) {
            Some(mut sending) => {
                let _ = sending.send_data("{\"data\":[".into(), false);
                visit.until_reset_of(sending).await;
            }
            None => visit.until_reset().await,
        },
        _ => visit.right().await,
    });
    let client = client(&server.url());
    for _ in 0..2 {
        let call = Embed::new(texts(1), "m").preference(Preference {
            timeout: TIMEOUT,
            max_retries: 0,
            ..window_of(1)
        });
        let start = Instant::now();
        let error = client.embed(call).expect_err("never answered");
        assert!(error.is_timeout(), "{error}");
        assert!(error.to_string().contains("(timeout_s)"), "{error}");
        assert!(start.elapsed() >= TIMEOUT, "{:?}", start.elapsed());
    }
    assert_reset(&server, 2);
    is_right(&client, 1);
    assert_eq!((server.connections(), server.requests()), (1, 3));
}

#[test]
fn the_total_timeout_ends_the_call_and_resets_its_streams() {
    const REQUESTS: usize = 20;
    let server = silent_for(REQUESTS);
    let client = client(&server.url());
    let call = Embed::new(texts(REQUESTS), "m").preference(Preference {
        timeout: Preference::default().timeout,
        total_timeout: Some(TIMEOUT),
        ..window_of(REQUESTS)
    });
    let error = client.embed(call).expect_err("never answered");
    assert!(error.is_timeout(), "{error}");
    assert_reset(&server, REQUESTS);
    is_right(&client, 1);
}

#[test]
fn no_connection_has_more_streams_than_its_server_allows() {
    const REQUESTS: usize = 60;
    for allowed in [1, 2, 7] {
        let server = H2Server::allowing(allowed, Visit::right);
        let system = System::builder().workers(1).http(settings()).start();
        let client = client_on(&server.url(), system.expect("a system"));
        for calls in 1..=2 {
            // Not one was refused and sent again.
            is_right(&client, REQUESTS);
            assert_eq!(server.requests(), calls * REQUESTS);
        }
        assert!(server.most_open() <= allowed as usize);
        let made = server.connections();
        assert!(made <= REQUESTS.div_ceil(allowed as usize), "{made} made");
    }
}

#[test]
fn where_all_allowed_streams_hang_others_have_another_connection() {
    const ALLOWED: u32 = 4;
    let server = H2Server::allowing(ALLOWED, |visit| async move {
        if visit.connection == 0 {
            visit.until_reset().await;
        } else {
            visit.right().await;
        }
    });
    let client = client(&server.url());
    let hanging = Embed::new(texts(4), "m").preference(window_of(4));
    let pending = client.as_async().embed(hanging);
    eventually("all are there", || server.requests() == 4);
    is_right(&client, 1);
    assert_eq!(server.connections(), 2);
    drop(pending);
    eventually("all are reset", || server.resets().len() == 4);
}

/// Servers count streams that are reset, and end a connection that resets too many.
#[test]
fn an_answer_that_was_read_whole_is_not_reset() {
    let server = H2Server::start(async |mut visit| {
        let body = rows(&visit.read().await, 2);
        let mut sending = visit.begin(200, &[]).expect("the client is there");
        sending.send_data(body, true).unwrap();
        visit.until_reset_of(sending).await;
    });
    let client = client(&server.url());
    embed(&client, 10).expect("answered");
    std::thread::sleep(TIMEOUT);
    assert_eq!(server.resets(), []);
}
