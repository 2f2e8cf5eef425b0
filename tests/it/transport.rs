//! What a connection can do to a client: cut, reset, stall, compress, redirect, lie.

mod bodies;
mod codings;
mod connections;
mod early;
mod heads;
mod limits;
mod queues;
mod stale;
mod stalls;
mod told;

use crate::support::hostile::{Act, Hostile, assert_right, right};
use crate::support::{client_of, texts};
use hedgerow::{BlockingClient, Embed, Embeddings, Error, Preference};
use std::time::Duration;

/// Ample time for a noisy machine, so that only what is meant to stall times out, and short
/// pauses.
fn preference() -> Preference {
    Preference {
        timeout: Duration::from_secs(20),
        initial_backoff: Duration::from_millis(50),
        ..Preference::default()
    }
}

/// The same, without any retry.
fn no_retries() -> Preference {
    retries(0)
}

/// The same with so many retries.
fn retries(max_retries: u32) -> Preference {
    Preference {
        max_retries,
        ..preference()
    }
}

/// One request with one text.
fn ask(client: &BlockingClient, preference: &Preference) -> Result<Embeddings, Error> {
    client.embed(Embed::new(texts(1), "m").preference(preference.clone()))
}

/// One request to a new client of `server`.
fn ask_once(server: &Hostile, preference: &Preference) -> Result<Embeddings, Error> {
    ask(&client_of(&server.url()), preference)
}

/// A new client of `server` asks so many times, and each first attempt is answered rightly.
fn is_right(server: &Hostile, times: usize) {
    let client = client_of(&server.url());
    for _ in 0..times {
        let found = ask(&client, &no_retries()).expect("an answer that can be read");
        assert_right(&found, 0, 1);
    }
    assert_eq!(server.requests(), times);
}

/// The refusal of `server` is told as it came, and at once.
fn is_told(server: &Hostile, status: u16, body: &str) {
    let error = ask_once(server, &preference()).expect_err("a refusal");
    let told = (error.status(), error.body());
    assert_eq!(told, (Some(status), Some(body)), "{error}");
    assert_eq!(server.requests(), 1);
}

/// The server misbehaves as `wrong` does, once: the caller must not notice.
fn is_retried(wrong: Act) {
    let server = Hostile::in_turn(vec![wrong, right]);
    let found = ask_once(&server, &retries(1)).expect("the second attempt succeeds");
    assert_right(&found, 0, 1);
    assert_eq!(found.requests()[0].attempts, 2);
    assert_eq!(server.requests(), 2);
}

/// What `server` answers is an error of the network, also when it is asked again.
fn is_broken(server: &Hostile) -> Error {
    let error = ask_once(server, &retries(1)).expect_err("no attempt succeeds");
    assert!(error.is_network(), "{error}");
    assert_eq!(server.requests(), 2, "{error}");
    error
}

/// The server misbehaves as `wrong` does, always: a typed error after the retries that are
/// allowed, which names the attempt that the server saw last.
fn is_a_network_error(wrong: Act) -> Error {
    let server = Hostile::start(wrong);
    let error = ask_once(&server, &retries(2)).expect_err("no attempt succeeds");
    assert!(error.is_network(), "{error}");
    assert_eq!(server.requests(), 3, "{error}");
    assert_names_the_last_attempt(&error, &server);
    error
}

fn assert_names_the_last_attempt(error: &Error, server: &Hostile) {
    let id = error.request_id().expect("a request id");
    assert!(error.to_string().contains(id), "{error}");
    let last = server.heads().pop().expect("a request was seen");
    let line = format!("x-baseten-customer-request-id: {id}\r\n");
    assert!(last.contains(&line), "{id} is not in {last}");
}
