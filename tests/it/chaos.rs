//! Thousands of operations of every kind at once, under faults, hedges, cancels, deadlines, panics
//! and Workers that die: on a simulated network, and over sockets.
//!
//! What is asked and what goes wrong follows from a seed, which is printed; `HEDGEROW_SEED=n` runs
//! that one again. Pauses and their order are the system's own dice, so that a rare failure may
//! want a few runs of its seed.

// What is asked, and what is done to it meanwhile.
mod plan;

// Carries out a plan, and checks what its caller is told.
mod run;

// The simulated network: what goes wrong there, and what it saw of each operation.
mod weather;

use crate::support::fake::{MS, Network};
use crate::support::{async_client_on, eventually_async};
use hedgerow::internals::crash_worker;
use hedgerow::mock::{Encoding, Fault, Latency, MockConfig, MockServer, Rule};
use hedgerow::{Client, Embed, MetricsSnapshot, System};
use plan::{Plan, Ranges};
use rand::SeedableRng;
use rand::rngs::StdRng;
use run::Told;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use weather::Weather;

const DEATHS: usize = 40;

fn seed() -> u64 {
    let given = std::env::var("HEDGEROW_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().expect("a number"));
    println!("HEDGEROW_SEED={seed}");
    seed
}

fn plans(count: usize, seed: u64, ranges: &Ranges) -> Vec<Rc<Plan>> {
    let mut dice = StdRng::seed_from_u64(seed);
    let plan = |number| Rc::new(Plan::draw(number, ranges, &mut dice));
    (0..count).map(plan).collect()
}

/// Carries out all `plans` at once, each within `longest`, and then ends the system. Gives for
/// each plan what its caller was told.
async fn run_all(client: &Client, plans: &[Rc<Plan>], longest: Duration) -> Vec<Told> {
    let run = |plan: &Rc<Plan>| {
        let run = run::run(client.clone(), Rc::clone(plan));
        actix_rt::spawn(tokio::time::timeout(longest, run))
    };
    let runs: Vec<_> = plans.iter().map(run).collect();
    let mut told = Vec::new();
    for run in runs {
        let ended = run.await.expect("its checks hold");
        told.push(ended.expect("it ends"));
    }
    assert_counted(&settled(client).await, &told);
    end(client).await;
    told
}

/// What the system counted is what callers were told.
fn assert_counted(counted: &MetricsSnapshot, told: &[Told]) {
    let sum = |count: fn(&Told) -> usize| told.iter().map(count).sum::<usize>() as u64;
    // Of what was dropped nobody was told, and it may not have begun.
    let agree = |counted, told, unknown| {
        let range = told..=told + unknown;
        assert!(range.contains(&counted), "{counted} is not in {range:?}");
    };
    let (succeeded, failed) = (sum(|told| told.succeeded), sum(|told| told.failed));
    let unknown = sum(|told| told.unknown);
    agree(counted.requests_succeeded, succeeded, unknown);
    agree(counted.requests_failed, failed, unknown);
    let dropped = sum(|told| (told.unknown > 0).into());
    agree(counted.operations, told.len() as u64 - dropped, dropped);
    // Each of the ways was gone.
    assert!(counted.retries > 0, "{counted:?}");
    assert!(
        0 < counted.hedges_won && counted.hedges_won < counted.hedges,
        "{counted:?}"
    );
}

/// Ends the system: nothing is taken any more.
async fn end(client: &Client) {
    client.system().shutdown().await;
    // Those who wait are told a moment before.
    eventually_async("the mailbox is closed", || {
        format!("{:?}", client.system()).contains("running: false")
    })
    .await;
    let late = client.embed(Embed::new(["late"], "m")).await;
    assert!(late.unwrap_err().is_closed());
}

/// Has Workers die, a few a second.
fn doom(client: &Client, died: impl Fn() + 'static) {
    let system = client.system().clone();
    actix_rt::spawn(async move {
        for worker in 0..DEATHS {
            tokio::time::sleep(100 * MS).await;
            died();
            crash_worker(&system, worker);
        }
    });
}

/// What the system counted, once each attempt that was started has ended, as it must: an abort
/// takes a moment.
async fn settled(client: &Client) -> MetricsSnapshot {
    let mut patience = 1000;
    loop {
        let counted = client.metrics().await.expect("it runs");
        let ended = counted.samples + counted.attempts_failed + counted.attempts_aborted;
        assert!(ended <= counted.attempts, "{counted:?}");
        if ended == counted.attempts {
            return counted;
        }
        patience -= 1;
        assert!(patience > 0, "attempts are still under way: {counted:?}");
        tokio::time::sleep(MS).await;
    }
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
    let plans = plans(
        3000,
        seed,
        &Ranges {
            starts: 3000 * MS,
            timeout: 200..5000,
            retries: 6,
        },
    );
    let weather = Arc::new(Weather::new(seed));
    let network = Network::with_workers(3, Arc::clone(&weather));

    let dying = Arc::clone(&weather);
    doom(&network.client, move || dying.a_worker_dies());
    let told = run_all(&network.client, &plans, Duration::from_hours(1)).await;

    assert_eq!(network.open(), 0, "exchanges are still under way");
    // Timers that are not needed any more may be left to run out.
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(tasks(), before, "tasks are left");
    weather.assert_kept_their_limits(plans.iter().map(Rc::as_ref).zip(&told));
}

/// A server on which much goes wrong.
fn stormy(seed: u64) -> MockServer {
    let server = MockServer::start_with(MockConfig {
        seed,
        latency: Latency::LogNormal {
            median: 3 * MS,
            sigma: 1.0,
        },
        ..MockConfig::default()
    });
    let server = server.expect("the mock server starts");
    let too_much = Fault::Status {
        code: 429,
        retry_after: Some("0".into()),
        body: None,
    };
    for (share, fault) in [
        (0.03, Fault::status(500)),
        (0.002, too_much),
        (0.002, Fault::status(400)),
        (0.02, Fault::Reset),
        (0.02, Fault::CloseBeforeAnswer),
        (0.02, Fault::CloseWithoutNotice),
        (0.02, Fault::CutBody { after: None }),
        (0.01, Fault::BadJson),
        (0.01, Fault::ShortRows),
        (0.005, Fault::Hang),
        (0.005, Fault::HangBody),
        (0.05, Fault::Delay(100 * MS)),
        (0.2, Fault::Chunked),
        (0.2, Fault::Encoding(Encoding::Gzip)),
    ] {
        server.inject(Rule::on("/", fault).share(share));
    }
    server
}

#[actix_rt::test]
async fn the_same_holds_over_sockets_and_threads() {
    let seed = seed();
    let plans = plans(
        600,
        seed,
        &Ranges {
            starts: 1000 * MS,
            timeout: 300..1000,
            retries: 3,
        },
    );
    let server = stormy(seed);
    let system = System::builder().workers(3).start().expect("a system");

    let client = async_client_on(&server.url(), system);
    doom(&client, || {});
    run_all(&client, &plans, Duration::from_mins(1)).await;

    eventually_async("all is closed", || server.stats().connections_open == 0).await;
    let seen = server.stats();
    let ended = seen.answered + seen.aborted + seen.dropped;
    assert_eq!((seen.in_flight, seen.requests), (0, ended), "{seen:?}");
}
