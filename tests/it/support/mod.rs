//! What the tests share.

pub(crate) mod hostile;

pub(crate) mod fake;

pub(crate) mod program;

use hedgerow::mock::MockServer;
use hedgerow::{BlockingClient, Client, Preference, System};
use std::time::{Duration, Instant};

/// A mock server and a blocking client of it, whose system has one Worker.
pub(crate) fn mock_and_client() -> (MockServer, BlockingClient) {
    let server = MockServer::start().expect("the mock server starts");
    let client = client_of(&server.url());
    (server, client)
}

/// A blocking client of `url`, with a key, whose system has one Worker.
pub(crate) fn client_of(url: &str) -> BlockingClient {
    BlockingClient::new(async_client_of(url))
}

/// A client of `url`, with a key, whose system has one Worker.
pub(crate) fn async_client_of(url: &str) -> Client {
    let system = System::builder().workers(1).start().expect("a system");
    Client::builder(url)
        .system(system)
        .api_key("sk-test-key")
        .build()
        .expect("a client")
}

/// `count` different texts.
pub(crate) fn texts(count: usize) -> Vec<String> {
    (0..count)
        .map(|index| format!("text number {index}"))
        .collect()
}

/// One input a request.
pub(crate) fn one_each() -> Preference {
    Preference {
        batch_size: 1,
        ..Preference::default()
    }
}

/// Waits until `condition` holds, and says how long it took; panics after ten seconds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
    start.elapsed()
}
