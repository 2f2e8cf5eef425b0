//! Thousands of operations at once, under faults, hedges, cancels, deadlines and panics.
//!
//! Everything follows from a seed, which is printed; `HEDGEROW_SEED=n` runs that one again.

use crate::support::fake::{Answer, MS, Network};
use hedgerow::mock::embedding_of;
use hedgerow::transport::{Request, TransportError};
use hedgerow::{CancellationToken, Client, Embed, Embeddings, Error, HedgeDelay};
use hedgerow::{OnError, Preference, Result};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

const OPERATIONS: usize = 3000;

fn seed() -> u64 {
    let given = std::env::var("HEDGEROW_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().expect("a number"));
    println!("HEDGEROW_SEED={seed}");
    seed
}

/// A network on which three requests of four go well.
fn network(seed: u64) -> impl Fn(u64, &Request) -> (Duration, Answer) + Send + Sync {
    let dice = Mutex::new(StdRng::seed_from_u64(seed));
    move |_, _| {
        let mut dice = dice.lock().unwrap();
        let usual = dice.random_range(1..40) * MS;
        match dice.random_range(0..1000) {
            0..750 => (usual, Answer::Right),
            750..800 => (20 * usual, Answer::Right),
            800..850 => (usual, Answer::Status(500, &[])),
            850..860 => (usual, Answer::Status(503, &[])),
            860..865 => (usual, Answer::Status(429, &[("retry-after-ms", "120")])),
            865..870 => (usual, Answer::Status(400, &[])),
            870..930 => (
                usual,
                Answer::Broken(TransportError::Broken("reset".into())),
            ),
            930..950 => (
                MS,
                Answer::Broken(TransportError::Connect("refused".into())),
            ),
            950..970 => (Duration::from_hours(1), Answer::Right),
            _ => (usual, Answer::Panic),
        }
    }
}

/// One operation: what is asked, and what is done to it meanwhile.
struct Plan {
    texts: Vec<String>,
    preference: Preference,
    starts: Duration,
    /// Its token is cancelled after so long.
    cancelled: Option<Duration>,
    /// Its future is dropped after so long.
    dropped: Option<Duration>,
}

fn plan(number: usize, dice: &mut StdRng) -> Plan {
    let inputs = dice.random_range(1..60);
    let timeout = dice.random_range(200..5000) * MS;
    let hedge_delay = match dice.random_range(0..4) {
        0 => Some(HedgeDelay::Quantile(0.9)),
        1 => Some((50 * MS).into()),
        _ => None,
    };
    let total_timeout = dice
        .random_bool(0.3)
        .then(|| timeout + dice.random_range(0..2000) * MS);
    let on_error = if dice.random() {
        OnError::Return
    } else {
        OnError::Raise
    };
    let mut sometimes = |chance| {
        dice.random_bool(chance)
            .then(|| dice.random_range(0..400) * MS)
    };
    let (cancelled, dropped) = (sometimes(0.05), sometimes(0.05));
    Plan {
        texts: (0..inputs)
            .map(|input| format!("{number}/{input}"))
            .collect(),
        preference: Preference {
            batch_size: dice.random_range(1..16),
            max_concurrent_requests: dice.random_range(1..8),
            timeout,
            total_timeout,
            hedge_delay,
            max_retries: dice.random_range(0..=6),
            retry_budget_pct: dice.random_range(0.0..3.0),
            initial_backoff: 50 * MS,
            cancel_token: cancelled.map(|_| CancellationToken::new()),
            on_error,
            ..Preference::default()
        },
        starts: dice.random_range(0..3000) * MS,
        cancelled,
        dropped,
    }
}

/// Runs one operation, and checks what it gave.
async fn run(client: Client, plan: Plan) {
    tokio::time::sleep(plan.starts).await;
    let start = Instant::now();
    let Plan {
        texts,
        preference,
        cancelled,
        dropped,
        ..
    } = plan;
    let call = Embed::new(texts.clone(), "m").preference(preference.clone());
    let pending = client.embed(call);
    if let (Some(after), Some(token)) = (cancelled, preference.cancel_token.clone()) {
        actix_rt::spawn(async move {
            tokio::time::sleep(after).await;
            token.cancel();
        });
    }
    let result = match dropped {
        Some(after) => match tokio::time::timeout(after, pending).await {
            Ok(result) => result,
            Err(_) => return,
        },
        None => pending.await,
    };
    if let Some(total) = preference.total_timeout {
        assert!(start.elapsed() <= total + 5 * MS, "{:?}", start.elapsed());
    }
    check(&texts, &preference, &result);
}

fn check(texts: &[String], preference: &Preference, result: &Result<Embeddings>) {
    match result {
        Ok(embeddings) => {
            check_rows(texts, embeddings);
            assert_eq!(embeddings.is_complete(), embeddings.errors().is_empty());
            assert!(embeddings.is_complete() || preference.on_error == OnError::Return);
            // Each request ended exactly once: in success, or in one error.
            let mut failed: Vec<_> = embeddings
                .errors()
                .iter()
                .map(|it| it.inputs.start)
                .collect();
            failed.sort_unstable();
            let unsuccessful = embeddings.requests().iter().filter(|it| it.attempts == 0);
            assert!(
                failed
                    .iter()
                    .copied()
                    .eq(unsuccessful.map(|it| it.inputs.start))
            );
        }
        Err(error) => {
            assert!(is_expected(error, preference), "{error}");
            let partial: &Embeddings = error.partial().expect("it had begun");
            check_rows(texts, partial);
        }
    }
}

/// A row for each text: its own where its request succeeded, else NaN.
fn check_rows(texts: &[String], embeddings: &Embeddings) {
    assert_eq!(embeddings.len(), texts.len());
    let mut next = 0;
    for request in embeddings.requests() {
        assert_eq!(request.inputs.start, next, "requests are in input order");
        next = request.inputs.end;
        for input in request.inputs.clone() {
            let row = embeddings.row(input);
            if request.attempts > 0 {
                assert_eq!(row, embedding_of(&texts[input], 2));
            } else {
                assert!(row.iter().all(|value| value.is_nan()));
            }
        }
    }
}

fn is_expected(error: &Error, preference: &Preference) -> bool {
    if error.is_cancelled() {
        return preference.cancel_token.is_some();
    }
    let fault = error.status().is_some() || error.is_network() || error.is_connect();
    let panicked = error.to_string().contains("worker");
    preference.on_error == OnError::Raise && (fault || panicked || error.is_timeout())
}

#[actix_rt::test]
async fn every_request_ends_once_and_nothing_stays_open_whatever_happens() {
    let seed = seed();
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    let network = Network::with_workers(3, network(seed));
    let client = &network.client;
    let mut dice = StdRng::seed_from_u64(seed);
    let operations: Vec<_> = (0..OPERATIONS)
        .map(|number| actix_rt::spawn(run(client.clone(), plan(number, &mut dice))))
        .collect();
    for operation in operations {
        operation.await.expect("its checks hold");
    }
    let metrics = client.metrics().await.unwrap();
    assert_eq!(metrics.operations, OPERATIONS as u64);
    assert!(metrics.retries > 0 && metrics.hedges > 0 && metrics.hedges_won > 0);
    // What was aborted is gone within a moment; shutting down leaves no task behind.
    tokio::time::sleep(MS).await;
    assert_eq!(network.open(), 0, "exchanges are still under way");
    client.system().shutdown().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(tasks(), before, "tasks are left");
}
