//! What the tests share.

pub(crate) mod expected;

pub(crate) mod hostile;

pub(crate) mod fake;

pub(crate) mod h2_server;

pub(crate) mod tls_front;

pub(crate) mod tinyproxy;

pub(crate) mod queueing;

pub(crate) mod program;

use hedgerow::mock::{Fault, Latency, MockConfig, MockServer, Rule};
use hedgerow::{BlockingClient, Client, Preference, System};
use std::time::{Duration, Instant};

/// A mock server and a blocking client of it, whose system has one Worker.
pub(crate) fn mock_and_client() -> (MockServer, BlockingClient) {
    let server = MockServer::start().expect("the mock server starts");
    let client = client_of(&server.url());
    (server, client)
}

/// A mock server whose answers take a time.
pub(crate) fn slow_mock(latency: Latency) -> MockServer {
    let config = MockConfig {
        latency,
        ..MockConfig::default()
    };
    MockServer::start_with(config).expect("the mock server starts")
}

/// A mock server that never answers.
pub(crate) fn hanging_mock() -> MockServer {
    let server = MockServer::start().expect("the mock server starts");
    server.inject(Rule::on("/", Fault::Hang));
    server
}

/// Refuses for good each request that has the text of this number among its inputs.
pub(crate) fn refusing(number: usize) -> Rule {
    let text = format!("\"text number {number}\"");
    Rule::on("/", Fault::status(422)).when_body_contains(text)
}

/// A blocking client of `url`, with a key, whose system has one Worker.
pub(crate) fn client_of(url: &str) -> BlockingClient {
    BlockingClient::new(async_client_of(url))
}

/// A client of `url`, with a key, whose system has one Worker.
pub(crate) fn async_client_of(url: &str) -> Client {
    async_client_on(url, System::builder().workers(1).start().expect("a system"))
}

/// A blocking client of `url`, with a key, on this system.
pub(crate) fn client_on(url: &str, system: System) -> BlockingClient {
    BlockingClient::new(async_client_on(url, system))
}

/// A client of `url`, with a key, on this system.
pub(crate) fn async_client_on(url: &str, system: System) -> Client {
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

/// So many inputs a request.
pub(crate) fn batches_of(batch_size: usize) -> Preference {
    Preference {
        batch_size,
        ..Preference::default()
    }
}

/// One input a request.
pub(crate) fn one_each() -> Preference {
    batches_of(1)
}

/// One input a request, and one request after the other.
pub(crate) fn one_by_one() -> Preference {
    Preference {
        max_concurrent_requests: 1,
        ..one_each()
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Waits until `condition` holds, and says how long it took; panics after ten seconds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
    start.elapsed()
}

/// The same, and does not hold up what else runs on this thread.
pub(crate) async fn eventually_async(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until so many requests are under way at the server.
pub(crate) fn eventually_in_flight(server: &MockServer, count: u64) {
    eventually(&format!("{count} are in flight"), || {
        server.stats().in_flight == count
    });
}

/// Waits until the client has closed every connection, and says how long it took.
pub(crate) fn eventually_closed(server: &MockServer) -> Duration {
    eventually("all is closed", || server.stats().connections_open == 0)
}

/// Checks times, and checks them again where they are wrong: a busy machine spoils some tries, and a
/// fault all of them. What a busy machine does not change, the check asserts itself.
pub(crate) fn in_some_try(mut check: impl FnMut() -> Result<(), String>) {
    const TRIES: usize = 8;
    let mut causes = Vec::new();
    for _ in 0..TRIES {
        match check() {
            Ok(()) => return,
            Err(cause) => causes.push(cause),
        }
    }
    panic!("in none of {TRIES} tries: {causes:#?}");
}

/// Refuses a figure that is not near what is expected.
pub(crate) fn near(what: &str, found: f64, expected: f64, allowed: f64) -> Result<(), String> {
    if (found - expected).abs() <= allowed {
        Ok(())
    } else {
        Err(format!("{what} is {found} for {expected}"))
    }
}

/// The shortest of a few tries: the machine may be busy with other things during any of them.
pub(crate) fn best_of_five(mut attempt: impl FnMut() -> Duration) -> Duration {
    let tries = (0..5).map(|_| attempt());
    tries.min().expect("five tries")
}
