//! What the pacer does request by request.

use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn per_minute(requests: f64) -> Rates {
    Rates {
        requests_per_minute: Some(requests),
        tokens_per_minute: None,
    }
}

fn left(remaining: f64, reset: Option<Duration>) -> RateReport {
    RateReport {
        requests: Some(Allowance {
            remaining,
            limit: Some(60.0),
            period: Some(60 * SECOND),
            reset,
        }),
        tokens: None,
    }
}

/// Sends as many as go at once, up to 1,000.
fn burst(pacer: &mut Pacer, now: Instant, rates: Rates) -> usize {
    (0..1000)
        .take_while(|_| {
            let goes = pacer.admit(now, 0.0, rates).is_ok();
            if goes {
                pacer.sent(now, 0.0);
            }
            goes
        })
        .count()
}

#[test]
fn nothing_is_held_where_nothing_is_known_or_much_is_left() {
    let now = Instant::now();
    let mut pacer = Pacer::new();
    let none = Rates::default();
    assert_eq!(burst(&mut pacer, now, none), 1000);
    assert!(!pacer.counts_tokens(none));
    let mark = pacer.sent(now, 0.0);
    pacer.learn(now + SECOND, mark, 0.0, &left(1_000_000.0, None));
    assert_eq!(burst(&mut pacer, now + SECOND, none), 1000);
}

#[test]
fn a_set_rate_begins_with_a_quarter_of_a_second_and_goes_on_evenly() {
    let now = Instant::now();
    let mut pacer = Pacer::new();
    let rates = per_minute(60.0 * 500.0);
    assert_eq!(burst(&mut pacer, now, rates), 125);
    assert_eq!(burst(&mut pacer, now + 100 * MS, rates), 49);
    // A call without a rate is not held, and is counted.
    assert_eq!(burst(&mut pacer, now + 100 * MS, Rates::default()), 1000);
    assert_eq!(burst(&mut pacer, now + SECOND, rates), 0);
}

#[test]
fn a_request_that_weighs_more_than_the_bucket_goes_when_it_is_full_and_is_paid_for() {
    let now = Instant::now();
    let mut pacer = Pacer::new();
    let rates = Rates {
        requests_per_minute: None,
        tokens_per_minute: Some(6000.0),
    };
    assert!(pacer.counts_tokens(rates));
    assert_eq!(pacer.admit(now, 980.0, rates), Ok(()));
    pacer.sent(now, 980.0);
    let until = pacer.admit(now, 980.0, rates).unwrap_err().until;
    // 98 tokens a second.
    assert!((until - now).as_millis().abs_diff(10_000) <= 1);
    assert_eq!(pacer.admit(until + MS, 980.0, rates), Ok(()));
}

#[test]
fn an_answer_tells_what_is_left_less_what_is_on_its_way() {
    let now = Instant::now();
    let mut pacer = Pacer::new();
    let none = Rates::default();
    let marks: Vec<Mark> = (0..20).map(|_| pacer.sent(now, 0.0)).collect();
    // The first of twenty: the others are not in what it says.
    pacer.learn(now, marks[0], 0.0, &left(30.0, Some(30 * SECOND)));
    assert_eq!(burst(&mut pacer, now, none), 10);
}

#[test]
fn a_window_that_is_used_up_goes_on_at_its_reset() {
    let now = Instant::now();
    let mut pacer = Pacer::new();
    let mark = pacer.sent(now, 0.0);
    let mut report = left(0.0, Some(7 * SECOND));
    report.requests.as_mut().unwrap().limit = None;
    pacer.learn(now, mark, 0.0, &report);
    let held = pacer.admit(now, 0.0, Rates::default());
    assert_eq!(held.map_err(|hold| hold.until), Err(now + 7 * SECOND));
    assert_eq!(pacer.admit(now + 7 * SECOND, 0.0, Rates::default()), Ok(()));
}

#[test]
fn no_header_holds_for_longer_than_a_minute_and_one_that_says_nothing_of_more_for_a_quarter_of_a_second()
 {
    let now = Instant::now();
    for (reset, longest) in [
        (Some(Duration::from_hours(24)), 60 * SECOND),
        (None, 250 * MS),
    ] {
        let mut pacer = Pacer::new();
        let mark = pacer.sent(now, 0.0);
        let mut report = left(0.0, reset);
        report.requests.as_mut().unwrap().limit = None;
        pacer.learn(now, mark, 0.0, &report);
        let held = pacer.admit(now, 0.0, Rates::default());
        assert_eq!(held.map_err(|hold| hold.until), Err(now + longest));
        assert_eq!(pacer.admit(now + longest, 0.0, Rates::default()), Ok(()));
    }
}

#[test]
fn a_server_that_always_says_none_and_goes_on_serving_is_not_held_for_long() {
    let mut now = Instant::now();
    let mut pacer = Pacer::new();
    let start = now;
    let mut served = 0;
    // A request takes 20 ms, and one is sent at a time.
    while now < start + 120 * SECOND {
        match pacer.admit(now, 0.0, Rates::default()) {
            Ok(()) => {
                let mark = pacer.sent(now, 0.0);
                now += 20 * MS;
                pacer.learn(now, mark, 0.0, &left(0.0, Some(60 * SECOND)));
                served += u32::from(now > start + 100 * SECOND);
            }
            Err(hold) => now = hold.until,
        }
    }
    assert!(served > 900, "{served} of 1000 in the last 20 s");
}

#[test]
fn a_refusal_that_is_not_because_of_a_rate_cuts_none() {
    let now = Instant::now();
    let mut pacer = Pacer::new();
    let mark = pacer.sent(now, 0.0);
    let much = left(500.0, Some(SECOND));
    pacer.learn(now, mark, 0.0, &much);
    pacer.refused(now, mark, 0.0, Some(&much));
    pacer.refused(now, mark, 0.0, None);
    assert!(burst(&mut pacer, now, Rates::default()) >= 450);
    pacer.refused(now, mark, 0.0, Some(&left(0.0, Some(SECOND))));
    assert_eq!(burst(&mut pacer, now, Rates::default()), 0);
}

proptest! {
    #[test]
    fn no_more_goes_than_a_set_rate_allows_in_any_span(
        rate in 1.0f64..100_000.0, steps in prop::collection::vec((0u64..3000, 1usize..400), 1..60)
    ) {
        let start = Instant::now();
        let mut now = start;
        let mut pacer = Pacer::new();
        let mut sent: Vec<(f64, usize)> = Vec::new();
        for (pause, wanted) in steps {
            now += Duration::from_millis(pause);
            let goes = (0..wanted)
                .take_while(|_| {
                    let goes = pacer.admit(now, 0.0, per_minute(rate)).is_ok();
                    if goes {
                        pacer.sent(now, 0.0);
                    }
                    goes
                })
                .count();
            sent.push(((now - start).as_secs_f64(), goes));
        }
        for (first, (from, _)) in sent.iter().enumerate() {
            let mut total = 0.0;
            for (at, goes) in &sent[first..] {
                total += *goes as f64;
                let most = (rate / 240.0).max(1.0) + (at - from) * rate / 60.0;
                prop_assert!(total <= most + 1e-6, "{total} for {most}");
            }
        }
    }

    #[test]
    fn whatever_headers_say_a_request_goes_within_a_minute_and_it_is_told_when(
        says in prop::collection::vec(
            (0u64..120_000, 0.0f64..1e6, prop::option::of(0.0f64..1e6), prop::option::of(0u64..1_000_000),
             any::<bool>()), 1..40),
    ) {
        let mut now = Instant::now();
        let mut pacer = Pacer::new();
        for (pause, remaining, limit, reset, refused) in says {
            let mark = pacer.sent(now, 0.0);
            now += Duration::from_millis(pause);
            let report = RateReport {
                requests: Some(Allowance {
                    remaining: remaining.floor(),
                    limit,
                    period: Some(60 * SECOND),
                    reset: reset.map(Duration::from_millis),
                }),
                tokens: None,
            };
            pacer.learn(now, mark, 0.0, &report);
            if refused {
                pacer.refused(now, mark, 0.0, Some(&report));
            }
            let asked = now;
            while let Err(Hold { until, .. }) = pacer.admit(now, 0.0, Rates::default()) {
                prop_assert!(until > now);
                now = until;
            }
            prop_assert!(now <= asked + 60 * SECOND, "{:?}", now - asked);
        }
    }
}
