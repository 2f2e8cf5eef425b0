//! A process at its limits: few descriptors, no thread to be had. Each test runs once more in a process
//! of its own, to which the limits belong.

use crate::support::{client_of, client_on, mock_and_client, one_each, slow_mock, texts};
use crate::tls::in_a_process_of_its_own;
use hedgerow::mock::Latency;
use hedgerow::{Embed, Preference, System};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::time::{Duration, Instant};

/// The server is another process, with descriptors of its own.
const URL: &str = "HEDGEROW_TEST_EXHAUSTED_URL";

fn limit_descriptors(count: u64) {
    let limit = Rlimit {
        current: Some(count),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    setrlimit(Resource::Nofile, limit).expect("a lower limit is allowed");
}

fn window_of(requests: usize) -> Preference {
    Preference {
        max_concurrent_requests: requests,
        max_retries: 0,
        timeout: Duration::from_secs(20),
        ..one_each()
    }
}

#[test]
fn fewer_descriptors_than_the_window_are_fewer_requests_at_once() {
    const REQUESTS: usize = 3000;
    let Ok(url) = std::env::var(URL) else {
        let server = slow_mock(Latency::Fixed(Duration::from_millis(20)));
        let test = concat!(
            module_path!(),
            "::fewer_descriptors_than_the_window_are_fewer_requests_at_once"
        );
        return in_a_process_of_its_own(test, (URL, &server.url()), &[]);
    };
    limit_descriptors(64);
    for workers in [1, 2] {
        let system = System::builder().workers(workers).start();
        let client = client_on(&url, system.expect("a system"));
        let call = Embed::new(texts(REQUESTS), "m").preference(window_of(200));
        let start = Instant::now();
        let found = client.embed(call).expect("40 connections would do");
        // 3,000 in turns of 40 are 75, of some 20 ms.
        assert!(
            start.elapsed() < Duration::from_secs(6),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(found.len(), REQUESTS);
        let metrics = client.metrics().expect("it runs");
        assert_eq!(metrics.requests_failed, 0);
        let system = client.as_async().system();
        system.shutdown_blocking().expect("it runs");
    }
}

#[test]
fn no_descriptor_at_all_is_an_error_that_says_so() {
    let Ok(url) = std::env::var(URL) else {
        let (server, _) = mock_and_client();
        let test = concat!(
            module_path!(),
            "::no_descriptor_at_all_is_an_error_that_says_so"
        );
        return in_a_process_of_its_own(test, (URL, &server.url()), &[]);
    };
    let client = client_of(&url);
    // Its threads have what they need.
    client.metrics().expect("it runs");
    limit_descriptors(64);
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    let ask = || client.embed(Embed::new(texts(10), "m").preference(window_of(10)));
    let start = Instant::now();
    let error = ask().expect_err("no descriptor is left");
    assert!(start.elapsed() < Duration::from_secs(6));
    assert!(error.is_connect(), "{error}");
    assert!(error.to_string().contains("Too many open files"), "{error}");
    // It waits while others may give theirs back.
    let asked = std::thread::spawn({
        let client = client.clone();
        move || client.embed(Embed::new(texts(10), "m").preference(window_of(10)))
    });
    std::thread::sleep(Duration::from_millis(500));
    drop(taken);
    let found = asked.join().expect("no panic");
    assert_eq!(found.expect("answered").len(), 10);
    ask().expect("answered");
}

#[test]
fn no_thread_at_the_start_is_an_error_that_says_so() {
    const ALONE: &str = "HEDGEROW_TEST_ALONE";
    if std::env::var(ALONE).is_err() {
        let test = concat!(
            module_path!(),
            "::no_thread_at_the_start_is_an_error_that_says_so"
        );
        return in_a_process_of_its_own(test, (ALONE, "1"), &[]);
    }
    limit_descriptors(64);
    let error = System::builder().workers(100).start().unwrap_err();
    assert!(!error.is_closed(), "{error}");
    assert!(error.to_string().contains("no thread"), "{error}");
    // What had been started is stopped, and gives back what it had.
    for _ in 0..3 {
        let system = System::builder().workers(4).start().expect("a few threads");
        drop(system);
    }
}
