//! What the parts of an endpoint's limits make of each other.

use super::*;

const MS: Duration = Duration::from_millis(1);

#[test]
fn one_that_hangs_does_not_hold_the_others_once_they_are_served_again() {
    let start = Instant::now();
    let mut limits = EndpointLimits::new(start);
    let pause = Pause {
        asked: None,
        initial: 125 * MS,
    };
    let ended = |sign| Ended {
        sign,
        probing: false,
        took: MS,
        too_fast: false,
        path: 0,
    };
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
                Sign::TooMuch(pause)
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
    let pause = Pause {
        asked: None,
        initial: 125 * MS,
    };
    let ended = |sign, probing| Ended {
        sign,
        probing,
        took: MS,
        too_fast: false,
        path: 0,
    };
    limits.sent();
    limits.ended(ended(Sign::Served, false), start, || 0.0);
    limits.sent();
    limits.ended(ended(Sign::TooMuch(pause), false), start, || 0.0);
    let now = start + 10 * MS;
    assert_eq!(limits.admit(now), Admission::GoAsProbe);
    limits.sent();
    limits.ended(ended(Sign::Served, true), now, || 0.0);
    assert_eq!(limits.state().window, None);
}

#[test]
fn kept_connections_that_end_together_hold_nobody_for_long() {
    let start = Instant::now();
    let mut limits = EndpointLimits::new(start);
    let ended = |sign| Ended {
        sign,
        probing: false,
        took: MS,
        too_fast: false,
        path: 0,
    };
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
