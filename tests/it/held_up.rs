//! What must hold nobody up, and storm no server: requests that hang, lone refusals, pauses of
//! nothing, one path of many. In simulated time.

use crate::support::fake::{Answer, MS, Network, inputs_of};
use crate::support::{one_each, texts};
use futures_util::future::join;
use hedgerow::transport::TransportError;
use hedgerow::{CountTokens, Embed, OnError, Preference, Rerank};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

fn refused() -> Answer {
    Answer::Broken(TransportError::Connect("refused".into()))
}

/// The time since it was called first.
fn clock() -> impl Fn() -> Duration + Send + Sync + 'static {
    let began = Mutex::<Option<Instant>>::default();
    move || {
        let mut began = began.lock().unwrap();
        began.get_or_insert_with(Instant::now).elapsed()
    }
}

fn window(max_concurrent_requests: usize) -> Preference {
    Preference {
        max_concurrent_requests,
        ..one_each()
    }
}

#[actix_rt::test]
async fn a_request_that_hangs_holds_nobody_once_its_server_is_well_again() {
    let since = clock();
    let network = Network::new(move |number, _| {
        if number == 200 {
            (600_000 * MS, Answer::Right)
        } else if (500 * MS..2500 * MS).contains(&since()) {
            (MS, Answer::Status(503, &[]))
        } else {
            (50 * MS, Answer::Right)
        }
    });
    let long = network.embed(2000, window(64));
    let other = async {
        tokio::time::sleep(5000 * MS).await;
        let start = Instant::now();
        network.embed(1, one_each()).await.unwrap();
        start.elapsed()
    };
    let (answer, took) = join(long, other).await;
    answer.unwrap();
    assert!(took <= 1000 * MS, "{took:?}");
}

#[actix_rt::test]
async fn a_lone_refusal_does_not_hold_a_burst_that_follows() {
    let network = Network::new(move |number, _| match number {
        5 => (MS, Answer::Status(503, &[])),
        _ => (1000 * MS, Answer::Right),
    });
    network.embed(20, window(1)).await.unwrap();
    let start = Instant::now();
    network.embed(128, window(128)).await.unwrap();
    assert!(start.elapsed() <= 1100 * MS, "{:?}", start.elapsed());
}

#[actix_rt::test]
async fn a_large_request_is_not_overtaken_for_ever_by_small_ones_of_the_same_rate() {
    let network = Network::new(move |_, _| (MS, Answer::Right));
    let preference = Preference {
        tokens_per_minute: Some(60_000),
        count_tokens: Some(CountTokens::new(str::len)),
        ..window(8)
    };
    let start = Instant::now();
    let small = Embed::new(vec!["0123456789"; 1000], "m").preference(preference.clone());
    let large = Embed::new(vec!["x".repeat(250)], "m").preference(preference);
    let large = async {
        tokio::time::sleep(100 * MS).await;
        network.client.embed(large).await.unwrap();
        start.elapsed()
    };
    let (small, large) = join(network.client.embed(small), large).await;
    small.unwrap();
    assert!(large <= 1000 * MS, "{large:?}");
}

#[actix_rt::test]
async fn a_host_that_answers_no_connect_fails_within_five_seconds() {
    let network = Network::new(move |_, _| (4000 * MS, refused()));
    let start = Instant::now();
    network.embed(10, one_each()).await.unwrap_err();
    assert!(start.elapsed() <= 5000 * MS, "{:?}", start.elapsed());
}

#[actix_rt::test]
async fn requests_to_a_server_that_refused_and_then_hangs_time_out_side_by_side() {
    let since = clock();
    let network = Network::new(move |_, _| {
        if since() < 100 * MS {
            (MS, Answer::Status(503, &[]))
        } else {
            (3_600_000 * MS, Answer::Right)
        }
    });
    let start = Instant::now();
    let preference = Preference {
        timeout: 1000 * MS,
        on_error: OnError::Return,
        ..window(64)
    };
    let answer = network.embed(640, preference).await.unwrap();
    assert_eq!(answer.errors().len(), 640);
    assert!(start.elapsed() <= 30_000 * MS, "{:?}", start.elapsed());
}

#[actix_rt::test]
async fn a_server_that_refuses_all_and_names_no_pause_at_all_is_not_asked_without_end() {
    for count in [1, 100] {
        let network = Network::new(|_, _| (MS, Answer::Status(429, &[("retry-after", "0")])));
        network.embed(count, one_each()).await.unwrap_err();
        assert_eq!(network.asked(), 6);
    }
}

#[actix_rt::test]
async fn a_server_whose_headers_promise_more_at_once_and_that_refuses_is_not_stormed() {
    for reset in ["0s", "1ms"] {
        let headers: &'static [_] = Box::leak(Box::new([
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-limit-requests", "500"),
            ("x-ratelimit-reset-requests", reset),
        ]));
        let network = Network::new(move |number, _| match number {
            0..100 => (10 * MS, Answer::Right),
            _ => (MS, Answer::Status(429, headers)),
        });
        let preference = Preference {
            on_error: OnError::Return,
            total_timeout: Some(60_000 * MS),
            ..window(64)
        };
        network.embed(2000, preference).await.unwrap();
        assert!(network.asked() <= 300, "{reset}: {}", network.asked());
    }
}

#[actix_rt::test]
async fn a_path_that_is_refused_with_no_pause_is_asked_ever_less() {
    let ranks = Arc::<Mutex<u64>>::default();
    let kept = Arc::clone(&ranks);
    let network = Network::new(move |_, request| {
        if request.head.url.ends_with("rerank") {
            *kept.lock().unwrap() += 1;
            (MS, Answer::Status(429, &[("retry-after", "0")]))
        } else {
            (50 * MS, Answer::Right)
        }
    });
    let preference = Preference {
        total_timeout: Some(60_000 * MS),
        on_error: OnError::Return,
        ..window(16)
    };
    let call = Rerank::new("q", texts(16)).preference(preference.clone());
    let bad = network.client.rerank(call);
    let (good, _) = join(network.embed(2000, preference), bad).await;
    good.unwrap();
    let ranks = *ranks.lock().unwrap();
    assert!(ranks <= 200, "{ranks}");
}

#[actix_rt::test]
async fn a_counter_of_tokens_that_panics_does_not_end_the_system() {
    let network = Network::new(move |_, _| (MS, Answer::Right));
    let preference = Preference {
        tokens_per_minute: Some(60_000),
        count_tokens: Some(CountTokens::new(|_| panic!("a planned panic"))),
        ..one_each()
    };
    network.embed(3, preference).await.unwrap();
    network.embed(3, one_each()).await.unwrap();
}

#[actix_rt::test]
async fn a_probe_whose_operation_ends_lets_the_next_go() {
    let since = clock();
    let network = Network::new(move |_, request| {
        if since() < 100 * MS {
            (MS, Answer::Status(503, &[]))
        } else if inputs_of(request).iter().any(|text| text == "hang") {
            (3_600_000 * MS, Answer::Right)
        } else {
            (MS, Answer::Right)
        }
    });
    let start = Instant::now();
    let preference = Preference {
        total_timeout: Some(5000 * MS),
        ..one_each()
    };
    let call = Embed::new(vec!["hang"; 3], "m").preference(preference);
    let second = async {
        tokio::time::sleep(10 * MS).await;
        network.embed(10, one_each()).await
    };
    let (first, second) = join(network.client.embed(call), second).await;
    first.unwrap_err();
    second.unwrap();
    assert!(start.elapsed() <= 5500 * MS, "{:?}", start.elapsed());
}

#[actix_rt::test]
async fn one_path_that_is_always_refused_leaves_the_others_their_place() {
    let network = Network::new(move |_, request| {
        if request.head.url.ends_with("rerank") {
            (5 * MS, Answer::Status(429, &[]))
        } else {
            (50 * MS, Answer::Right)
        }
    });
    let preference = Preference {
        on_error: OnError::Return,
        ..window(64)
    };
    let start = Instant::now();
    let bad = Preference {
        total_timeout: Some(120_000 * MS),
        ..preference.clone()
    };
    let call = Rerank::new("q", texts(200)).preference(bad);
    let good = async {
        network.embed(2000, preference).await.unwrap();
        start.elapsed()
    };
    let (took, _) = join(good, network.client.rerank(call)).await;
    assert!(took <= 4000 * MS, "{took:?}");
}

#[actix_rt::test]
async fn a_pause_that_one_path_was_told_binds_no_other() {
    let network = Network::new(move |_, request| {
        if request.head.url.ends_with("rerank") {
            (MS, Answer::Status(429, &[("retry-after", "60")]))
        } else {
            (50 * MS, Answer::Right)
        }
    });
    network.embed(5, one_each()).await.unwrap();
    let preference = Preference {
        total_timeout: Some(100_000 * MS),
        ..one_each()
    };
    let bad = network
        .client
        .rerank(Rerank::new("q", texts(1)).preference(preference));
    let good = async {
        tokio::time::sleep(1000 * MS).await;
        let start = Instant::now();
        network.embed(1, one_each()).await.unwrap();
        start.elapsed()
    };
    let (_, took) = join(bad, good).await;
    assert!(took <= 1000 * MS, "{took:?}");
}
