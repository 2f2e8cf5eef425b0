//! Servers that say no, over sockets: all that was asked for comes back, with few refusals, whatever
//! the call. What is claimed of requests, the mock server counted.

use crate::support::expected::{QUERY, assert_classes, assert_echoes, assert_ranks, assert_rows};
use crate::support::{async_client_of, batches_of, client_of, eventually, in_some_try, texts};
use hedgerow::mock::{Latency, Limits, MockConfig, MockServer};
use hedgerow::{
    BatchPost, BlockingClient, Classify, Embed, HeldBack, OnError, OnProgress, Preference, Rerank,
};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn limited(limits: Limits, latency: u64) -> MockServer {
    let config = MockConfig {
        limits,
        latency: Latency::Fixed(Duration::from_millis(latency)),
        ..MockConfig::default()
    };
    MockServer::start_with(config).expect("a server")
}

fn at_once(count: u64) -> Limits {
    Limits {
        max_in_flight: Some(count),
        ..Limits::default()
    }
}

fn window(batch_size: usize, max_concurrent_requests: usize) -> Preference {
    Preference {
        max_concurrent_requests,
        ..batches_of(batch_size)
    }
}

/// One in twelve at most, where the machine that runs the tests is not too busy: the first burst
/// counts.
fn few_refusals(server: &MockServer, what: &str) -> Result<(), String> {
    let stats = server.stats();
    let refused: u64 = stats.per_limit.values().sum();
    if refused * 12 <= stats.requests {
        Ok(())
    } else {
        Err(format!("{what}: {stats:?}"))
    }
}

type Call = fn(&BlockingClient, Preference);

const CALLS: [(&str, Call); 5] = [
    ("embed", |client, preference| {
        let call = Embed::new(texts(600), "m").preference(preference);
        assert_rows(&client.embed(call).unwrap(), &texts(600), &[]);
    }),
    ("rerank", |client, preference| {
        let call = Rerank::new(QUERY, texts(600)).preference(preference);
        assert_ranks(&client.rerank(call).unwrap(), &texts(600), &[]);
    }),
    ("classify", |client, preference| {
        let call = Classify::new(texts(600)).preference(preference);
        assert_classes(&client.classify(call).unwrap(), &texts(600), &[]);
    }),
    ("batch_post", |client, preference| {
        let bodies = texts(600).into_iter().map(Value::from);
        let call = BatchPost::new("/echo", bodies).preference(preference);
        assert_echoes(&client.post(call).unwrap(), &texts(600), &[]);
    }),
    ("embed_iter", |client, preference| {
        let call = Embed::template("m").preference(preference);
        let batches = client.embed_iter(texts(600), call);
        let rows: usize = batches.map(|batch| batch.unwrap().embeddings.len()).sum();
        assert_eq!(rows, 600);
    }),
];

#[test]
fn a_server_of_few_at_once_is_given_no_more_by_any_call() {
    for (what, call) in CALLS {
        in_some_try(|| {
            let server = limited(at_once(16), 20);
            call(&client_of(&server.url()), window(1, 128));
            few_refusals(&server, what)
        });
    }
}

#[test]
fn a_server_that_says_503_and_names_a_pause_is_served_as_well() {
    for (what, call) in CALLS {
        in_some_try(|| {
            let limits = Limits {
                overload_status: 503,
                retry_after: Some(1),
                ..at_once(16)
            };
            let server = limited(limits, 20);
            call(&client_of(&server.url()), window(1, 64));
            few_refusals(&server, what)
        });
    }
}

#[test]
fn twelve_texts_one_by_one_are_embedded_by_a_server_of_one_at_once() {
    let server = limited(at_once(1), 20);
    let call = Embed::new(texts(12), "m").preference(batches_of(1));
    let found = client_of(&server.url()).embed(call).unwrap();
    assert_rows(&found, &texts(12), &[]);
}

#[test]
fn the_window_is_shared_by_all_calls_of_a_system_and_fairly() {
    in_some_try(four_calls_share_a_window);
}

fn four_calls_share_a_window() -> Result<(), String> {
    let server = limited(at_once(16), 20);
    let client = client_of(&server.url());
    let done = Mutex::new([0usize; 4]);
    // What each had done when half of all was.
    let half = Mutex::new(None);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (client, done, half) = (&client, &done, &half);
            scope.spawn(move || {
                for _ in 0..8 {
                    let call = Embed::new(texts(50), "m").preference(window(1, 64));
                    assert_rows(&client.embed(call).unwrap(), &texts(50), &[]);
                    let mut done = done.lock().unwrap();
                    done[number] += 50;
                    if done.iter().sum::<usize>() >= 800 {
                        half.lock().unwrap().get_or_insert(*done);
                    }
                }
            });
        }
    });
    let seen = half.lock().unwrap().expect("half was done");
    let (least, most) = (seen.iter().min().unwrap(), seen.iter().max().unwrap());
    if least * 2 < *most {
        return Err(format!("{seen:?}"));
    }
    few_refusals(&server, "four calls")
}

#[test]
fn what_holds_a_call_back_is_told() {
    let server = limited(at_once(8), 20);
    let client = client_of(&server.url());
    let told = Arc::<Mutex<Vec<HeldBack>>>::default();
    let kept = Arc::clone(&told);
    let on_progress = OnProgress::new(move |progress| {
        kept.lock().unwrap().extend(progress.held_back);
    });
    let preference = Preference {
        on_progress: Some(on_progress),
        ..window(1, 64)
    };
    client
        .embed(Embed::new(texts(400), "m").preference(preference))
        .unwrap();
    let words: Vec<String> = told
        .lock()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    let last = words.last().expect("it was told");
    assert!(
        last.starts_with("window ") && last.contains(" of 64, "),
        "{words:?}"
    );
    assert!(last.ends_with(" % refused"), "{words:?}");

    let metrics = client.metrics().unwrap();
    let [endpoint] = metrics.endpoints.as_slice() else {
        panic!("{metrics:?}");
    };
    assert_eq!(endpoint.origin, server.url());
    let learned = endpoint.window.expect("a window");
    assert!((4..=16).contains(&learned), "{endpoint:?}");
    let refused: u64 = server.stats().per_limit.values().sum();
    assert_eq!((metrics.refused, endpoint.refused), (refused, refused));
    assert!(!endpoint.closed);
}

#[test]
fn a_server_that_refuses_nothing_is_sent_the_whole_window() {
    let server = limited(Limits::default(), 300);
    let call = Embed::new(texts(256), "m").preference(window(1, 128));
    client_of(&server.url()).embed(call).unwrap();
    assert_eq!(server.stats().peak_in_flight, 128);
    assert_eq!(server.stats().requests, 256);
}

#[test]
fn a_server_that_is_killed_and_started_again_loses_nothing() {
    let first = limited(Limits::default(), 20);
    let address = first.addr();
    let client = async_client_of(&first.url());
    let preference = Preference {
        on_error: OnError::Return,
        ..window(1, 32)
    };
    let call = client.embed(Embed::new(texts(3000), "m").preference(preference));
    eventually("it is asked", || first.stats().requests > 500);
    drop(first);
    std::thread::sleep(Duration::from_millis(1500));
    let again = MockServer::start_with(MockConfig {
        addr: address,
        ..MockConfig::default()
    });
    let again = again.expect("the address is free");
    let found = futures_executor::block_on(call).unwrap();
    assert_rows(&found, &texts(3000), &[]);
    assert!(again.stats().requests > 1000);
}
