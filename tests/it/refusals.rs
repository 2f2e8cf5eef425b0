//! A server that refuses is asked less, by everyone. In simulated time.

use crate::support::fake::{Answer, MS, Network, REQUEST_ID, Script, own_header};
use crate::support::{one_each, texts};
use hedgerow::transport::Request;
use hedgerow::{ApiKey, BatchPost, Embed, OnError, Preference};
use serde_json::json;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
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
        // The first is refused; the one that goes to see takes 100 ms.
        let network = Network::new(move |number, _| {
            stamp();
            match number {
                0 => (MS, Answer::Status(status, &[("retry-after", "5")])),
                1 => (100 * MS, Answer::Right),
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
        assert_eq!(network.asked(), 1 + 20);
        let times = times.lock().unwrap();
        assert!((5000 * MS..5010 * MS).contains(&times[1]), "{times:?}");
        // The others wait for the answer to the one that went first.
        assert!(times[2] >= times[1] + 100 * MS, "{times:?}");
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
    // One probe after each pause: 0.5 to 1 s, 2 to 4 s, 8 to 16 s, 22.5 to 45 s.
    for (probe, longest) in [(1, 1000), (2, 4000), (3, 16_000), (4, 45_000), (5, 45_000)] {
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
    assert_eq!(network.asked(), 1);
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
    // One goes first to an endpoint that was not asked before, and three after it: as many as one
    // request has tries, whoever's they were.
    assert_eq!(network.asked(), 4);
    // What was never sent was not retried.
    assert_eq!(network.client.metrics().await.unwrap().retries, 3);
    assert_eq!(answer.errors().len(), 10_000);
    for failed in answer.errors() {
        assert_eq!(failed.error.status(), Some(503));
        assert!(failed.error.request_id().is_some());
    }
    assert!(start.elapsed() < Duration::from_mins(1));

    // Whoever comes next sends one request to see.
    let answer = network.embed(10_000, preference).await.unwrap();
    assert_eq!(network.asked(), 4 + 1);
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

#[actix_rt::test]
async fn a_refusal_binds_the_one_that_was_told_while_others_are_served() {
    let (times, stamp) = stopwatch();
    let network = Network::new(move |number, _| {
        stamp();
        match number {
            5 => (MS, Answer::Status(429, &[("retry-after", "5")])),
            _ => (100 * MS, Answer::Right),
        }
    });
    let preference = Preference {
        max_concurrent_requests: 8,
        max_retries: 0,
        ..one_each()
    };
    let start = Instant::now();
    network.embed(40, preference).await.unwrap();
    let times = times.lock().unwrap();
    assert_eq!(times.len(), 41);
    // The others went on, and the last to go is the one that was told.
    assert!(times[39] <= 1000 * MS, "{times:?}");
    let told = times[5];
    assert!((told + 5000 * MS..told + 5010 * MS).contains(&times[40]));
    assert!(start.elapsed() <= 5200 * MS);
}

#[actix_rt::test]
async fn a_straggler_s_refusal_does_not_stop_an_endpoint_that_is_well() {
    let (times, stamp) = stopwatch();
    let network = Network::new(move |number, _| {
        stamp();
        match number {
            // Refused when all others have long been answered, and again and again.
            3 => (2000 * MS, Answer::Status(429, &[])),
            _ => (20 * MS, Answer::Right),
        }
    });
    let start = Instant::now();
    let preference = Preference {
        max_concurrent_requests: 8,
        ..one_each()
    };
    network.embed(2000, preference).await.unwrap();
    // 2,000 in turns of eight and of 20 ms; the straggler costs nobody a pause.
    assert!(start.elapsed() <= 5900 * MS, "{:?}", start.elapsed());
    assert_eq!(times.lock().unwrap().len(), 2001);
}

#[actix_rt::test]
async fn a_probe_passes_with_the_head_of_its_answer() {
    let (times, stamp) = stopwatch();
    let network = Network::new(move |number, _| {
        stamp();
        match number {
            0 => (MS, Answer::Status(429, &[("retry-after", "1")])),
            // Its body takes a minute.
            1 => (MS, Answer::Trickles(60_000 * MS)),
            _ => (MS, Answer::Right),
        }
    });
    network.embed(20, one_each()).await.unwrap();
    let times = times.lock().unwrap();
    assert!(times[20] <= 1100 * MS, "{times:?}");
}

#[actix_rt::test]
async fn refusals_while_others_are_served_are_charged_to_nobody() {
    // Each request is refused ten times, but never all of them at once.
    let refused: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
    let network = Network::new(move |number, request| {
        let id = own_header(request, REQUEST_ID);
        let request = id
            .rsplit_once('-')
            .expect("an attempt's number")
            .0
            .to_owned();
        let mut refused = refused.lock().unwrap();
        let times = refused.entry(request).or_default();
        *times += 1;
        if *times <= 10 && number % 3 != 0 {
            (MS, Answer::Status(429, &[]))
        } else {
            (30 * MS, Answer::Right)
        }
    });
    let preference = Preference {
        max_retries: 1,
        retry_budget_pct: 0.0,
        ..one_each()
    };
    network.embed(200, preference).await.unwrap();
}

#[actix_rt::test]
async fn a_server_of_few_at_once_is_used_to_the_full() {
    let in_service = Arc::new(AtomicUsize::new(0));
    let refused = Arc::new(AtomicUsize::new(0));
    let (counted, told) = (Arc::clone(&in_service), Arc::clone(&refused));
    let network = Network::with_workers(
        1,
        Limited {
            most: 16,
            in_service: counted,
            refused: told,
        },
    );
    let start = Instant::now();
    let preference = Preference {
        max_concurrent_requests: 128,
        ..one_each()
    };
    network.embed(1600, preference).await.unwrap();
    // 100 turns of 100 ms.
    assert!(start.elapsed() <= 11_500 * MS, "{:?}", start.elapsed());
    let refused = refused.load(Relaxed);
    assert!(refused * 20 <= 1600 + refused, "{refused}");
}

/// So many at once for 100 ms each; the others are refused at once.
struct Limited {
    most: usize,
    in_service: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Script for Limited {
    fn answer(&self, _: u64, _: &Request) -> (Duration, Answer) {
        if self.in_service.load(Relaxed) == self.most {
            self.refused.fetch_add(1, Relaxed);
            return (MS, Answer::Status(429, &[]));
        }
        self.in_service.fetch_add(1, Relaxed);
        let in_service = Arc::clone(&self.in_service);
        actix_rt::spawn(async move {
            tokio::time::sleep(100 * MS).await;
            in_service.fetch_sub(1, Relaxed);
        });
        (100 * MS, Answer::Right)
    }
}

#[actix_rt::test]
async fn calls_with_another_key_do_not_wait_for_one_that_is_paused() {
    let network = Network::new(|_, request| {
        let headers = &request.head.headers;
        let paused = headers.iter().any(|(_, value)| value == "Bearer sk-paused");
        if paused {
            (MS, Answer::Status(429, &[("retry-after", "100")]))
        } else {
            (MS, Answer::Right)
        }
    });
    let with_key = |key: &str| Preference {
        api_key: Some(ApiKey::new(key).unwrap()),
        ..one_each()
    };
    let paused = Embed::new(texts(1), "m").preference(with_key("sk-paused"));
    let paused = network.client.embed(paused);
    tokio::time::sleep(10 * MS).await;
    let start = Instant::now();
    network.embed(10, with_key("sk-other")).await.unwrap();
    assert!(start.elapsed() < 100 * MS);
    drop(paused);
}
