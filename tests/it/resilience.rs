//! Pauses, attempts and twins, in simulated time: the clock stands still but for what is awaited.

use crate::support::fake::{Answer, MS, Network, REQUEST_ID, own_header};
use crate::support::{one_by_one, one_each, texts};
use hedgerow::transport::TransportError;
use hedgerow::{Embed, HedgeDelay, Preference};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

#[actix_rt::test]
async fn refusals_are_retried_up_to_the_limit() {
    let network = Network::new(|_, _| (MS, Answer::Status(500, &[])));
    let preference = Preference {
        max_retries: 3,
        ..one_each()
    };
    let error = network.embed(1, preference).await.unwrap_err();
    assert_eq!(error.status(), Some(500));
    assert_eq!(network.asked(), 4);
    assert!(error.to_string().contains("500 Internal Server Error"));
    assert!(error.request_id().is_some_and(|id| id.ends_with("-0-3")));
}

#[actix_rt::test]
async fn other_refusals_are_final() {
    let network = Network::new(|_, _| (MS, Answer::Status(403, &[])));
    let error = network.embed(1, one_each()).await.unwrap_err();
    assert!(error.to_string().contains("403 Forbidden"), "{error}");
    assert_eq!(network.asked(), 1);
}

#[actix_rt::test]
async fn the_pause_that_a_server_asks_for_is_kept() {
    let network = Network::new(|number, _| match number {
        0 => (MS, Answer::Status(429, &[("Retry-After", "7")])),
        _ => (MS, Answer::Right),
    });
    let start = Instant::now();
    network.embed(1, one_each()).await.unwrap();
    let took = start.elapsed();
    assert!(took >= 7000 * MS && took < 7100 * MS, "{took:?}");
}

#[actix_rt::test]
async fn a_sleeping_retry_holds_no_place_in_the_window() {
    // The first request sleeps for 100 s; the other nine pass through a window of one.
    let network = Network::new(|number, _| match number {
        0 => (MS, Answer::Status(500, &[("retry-after", "100")])),
        _ => (MS, Answer::Right),
    });
    let call = Embed::new(texts(10), "m").preference(one_by_one());
    let pending = network.client.embed(call);
    tokio::time::sleep(60_000 * MS).await;
    let progress = pending.progress().await.unwrap();
    assert_eq!((progress.done, progress.total), (9, 10));
    pending.await.unwrap();
}

#[actix_rt::test]
async fn the_first_network_failure_of_a_request_is_paid_by_no_budget() {
    // Every other attempt of 100 requests breaks: the first of each, since they go one by one.
    let network = Network::new(|number, _| match number % 2 {
        0 => (MS, Answer::Broken(TransportError::Broken("reset".into()))),
        _ => (MS, Answer::Right),
    });
    let preference = Preference {
        max_retries: 1,
        retry_budget_pct: 0.0,
        ..one_by_one()
    };
    network.embed(100, preference).await.unwrap();
    assert_eq!(network.asked(), 200);
}

#[actix_rt::test]
async fn no_failure_is_retried_more_often_than_allowed() {
    for max_retries in [0, 1, 2] {
        let network =
            Network::new(|_, _| (MS, Answer::Broken(TransportError::Broken("reset".into()))));
        let preference = Preference {
            max_retries,
            ..one_each()
        };
        let error = network.embed(1, preference).await.unwrap_err();
        assert!(error.is_network(), "{error}");
        assert_eq!(network.asked(), 1 + u64::from(max_retries));
    }
}

#[actix_rt::test]
async fn network_failures_spend_the_operation_s_budget() {
    let network = Network::new(|_, _| (MS, Answer::Broken(TransportError::Broken("reset".into()))));
    let error = network.embed(100, one_each()).await.unwrap_err();
    assert!(error.is_network());
    // At most 100 first attempts, 100 free ones, and the budget of 1 + 5 % of 100.
    let asked = network.asked();
    assert!((2..=206).contains(&asked), "{asked}");
}

#[actix_rt::test]
async fn a_dead_host_fails_in_under_five_seconds() {
    let network = Network::new(|_, _| {
        (
            MS,
            Answer::Broken(TransportError::Connect("refused".into())),
        )
    });
    let start = Instant::now();
    let preference = Preference {
        retry_budget_pct: 3.0,
        max_retries: 6,
        ..one_each()
    };
    let error = network.embed(500, preference).await.unwrap_err();
    assert!(error.is_connect() && error.to_string().contains("(Connect)"));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[actix_rt::test]
async fn a_slow_request_gets_a_twin_and_the_first_success_wins() {
    let network = Network::new(|number, _| match number {
        0 => (10_000 * MS, Answer::Right),
        _ => (20 * MS, Answer::Right),
    });
    let preference = Preference {
        hedge_delay: Some((100 * MS).into()),
        ..one_each()
    };
    let start = Instant::now();
    let embeddings = network.embed(1, preference).await.unwrap();
    let took = start.elapsed();
    assert!(took >= 120 * MS && took < 130 * MS, "{took:?}");
    assert_eq!(network.asked(), 2);
    assert_eq!(embeddings.requests()[0].attempts, 2);
    let metrics = network.client.metrics().await.unwrap();
    assert_eq!((metrics.hedges, metrics.hedges_won), (1, 1));
}

#[actix_rt::test]
async fn of_a_hedged_pair_an_error_waits_for_its_twin() {
    let network = Network::new(|number, _| match number {
        0 => (500 * MS, Answer::Right),
        _ => (10 * MS, Answer::Status(500, &[])),
    });
    let preference = Preference {
        hedge_delay: Some((100 * MS).into()),
        max_retries: 0,
        ..one_each()
    };
    network
        .embed(1, preference)
        .await
        .expect("the slow attempt succeeds");
    assert_eq!(network.asked(), 2);
}

#[actix_rt::test]
async fn hedges_stay_within_their_budget() {
    let network = Network::new(|_, _| (1000 * MS, Answer::Right));
    let preference = Preference {
        hedge_delay: Some((100 * MS).into()),
        hedge_budget_pct: 0.10,
        ..one_each()
    };
    network.embed(200, preference).await.unwrap();
    assert_eq!(network.client.metrics().await.unwrap().hedges, 21);
    assert_eq!(network.asked(), 221);
}

/// The longest of 1,000 operations of which one in a hundred meets a slow server (a second in
/// place of 10 ms), and the requests that it took: of 1,000, the longest but one is the p99.9.
async fn tail(hedge_delay: Option<HedgeDelay>) -> (Duration, u64) {
    let network = Network::new(|number, _| {
        let time = if number % 100 == 57 { 1000 } else { 10 };
        (time * MS, Answer::Right)
    });
    let preference = Preference {
        hedge_delay,
        ..one_each()
    };
    let mut times = Vec::new();
    for _ in 0..1000 {
        let start = Instant::now();
        network.embed(1, preference.clone()).await.unwrap();
        times.push(start.elapsed());
    }
    times.sort_unstable();
    (times[998], network.asked())
}

#[actix_rt::test]
async fn the_tail_of_slow_servers_is_cut_ten_times_for_few_requests_more() {
    let (plain, requests) = tail(None).await;
    assert_eq!(requests, 1000);
    let (hedged, requests) = tail(Some((50 * MS).into())).await;
    assert!(hedged * 10 <= plain, "{hedged:?} against {plain:?}");
    assert!(requests <= 1050, "{requests}");
}

#[actix_rt::test]
async fn a_quantile_of_the_operation_s_own_requests_sets_the_hedge_delay() {
    // 10 ms to 19 ms, and every fiftieth two seconds; the p95 is 19 ms.
    let network = Network::new(|number, _| {
        let time = if number % 50 == 30 {
            2000
        } else {
            10 + u32::try_from(number % 10).unwrap()
        };
        (time * MS, Answer::Right)
    });
    let preference = Preference {
        hedge_delay: Some(HedgeDelay::Quantile(0.95)),
        max_concurrent_requests: 4,
        ..one_each()
    };
    let start = Instant::now();
    network.embed(1000, preference).await.unwrap();
    assert!(start.elapsed() < 5000 * MS, "{:?}", start.elapsed());
    let hedges = network.client.metrics().await.unwrap().hedges;
    assert!((20..=101).contains(&hedges), "{hedges}");
    // A twin may be called off before it is sent.
    assert!((1001..=1000 + hedges).contains(&network.asked()));
}

#[actix_rt::test]
async fn a_timeout_is_retried_and_then_told() {
    let network = Network::new(|_, _| (10_000 * MS, Answer::Right));
    let preference = Preference {
        timeout: 1000 * MS,
        max_retries: 1,
        ..one_each()
    };
    let error = network.embed(1, preference).await.unwrap_err();
    assert!(error.is_timeout());
    let text = error.to_string();
    assert!(text.contains("local") && text.contains("1 s"), "{text}");
    assert_eq!(network.asked(), 2);
}

#[actix_rt::test]
async fn the_deadline_of_an_operation_holds_over_pauses_and_attempts() {
    let network = Network::new(|_, _| (400 * MS, Answer::Status(500, &[])));
    let start = Instant::now();
    let preference = Preference {
        total_timeout: Some(2000 * MS),
        initial_backoff: 45_000 * MS,
        max_retries: 6,
        ..one_each()
    };
    let error = network.embed(3, preference).await.unwrap_err();
    assert!(
        error.is_timeout() && error.to_string().contains("total_timeout_s"),
        "{error}"
    );
    assert!(start.elapsed() <= 2005 * MS, "{:?}", start.elapsed());
}

#[actix_rt::test]
async fn each_attempt_tells_the_server_its_id_and_what_time_is_left() {
    let seen: Arc<Mutex<Vec<(String, u64)>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let network = Network::new(move |number, request| {
        let milliseconds = |name| own_header(request, name).parse::<u64>().unwrap();
        assert!(milliseconds("request-deadline-ms") > 1_700_000_000_000);
        let left = milliseconds("request-timeout-ms");
        let id = own_header(request, REQUEST_ID);
        keep.lock().unwrap().push((id, left));
        match number {
            0 => (2000 * MS, Answer::Status(500, &[])),
            _ => (MS, Answer::Right),
        }
    });
    let preference = Preference {
        timeout: 7000 * MS,
        total_timeout: Some(8000 * MS),
        ..one_each()
    };
    network.embed(1, preference).await.unwrap();
    let seen = seen.lock().unwrap();
    let [(first, whole), (second, rest)] = seen.as_slice() else {
        panic!("two attempts: {seen:?}");
    };
    assert!(
        first.starts_with("perfclient-") && first.ends_with("-0-0"),
        "{first}"
    );
    assert_eq!(second.strip_suffix("-0-1"), first.strip_suffix("-0-0"));
    // The second has only what the operation's deadline leaves.
    assert!((6999..=7000).contains(whole) && *rest < 6000, "{seen:?}");
}
