//! Servers of every kind, simulated: which rows come, and what it costs.

use super::*;
use crate::policy::pieces::{Piece, Requests, parts};
use crate::policy::split::{Limits, Weight, split};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// How an operation went.
#[derive(Debug, Default)]
struct Run {
    sent: usize,
    right: BTreeSet<usize>,
    /// Inputs that failed by themselves.
    bad: BTreeSet<usize>,
    /// The search was given up: no input was to blame.
    gave_up: bool,
}

/// Sends `inputs` in batches, `window` at a time, to a server that refuses what holds a bad input.
fn run(inputs: usize, batch: usize, window: usize, is_bad: impl Fn(usize) -> bool) -> Run {
    let plan = split(inputs, Limits::of_count(batch), |_| Weight::default());
    let mut requests = Requests::new(plan);
    let mut suspicion = Suspicion::default();
    let mut run = Run::default();
    let mut ready = VecDeque::new();
    let mut flying = VecDeque::new();
    let mut next = 0;
    let mut ended = 0;
    while ended < requests.to_end() {
        while flying.len() < window {
            if let Some(piece) = ready.pop_front() {
                flying.push_back(piece);
            } else if next < requests.planned() && !suspicion.holds_back() {
                flying.push_back(u32::try_from(next).unwrap());
                next += 1;
            } else {
                break;
            }
        }
        let request = flying.pop_front().expect("what has not ended is under way");
        run.sent += 1;
        let range = requests.range(request as usize);
        if !range.clone().any(&is_bad) {
            ended += 1;
            run.right.extend(range);
            ready.extend(suspicion.succeeded().into_iter().flatten());
            continue;
        }
        if suspicion.refused(Blame::Status(400), range.len(), 1) {
            run.gave_up = true;
            return run;
        }
        if range.len() == 1 {
            ended += 1;
            run.bad.extend(range);
            ready.extend(suspicion.failed(request));
        } else {
            let pieces = parts(range, PARTS).map(|inputs| Piece {
                inputs,
                attempts: 0,
                suspect: true,
                without_base64: false,
            });
            let pieces = requests.cut(request, pieces);
            ready.extend(suspicion.cut(request, pieces));
        }
    }
    run
}

fn log2(number: usize) -> usize {
    halvings(number) as usize
}

#[test]
fn a_single_bad_input_costs_its_row_wherever_it_is() {
    for inputs in [2, 3, 7, 32, 100, 128, 1000] {
        for bad in 0..inputs {
            let run = run(inputs, 128, 8, |input| input == bad);
            assert!(!run.gave_up, "{bad} of {inputs}");
            assert_eq!(run.bad, BTreeSet::from([bad]));
            assert_eq!(run.right.len(), inputs - 1);
            let more = run.sent - inputs.div_ceil(128);
            let batch = inputs.min(128);
            assert!(more <= 2 * log2(batch), "{more} for {bad} of {inputs}");
        }
    }
}

#[test]
fn what_is_about_no_input_costs_a_logarithm() {
    for inputs in 4..=1024 {
        let run = run(inputs, 1024, 8, |_| true);
        assert!(run.gave_up && run.right.is_empty());
        let most = 1 + log2(inputs);
        assert!(run.sent <= most, "{} for {inputs}", run.sent);
    }
}

#[test]
fn of_many_batches_those_in_flight_are_refused_and_no_more_are_sent() {
    let run = run(100_000, 128, 16, |_| true);
    assert!(run.gave_up);
    assert!(run.sent <= 16 + 1 + log2(128), "{}", run.sent);
}

#[test]
fn bad_inputs_that_stand_together_are_no_proof() {
    for bad in [0..2, 0..5, 126..128, 40..50] {
        let run = run(128, 128, 8, |input| bad.contains(&input));
        assert!(!run.gave_up, "{bad:?}");
        assert_eq!(run.bad, bad.collect());
    }
}

#[test]
fn other_refusals_begin_the_count_anew() {
    let mut suspicion = Suspicion::default();
    assert!(!suspicion.refused(Blame::Status(400), 4, 1));
    assert_eq!(suspicion.cut(0, 1..5), 1..2);
    assert!(!suspicion.refused(Blame::Status(400), 1, 1));
    assert_eq!(suspicion.failed(1), Some(4));
    assert!(!suspicion.refused(Blame::Row, 1, 1));
    assert_eq!(suspicion.failed(4), Some(3));
    assert_eq!(suspicion.failed(3), Some(2));
    assert!(suspicion.holds_back());
    assert_eq!(suspicion.failed(2), None);
    assert!(!suspicion.holds_back());
}

#[test]
fn a_probe_that_is_cut_for_another_reason_holds_nothing_back() {
    let mut suspicion = Suspicion::default();
    assert!(!suspicion.refused(Blame::Status(400), 8, 1));
    assert_eq!(suspicion.cut(0, 1..5), 1..2);
    assert!(suspicion.reshaped(7).is_empty());
    assert!(suspicion.holds_back());
    assert_eq!(suspicion.reshaped(1), [2, 3, 4]);
    assert!(!suspicion.holds_back());
    assert!(!suspicion.refused(Blame::Status(400), 2, 1));
    assert_eq!(suspicion.cut(2, 5..7), 5..6);
}

proptest! {
    #[test]
    fn each_bad_input_costs_its_row_and_few_requests(
        inputs in 2usize..600, batch in 2usize..200, window in 1usize..20,
        bad in prop::collection::btree_set(0usize..600, 0..12),
    ) {
        let bad: BTreeSet<usize> = bad.into_iter().filter(|input| *input < inputs).collect();
        let run = run(inputs, batch, window, |input| bad.contains(&input));
        let planned = inputs.div_ceil(batch);
        let more = run.sent - planned.min(run.sent);
        let each = 2 * log2(batch.min(inputs));
        prop_assert!(more <= bad.len() * each, "{} for {:?} of {}", more, bad, inputs);
        if run.gave_up {
            // Two single inputs were refused, and nothing else had succeeded.
            prop_assert!(bad.len() >= 2 && run.right.is_empty());
        } else {
            prop_assert_eq!(&run.bad, &bad);
            prop_assert_eq!(run.right.len(), inputs - bad.len());
        }
    }

    #[test]
    fn where_everything_is_refused_no_batch_is_asked_for_input_by_input(
        inputs in 4usize..3000, batch in 4usize..300, window in 1usize..20,
    ) {
        let run = run(inputs, batch, window, |_| true);
        prop_assert!(run.gave_up);
        let in_flight = window.min(inputs.div_ceil(batch));
        prop_assert!(run.sent <= in_flight + log2(batch) + 3, "{}", run.sent);
    }
}
