//! What the parts of an endpoint's limits make of each other.

use super::*;

const MS: Duration = Duration::from_millis(1);
const PAUSE: Pause = Pause {
    asked: None,
    initial: Duration::from_millis(125),
};

/// An attempt, not the probe, that ended so after a millisecond.
fn ended(sign: Sign) -> Ended {
    Ended {
        sign,
        probing: false,
        took: MS,
        too_fast: false,
        path: 0,
    }
}

/// The same, after no time.
fn at_once(sign: Sign) -> Ended {
    Ended {
        took: Duration::ZERO,
        ..ended(sign)
    }
}

#[test]
fn one_that_hangs_does_not_hold_the_others_once_they_are_served_again() {
    let start = Instant::now();
    let mut limits = EndpointLimits::new(start);
    // One of two is answered, and so on; then one hangs, and the other is refused for a while.
    limits.sent();
    limits.sent();
    limits.ended(ended(Sign::Served), start, || 0.0);
    let mut refused = 0;
    let mut now = start;
    while now < start + 10_000 * MS {
        if limits.admit(now) == Admission::Go {
            limits.sent();
            let well = now >= start + 2000 * MS;
            let sign = if well {
                Sign::Served
            } else {
                Sign::TooMuch(PAUSE)
            };
            now += MS;
            limits.ended(ended(sign), now, || 0.0);
            if well {
                return;
            }
            refused += 1;
        }
        now += MS;
    }
    panic!("nothing went for 8 s; {refused} were refused before");
}

#[test]
fn a_refusal_with_nothing_else_in_flight_says_nothing_of_how_many_are_taken() {
    let start = Instant::now();
    let mut limits = EndpointLimits::new(start);
    limits.sent();
    limits.ended(ended(Sign::Served), start, || 0.0);
    limits.sent();
    limits.ended(ended(Sign::TooMuch(PAUSE)), start, || 0.0);
    let now = start + 10 * MS;
    assert_eq!(limits.admit(now), Admission::GoAsProbe);
    limits.sent();
    let probe = Ended {
        probing: true,
        ..ended(Sign::Served)
    };
    limits.ended(probe, now, || 0.0);
    assert_eq!(limits.state().window, None);
}

#[test]
fn kept_connections_that_end_together_hold_nobody_for_long() {
    let start = Instant::now();
    let mut limits = EndpointLimits::new(start);
    for _ in 0..64 {
        limits.sent();
    }
    limits.ended(ended(Sign::Served), start, || 0.0);
    for _ in 1..64 {
        let follows = limits.ended(ended(Sign::Stale), start, || 0.0);
        assert_eq!(follows, Follows::Nothing);
    }
    // They go on carefully: one first, and the others soon.
    assert_eq!(limits.admit(start), Admission::Go);
    limits.sent();
    assert!(matches!(limits.admit(start), Admission::Wait(Some(_))));
    let mut now = start;
    let mut gone = 1;
    while gone < 64 {
        match limits.admit(now) {
            Admission::Go => {
                limits.sent();
                gone += 1;
            }
            Admission::Wait(Some(until)) => now = until,
            other => panic!("{other:?}"),
        }
    }
    assert!(now - start <= 50 * MS, "{:?}", now - start);
}

#[test]
fn a_process_that_can_have_fewer_connections_keeps_to_them_and_none_is_given_up() {
    let start = Instant::now();
    let mut limits = EndpointLimits::new(start);
    // 200 want to go, each for 20 ms, and there are 50 descriptors.
    let mut ends = std::collections::VecDeque::new();
    let (mut served, mut refused) = (0, 0);
    for step in 0..20_000 {
        let now = start + step * MS / 10;
        while ends.front().is_some_and(|at| *at <= now) {
            ends.pop_front();
            served += 1;
            let follows = limits.ended(at_once(Sign::Served), now, || 0.0);
            assert_eq!(follows, Follows::Nothing);
        }
        while ends.len() < 200 && limits.admit(now) == Admission::Go {
            limits.sent();
            if ends.len() < 50 {
                ends.push_back(now + 20 * MS);
            } else {
                refused += 1;
                let follows = limits.ended(at_once(Sign::Exhausted), now, || 0.0);
                assert_eq!(follows, Follows::Nothing);
            }
        }
    }
    // 50 each 20 ms for 2 s are 5,000.
    assert!(served > 4500 && refused < 60, "{served} {refused}");
}

#[test]
fn a_process_that_can_have_no_connection_at_all_asks_once_a_second() {
    let start = Instant::now();
    let mut limits = EndpointLimits::new(start);
    assert_eq!(limits.admit(start), Admission::Go);
    limits.sent();
    let follows = limits.ended(at_once(Sign::Exhausted), start, || 0.0);
    assert_eq!(follows, Follows::Outage);
    let again = start + 1000 * MS;
    assert_eq!(limits.admit(start), Admission::Wait(Some(again)));
    for (after, is_hopeless) in [(1000, false), (3000, true)] {
        let now = start + after * MS;
        let timeout = 60_000 * MS;
        assert_eq!(limits.is_hopeless(start, now, 0, timeout), is_hopeless);
    }
}
