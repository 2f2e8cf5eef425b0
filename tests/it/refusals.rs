//! A server that refuses is asked less, by everyone. In simulated time.

use crate::support::fake::{Answer, MS, Network};
use crate::support::{one_each, texts};
use hedgerow::{BatchPost, Embed, OnError, Preference};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// When each request was made, since the start.
type Times = Arc<Mutex<Vec<Duration>>>;

fn stopwatch() -> (Times, impl Fn() + Send + Sync + 'static) {
    let times = Times::default();
    let kept = Arc::clone(&times);
    let start = Instant::now();
    let stamp = move || kept.lock().unwrap().push(start.elapsed());
    (times, stamp)
}

#[actix_rt::test]
async fn a_pause_that_a_server_asks_for_is_kept_by_every_request_and_one_goes_first() {
    for status in [429, 503] {
        let (times, stamp) = stopwatch();
        // The first eight are refused; the ninth takes 100 ms.
        let network = Network::new(move |number, _| {
            stamp();
            match number {
                0..8 => (MS, Answer::Status(status, &[("retry-after", "5")])),
                8 => (100 * MS, Answer::Right),
                _ => (MS, Answer::Right),
            }
        });
        let window = Preference {
            max_concurrent_requests: 4,
            ..one_each()
        };
        let call = || network.embed(10, window.clone());
        let (first, second) = futures_util::future::join(call(), call()).await;
        first.and(second).unwrap();
        // Two windows of four were on their way when the refusals came.
        assert_eq!(network.asked(), 8 + 20);
        let times = times.lock().unwrap();
        assert!(times[..8].iter().all(|time| *time < 2 * MS), "{times:?}");
        assert!((5000 * MS..5010 * MS).contains(&times[8]), "{times:?}");
        // The others wait for the answer to the one that went first.
        assert!(times[9] >= times[8] + 100 * MS, "{times:?}");
    }
}

#[actix_rt::test]
async fn without_a_named_pause_the_pauses_grow_until_a_probe_is_let_through() {
    let (times, stamp) = stopwatch();
    let network = Network::new(move |number, _| {
        stamp();
        match number {
            0..6 => (Duration::ZERO, Answer::Status(429, &[])),
            _ => (Duration::ZERO, Answer::Right),
        }
    });
    let preference = Preference {
        initial_backoff: 1000 * MS,
        max_retries: 6,
        ..one_each()
    };
    network.embed(3, preference).await.unwrap();
    let times = times.lock().unwrap();
    // Three at once, then one probe after each pause: 0.5 to 1 s, 2 to 4 s, 8 to 16 s, 22.5 to 45 s.
    assert!(times[2] < MS);
    for (probe, longest) in [(3, 1000), (4, 4000), (5, 16_000), (6, 45_000)] {
        let pause = times[probe].saturating_sub(times[probe - 1]);
        let longest = longest * MS;
        assert!(
            (longest / 2..=longest + 5 * MS).contains(&pause),
            "{times:?}"
        );
    }
}

#[actix_rt::test]
async fn a_pause_counts_against_the_request_s_own_retries_alone() {
    let network = Network::new(|_, _| (MS, Answer::Status(429, &[])));
    let preference = Preference {
        max_retries: 2,
        retry_budget_pct: 0.0,
        ..one_each()
    };
    let error = network.embed(1, preference).await.unwrap_err();
    assert_eq!(error.status(), Some(429));
    assert_eq!(network.asked(), 3);
}

#[actix_rt::test]
async fn a_pause_does_not_outlast_the_deadline() {
    let network = Network::new(|_, _| (MS, Answer::Status(503, &[("retry-after", "60")])));
    let start = Instant::now();
    let preference = Preference {
        total_timeout: Some(3000 * MS),
        ..one_each()
    };
    let error = network.embed(5, preference).await.unwrap_err();
    assert!(error.is_timeout());
    assert!(start.elapsed() <= 3010 * MS);
    assert_eq!(network.asked(), 5);
}

#[actix_rt::test]
async fn a_cancelled_probe_is_followed_by_another_operation_s() {
    let network = Network::new(|number, _| match number {
        0 => (MS, Answer::Status(429, &[("retry-after", "1")])),
        // The first probe hangs.
        1 => (3_600_000 * MS, Answer::Right),
        _ => (MS, Answer::Right),
    });
    let call = || network.client.embed(Embed::new(texts(1), "m"));
    let first = call();
    tokio::time::sleep(1500 * MS).await;
    assert_eq!(network.asked(), 2);
    let second = call();
    tokio::time::sleep(1500 * MS).await;
    assert_eq!(network.asked(), 2, "the second waits for the probe");
    drop(first);
    second.await.unwrap();
    assert_eq!(network.asked(), 3);
}

#[actix_rt::test]
async fn an_outage_is_not_multiplied() {
    let network = Network::new(|_, _| (10 * MS, Answer::Status(500, &[])));
    let preference = Preference {
        on_error: OnError::Return,
        max_retries: 6,
        initial_backoff: 50 * MS,
        max_concurrent_requests: 512,
        ..one_each()
    };
    // Many operations, and large ones: each alone could afford six retries a request.
    for _ in 0..4 {
        let answer = network.embed(2500, preference.clone()).await.unwrap();
        assert_eq!(answer.errors().len(), 2500);
    }
    // 10,000 requests, 20 % of them again, 100 in reserve and 10 a second.
    let asked = network.asked();
    assert!((12_000..=12_300).contains(&asked), "{asked}");
}

#[actix_rt::test]
async fn statuses_that_the_caller_calls_final_are() {
    let network = Network::new(|_, _| (MS, Answer::Status(503, &[])));
    let preference = Preference {
        non_retryable_status_codes: vec![503],
        ..one_each()
    };
    let error = network.embed(1, preference).await.unwrap_err();
    assert_eq!(error.status(), Some(503));
    assert_eq!(network.asked(), 1);
}

#[actix_rt::test]
async fn an_outage_costs_as_many_probes_as_one_request_has_tries() {
    let network = Network::new(|_, _| (MS, Answer::Status(503, &[])));
    let preference = Preference {
        max_concurrent_requests: 100,
        max_retries: 3,
        on_error: OnError::Return,
        ..one_each()
    };
    let start = Instant::now();
    let answer = network.embed(10_000, preference.clone()).await.unwrap();
    // A window's worth at once, three probes that are charged to all of those, and one more for
    // the requests that never went.
    assert_eq!(network.asked(), 100 + 4);
    assert_eq!(answer.errors().len(), 10_000);
    for failed in answer.errors() {
        assert_eq!(failed.error.status(), Some(503));
        assert!(failed.error.request_id().is_some());
    }
    assert!(start.elapsed() < Duration::from_mins(1));

    // Whoever comes next sends one request to see.
    let answer = network.embed(10_000, preference).await.unwrap();
    assert_eq!(network.asked(), 100 + 4 + 1);
    assert_eq!(answer.errors().len(), 10_000);
}

#[actix_rt::test]
async fn a_refused_probe_is_no_charge_to_calls_of_other_paths() {
    let network = Network::new(|_, request| {
        if request.head.url.ends_with("/v1/embeddings") {
            (MS, Answer::Status(503, &[]))
        } else {
            (MS, Answer::Right)
        }
    });
    let refused = network.embed(20, one_each());
    let other = BatchPost::new("/other", (0..20).map(|n| json!(n)));
    let other = network.client.post(other);
    let (refused, other) = futures_util::future::join(refused, other).await;
    assert_eq!(refused.unwrap_err().status(), Some(503));
    assert!(other.unwrap().is_complete());
    assert!(network.asked() >= 40);
}
