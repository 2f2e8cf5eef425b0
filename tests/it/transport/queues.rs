//! Servers that serve few connections at once and leave the others in their queue.

use super::no_retries;
use crate::support::expected::assert_rows;
use crate::support::queueing::{Then, queueing};
use crate::support::{client_on, texts};
use hedgerow::{Embed, Preference, System};
use std::time::{Duration, Instant};

/// On a busy machine; it takes 1 to 4 s on one that is not. What is kept idle is closed after 55 s.
const LONGEST: Duration = Duration::from_secs(30);

/// All texts are answered at the first attempt, whatever is in the queue.
fn is_served(served: usize, queue: u32, then: Then, workers: usize) {
    // Without keeping connections a busy machine makes few of them.
    let requests = match then {
        Then::Keep => 3000,
        Then::Close => 600,
    };
    let url = format!("http://{}", queueing(served, queue, then));
    let system = System::builder().workers(workers).start();
    let client = client_on(&url, system.expect("a system"));
    let texts = texts(requests);
    let call = Embed::new(texts.clone(), "m").preference(Preference {
        batch_size: 1,
        timeout: 2 * LONGEST,
        ..no_retries()
    });
    let start = Instant::now();
    let found = client.embed(call).expect("no row is lost");
    let took = start.elapsed();
    assert_rows(&found, &texts, &[]);
    println!("{served} at once, {queue} in the queue, {then:?}, {workers} workers: {took:?}");
    assert!(took < LONGEST, "{served} {then:?}: {took:?}");
}

#[test]
fn one_that_serves_a_connection_at_a_time_serves_all() {
    is_served(1, 5, Then::Keep, 1);
}

#[test]
fn one_that_serves_eight_connections_at_once_serves_all() {
    is_served(8, 8, Then::Keep, 1);
    is_served(8, 1024, Then::Keep, 1);
    is_served(8, 8, Then::Close, 1);
}

/// Each Worker has connections of its own.
#[test]
fn those_that_one_worker_keeps_are_no_hindrance_to_another() {
    for _ in 0..3 {
        is_served(1, 1024, Then::Keep, 2);
        is_served(8, 1024, Then::Keep, 2);
    }
}
