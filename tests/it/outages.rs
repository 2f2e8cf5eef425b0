//! A server that is away: no connection can be made, or those that there were end. In simulated
//! time.

use crate::support::fake::{Answer, MS, Network};
use crate::support::one_each;
use hedgerow::transport::TransportError;
use hedgerow::{OnError, Preference};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

fn refused() -> Answer {
    Answer::Broken(TransportError::Connect("refused".into()))
}

fn reset() -> Answer {
    Answer::Broken(TransportError::Broken("reset".into()))
}

/// 64 requests of one text at a time; what is lost is told by row.
fn in_64(max_retries: u32) -> Preference {
    Preference {
        max_concurrent_requests: 64,
        max_retries,
        on_error: OnError::Return,
        ..one_each()
    }
}

/// A network whose server is away for a span, and when connects in vain were made.
fn away(from: Duration, to: Duration) -> (Network, Arc<Mutex<Vec<Duration>>>) {
    let connects = Arc::<Mutex<Vec<Duration>>>::default();
    let kept = Arc::clone(&connects);
    let began = Arc::<Mutex<Option<Instant>>>::default();
    let network = Network::new(move |_, _| {
        let start = *began.lock().unwrap().get_or_insert_with(Instant::now);
        let now = start.elapsed();
        let takes = 20 * MS;
        if (from..to).contains(&now) {
            kept.lock().unwrap().push(now);
            (Duration::ZERO, refused())
        } else if now < from && now + takes >= from {
            (from.saturating_sub(now), reset())
        } else {
            (takes, Answer::Right)
        }
    });
    (network, connects)
}

#[actix_rt::test]
async fn a_server_that_comes_back_within_the_deadlines_loses_nothing_and_is_asked_once_a_second() {
    for (seconds, max_retries) in [(1, 1), (6, 6), (6, 1), (60, 4), (600, 4)] {
        let span = Duration::from_secs(seconds);
        let (network, connects) = away(1000 * MS, 1000 * MS + span);
        let start = Instant::now();
        let preference = in_64(max_retries);
        let answer = network.embed(4000, preference).await.unwrap();
        assert_eq!(answer.errors().len(), 0, "{seconds} s");
        // What was sent at the very moment of its end could not know.
        let connects = connects.lock().unwrap();
        let later = connects.iter().filter(|at| **at > 1010 * MS).count();
        let most = usize::try_from(seconds).unwrap() + 1;
        assert!(
            !connects.is_empty() && later <= most,
            "{seconds} s: {connects:?}"
        );
        // 4,000 in turns of 64 and of 20 ms, the outage, and what it takes to see its end.
        let ideal = 4000 / 64 * 20 * MS + span;
        let late = start.elapsed().saturating_sub(ideal);
        assert!(late <= 1500 * MS + span / 8, "{seconds} s: {late:?} late");
    }
}

#[actix_rt::test]
async fn a_server_that_stays_away_is_waited_for_as_long_as_for_an_answer() {
    let (network, connects) = away(100 * MS, Duration::from_hours(100));
    let start = Instant::now();
    let preference = Preference {
        timeout: 60_000 * MS,
        on_error: OnError::Return,
        ..one_each()
    };
    let answer = network.embed(10_000, preference.clone()).await.unwrap();
    assert!(answer.errors().len() > 5000);
    assert!(
        answer
            .errors()
            .iter()
            .all(|failed| failed.error.is_connect())
    );
    let took = start.elapsed();
    assert!((60_000 * MS..75_000 * MS).contains(&took), "{took:?}");
    assert!(connects.lock().unwrap().len() <= 61);

    // Nothing that was never sent counts as a retry.
    let metrics = network.client.metrics().await.unwrap();
    assert!(metrics.retries <= 200, "{metrics:?}");

    // The deadline of an operation goes before that.
    let start = Instant::now();
    let preference = Preference {
        timeout: 5000 * MS,
        total_timeout: Some(5000 * MS),
        ..preference
    };
    let answer = network.embed(10, preference).await.unwrap();
    assert_eq!(answer.errors().len(), 10);
    assert!(start.elapsed() <= 5010 * MS);
}

#[actix_rt::test]
async fn a_host_that_was_never_there_fails_in_seconds_after_a_few_connects() {
    let (network, connects) = away(Duration::ZERO, Duration::from_hours(100));
    for max_retries in [6, 4, 1] {
        let start = Instant::now();
        let preference = Preference {
            max_retries,
            ..one_each()
        };
        let error = network.embed(1000, preference).await.unwrap_err();
        assert!(error.is_connect(), "{error}");
        assert!(start.elapsed() < 5000 * MS, "{:?}", start.elapsed());
    }
    assert!(connects.lock().unwrap().len() <= 12);
}

#[actix_rt::test]
async fn one_long_request_outlives_a_restart() {
    // It takes 5 s; the server dies at 4 s, and is back 1 to 4 s later.
    for away_for in [1, 2, 3, 4] {
        let back = Duration::from_secs(4 + away_for);
        let began = Arc::<Mutex<Option<Instant>>>::default();
        let network = Network::new(move |number, _| {
            let start = *began.lock().unwrap().get_or_insert_with(Instant::now);
            if number == 0 {
                (4000 * MS, reset())
            } else if start.elapsed() < back {
                (Duration::ZERO, refused())
            } else {
                (5000 * MS, Answer::Right)
            }
        });
        let start = Instant::now();
        let preference = Preference {
            max_retries: 6,
            initial_backoff: 4000 * MS,
            ..one_each()
        };
        network.embed(1, preference).await.unwrap();
        let late = start.elapsed().saturating_sub(back + 5000 * MS);
        assert!(late <= 2000 * MS, "{late:?}");
    }
}

#[actix_rt::test]
async fn a_connect_in_vain_while_others_are_served_stops_nobody() {
    // As where the process has no more descriptors.
    let network = Network::new(|number, _| match number % 50 {
        49 => (MS, refused()),
        _ => (20 * MS, Answer::Right),
    });
    let start = Instant::now();
    let preference = Preference {
        max_concurrent_requests: 64,
        ..one_each()
    };
    network.embed(5000, preference).await.unwrap();
    assert!(start.elapsed() <= 4500 * MS, "{:?}", start.elapsed());
}

/// A network of answers in 20 ms, whose connections break from the start of a span to its end.
fn breaking(from: Duration, to: Duration) -> Network {
    let began = Arc::<Mutex<Option<Instant>>>::default();
    Network::new(move |_, _| {
        let start = *began.lock().unwrap().get_or_insert_with(Instant::now);
        if (from..to).contains(&start.elapsed()) {
            (MS, reset())
        } else {
            (20 * MS, Answer::Right)
        }
    })
}

#[actix_rt::test]
async fn a_proxy_that_breaks_connections_while_its_server_is_away_costs_a_request_or_two() {
    for (seconds, max_retries) in [(2, 2), (6, 3), (6, 5), (25, 5)] {
        let span = Duration::from_secs(seconds);
        let network = breaking(1000 * MS, 1000 * MS + span);
        let start = Instant::now();
        let preference = in_64(max_retries);
        let answer = network.embed(20_000, preference).await.unwrap();
        let lost = answer.errors().len();
        assert!(lost <= 3, "{seconds} s: {lost} lost");
        let ideal = 20_000 / 64 * 20 * MS + span;
        let late = start.elapsed().saturating_sub(ideal);
        assert!(late <= 2000 * MS + span / 8, "{seconds} s: {late:?} late");
    }
}

#[actix_rt::test]
async fn a_server_that_breaks_all_from_some_time_on_ends_the_call() {
    let preference = Preference {
        max_concurrent_requests: 64,
        on_error: OnError::Return,
        ..one_each()
    };
    let for_ever = Duration::from_hours(100);
    for (served, most) in [(0, 10_000 * MS), (1000, 36_000 * MS)] {
        let network = breaking(served * MS, for_ever);
        let start = Instant::now();
        let served = Duration::from_millis(served.into());
        let answer = network.embed(100_000, preference.clone()).await.unwrap();
        let lost = answer.errors().len();
        assert_eq!(lost == 100_000, served.is_zero(), "{lost} lost");
        assert!(start.elapsed() <= most + served, "{:?}", start.elapsed());
    }
}

#[actix_rt::test]
async fn connections_that_break_now_and_then_hold_nobody() {
    // Three of ten.
    let network = Network::new(
        |number, _| match number.wrapping_mul(0x9e37_79b9) >> 16 & 0xff {
            0..77 => (5 * MS, reset()),
            _ => (20 * MS, Answer::Right),
        },
    );
    let start = Instant::now();
    let preference = Preference {
        max_concurrent_requests: 64,
        max_retries: 2,
        initial_backoff: 50 * MS,
        retry_budget_pct: 1.0,
        on_error: OnError::Return,
        ..one_each()
    };
    let answer = network.embed(20_000, preference).await.unwrap();
    // Three times three of ten are 27 of 1,000.
    let lost = answer.errors().len();
    assert!(lost <= 700, "{lost}");
    let ideal = 20_000 / 64 * 22 * MS;
    assert!(start.elapsed() <= ideal * 3 / 2, "{:?}", start.elapsed());
}

#[actix_rt::test]
async fn one_whose_head_comes_at_the_end_keeps_no_other_waiting() {
    let back = 3000 * MS;
    let began = Arc::<Mutex<Option<Instant>>>::default();
    let network = Network::new(move |_, _| {
        let start = *began.lock().unwrap().get_or_insert_with(Instant::now);
        if start.elapsed() < back {
            (Duration::ZERO, refused())
        } else {
            (60_000 * MS, Answer::Right)
        }
    });
    let start = Instant::now();
    let preference = Preference {
        max_concurrent_requests: 64,
        max_retries: 6,
        ..one_each()
    };
    network.embed(64, preference).await.unwrap();
    // A connect may take 4 s.
    let late = start.elapsed().saturating_sub(back + 60_000 * MS);
    assert!(late <= 6000 * MS, "{late:?}");
}
