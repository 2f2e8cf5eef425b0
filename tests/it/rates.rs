//! Servers that allow so many requests or tokens a minute: what is set by calls, and what is learned.

use crate::support::{client_of, in_some_try, texts};
use hedgerow::mock::{Latency, LimitStyle, Limits, MockConfig, MockServer};
use hedgerow::{CountTokens, Embed, OnProgress, Preference};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A server whose answers take 5 ms.
fn limited(limits: Limits) -> MockServer {
    let config = MockConfig {
        latency: Latency::Fixed(Duration::from_millis(5)),
        limits,
        ..MockConfig::default()
    };
    MockServer::start_with(config).expect("the mock server starts")
}

/// What a call did: how long it took, and the requests that were refused of all.
struct Run {
    took: Duration,
    refused: u64,
    requests: u64,
}

impl Run {
    /// Embeds so many texts, a few each request; all rows must be there.
    fn of(server: &MockServer, inputs: Vec<String>, preference: Preference) -> Self {
        let client = client_of(&server.url());
        let count = inputs.len();
        let call = Embed::new(inputs, "m").preference(preference);
        let start = Instant::now();
        let answer = client.embed(call).expect("all is served");
        let took = start.elapsed();
        assert_eq!(answer.len(), count);
        let stats = server.stats();
        Self {
            took,
            refused: stats.per_limit.values().sum(),
            requests: stats.requests,
        }
    }

    /// Whether it took so many seconds, and of a hundred requests so many were refused at most.
    fn within(&self, seconds: std::ops::Range<f64>, share: u64) -> Result<(), String> {
        let (refused, requests, took) = (self.refused, self.requests, self.took);
        let few = 100 * refused <= share * requests;
        if few && seconds.contains(&took.as_secs_f64()) {
            return Ok(());
        }
        Err(format!("{refused} of {requests} were refused, in {took:?}"))
    }
}

fn one_each(window: usize) -> Preference {
    Preference {
        batch_size: 1,
        max_concurrent_requests: window,
        ..Preference::default()
    }
}

fn requests_per_second(rate: u64, style: LimitStyle) -> Limits {
    Limits {
        requests_per_minute: Some(60 * rate),
        style,
        ..Limits::default()
    }
}

#[test]
fn a_rate_that_headers_tell_is_kept() {
    for style in [
        LimitStyle::OpenAi,
        LimitStyle::Ietf,
        LimitStyle::Azure,
        LimitStyle::Anthropic,
    ] {
        in_some_try(|| {
            let server = limited(requests_per_second(400, style));
            let run = Run::of(&server, texts(1200), one_each(256));
            // 400 at once, and 800 more at 400 a second.
            run.within(1.9..2.5, 5)
        });
    }
}

#[test]
fn a_rate_of_tokens_that_headers_tell_is_kept() {
    in_some_try(|| {
        let server = limited(Limits {
            tokens_per_minute: Some(60 * 8000),
            ..Limits::default()
        });
        // 20 tokens each, as the server counts.
        let inputs = (0..1200).map(|number| format!("{number:080}")).collect();
        let preference = Preference {
            batch_size: 10,
            ..Preference::default()
        };
        Run::of(&server, inputs, preference).within(1.9..2.5, 5)
    });
}

#[test]
fn a_rate_that_a_call_sets_is_kept_and_nothing_is_refused() {
    in_some_try(|| {
        let server = limited(requests_per_second(400, LimitStyle::None));
        let preference = Preference {
            requests_per_minute: Some(60 * 400),
            ..one_each(256)
        };
        // 100 at once, and 800 more at 392 a second.
        Run::of(&server, texts(900), preference).within(2.0..2.5, 0)
    });
}

#[test]
fn tokens_are_counted_by_the_caller_where_it_says_how() {
    let server = limited(Limits::default());
    let counted = Arc::new(AtomicUsize::new(0));
    let calls = Arc::clone(&counted);
    let preference = Preference {
        // 50 at once, and 196 a second.
        tokens_per_minute: Some(12_000),
        count_tokens: Some(CountTokens::new(move |_| {
            calls.fetch_add(1, Relaxed);
            10
        })),
        ..one_each(64)
    };
    let run = Run::of(&server, texts(25), preference);
    assert!(run.took >= Duration::from_secs(1), "{:?}", run.took);
    assert_eq!(counted.load(Relaxed), 25);
}

#[test]
fn nobody_counts_tokens_where_no_rate_of_them_is_known() {
    let server = limited(requests_per_second(100_000, LimitStyle::OpenAi));
    let preference = Preference {
        requests_per_minute: Some(1_000_000),
        count_tokens: Some(CountTokens::new(|_| panic!("nobody asked for this"))),
        ..one_each(64)
    };
    assert_eq!(Run::of(&server, texts(100), preference).refused, 0);
}

#[test]
fn calls_share_a_rate_and_others_pass_them_by() {
    let server = limited(Limits::default());
    let client = client_of(&server.url());
    let slow = Preference {
        // 25 at once, and 98 a second.
        requests_per_minute: Some(6000),
        ..one_each(64)
    };
    let start = Instant::now();
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..2)
            .map(|_| {
                let call = Embed::new(texts(60), "m").preference(slow.clone());
                scope.spawn(|| client.embed(call).expect("it is served"))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        let before = Instant::now();
        let call = Embed::new(texts(200), "m").preference(one_each(64));
        client.embed(call).expect("it is served");
        let took = before.elapsed();
        assert!(took < Duration::from_millis(400), "{took:?}");
        for call in calls {
            call.join().expect("no panic");
        }
    });
    // 120 requests, 25 of them at once; the 200 others took from the same bucket.
    assert!(
        start.elapsed() >= Duration::from_millis(900),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn progress_says_what_a_call_is_paced_at() {
    let server = limited(Limits::default());
    let told = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&told);
    let preference = Preference {
        requests_per_minute: Some(6000),
        on_progress: Some(OnProgress::new(move |progress| {
            let held_back = progress.held_back.map(|why| why.to_string());
            kept.lock().unwrap().extend(held_back);
        })),
        ..one_each(64)
    };
    Run::of(&server, texts(60), preference);
    let told = told.lock().unwrap();
    assert!(
        told.iter().any(|words| words == "paced at 100/s"),
        "{told:?}"
    );
}
