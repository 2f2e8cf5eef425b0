//! Sessions: their order, their numbers, and that none of their requests is lost.

use super::*;
use crate::bench::plan::{Arrival, Levels, Stage};
use proptest::prelude::*;
use std::collections::HashMap;

const MS: Duration = Duration::from_millis(1);

fn agenda(sessions: impl Into<Option<Sessions>>, most: u64, arrival: Arrival, seed: u64) -> Agenda {
    let span = Duration::from_secs(1);
    let levels = Levels(vec![Stage::steady(100.0, span)]);
    Agenda::new(OpenLoad {
        schedule: Schedule::new(levels, arrival, seed),
        span,
        max_in_flight: usize::MAX,
        most,
        sessions: sessions.into(),
    })
}

fn of(requests: u64, think: Duration) -> Sessions {
    Sessions { requests, think }
}

#[test]
fn the_next_request_is_due_when_its_user_has_thought() {
    let mut agenda = agenda(of(3, 40 * MS), 3, Arrival::Constant, 0);
    let first = agenda.take_due(5 * MS).unwrap();
    assert_eq!((first.number, first.scheduled), (0, Duration::ZERO));
    assert_eq!(agenda.next_at(), None, "nothing follows before the answer");
    agenda.answered(0, 7 * MS);
    assert!(agenda.take_due(46 * MS).is_none(), "it is thought");
    let second = agenda.take_due(60 * MS).unwrap();
    assert_eq!((second.number, second.scheduled), (1, 47 * MS));
    agenda.answered(1, 80 * MS);
    assert_eq!(agenda.take_due(200 * MS).unwrap().number, 2);
    agenda.answered(2, 201 * MS);
    assert!(agenda.is_empty());
}

#[test]
fn what_has_been_due_for_longer_goes_first() {
    let mut agenda = agenda(of(2, 15 * MS), u64::MAX, Arrival::Constant, 0);
    assert_eq!(agenda.take_due(MS).unwrap().number, 0);
    agenda.answered(0, 2 * MS);
    let due: Vec<_> = std::iter::from_fn(|| agenda.take_due(20 * MS))
        .map(|start| (start.number, start.scheduled, start.user))
        .collect();
    assert_eq!(
        due,
        [(2, 10 * MS, 1), (1, 17 * MS, 0), (4, 20 * MS, 2)],
        "by when each was due"
    );
}

#[test]
fn an_open_loop_is_arrivals_that_nothing_follows() {
    let mut agenda = agenda(None, 3, Arrival::Constant, 0);
    for number in 0..3 {
        let start = agenda.take_due(Duration::from_secs(1)).unwrap();
        assert_eq!((start.number, start.user), (number, 0));
        agenda.answered(number, start.scheduled);
    }
    assert!(agenda.is_empty());
}

/// Takes and answers requests by the dice; what it gives: each request with its time, and how many
/// were given up.
fn played(mut agenda: Agenda, dice: &[u16], places: usize) -> (Vec<Start>, u64) {
    let mut under_way: Vec<Start> = Vec::new();
    let mut sent = Vec::new();
    let mut now = Duration::ZERO;
    for roll in dice {
        now += Duration::from_micros(u64::from(*roll));
        if roll % 3 == 0 && !under_way.is_empty() {
            let ended = under_way.swap_remove(usize::from(*roll) % under_way.len());
            agenda.answered(ended.number, now);
        }
        while under_way.len() < places
            && let Some(start) = agenda.take_due(now)
        {
            under_way.push(start);
            sent.push(start);
        }
    }
    let cut: u64 = under_way
        .iter()
        .map(|start| agenda.after(start.number))
        .sum();
    (sent, agenda.give_up(now) + cut)
}

proptest! {
    #[test]
    fn every_request_of_an_arrived_session_is_sent_or_given_up(
        dice in prop::collection::vec(0u16..20_000, 1..200),
        (requests, most, places, seed) in (1u64..7, 1u64..300, 1usize..9, any::<u64>()),
    ) {
        let of_session = of(requests, 3 * MS);
        let (sent, dropped) = played(agenda(of_session, most, Arrival::Poisson, seed), &dice, places);
        let end: Duration = dice.iter().map(|roll| Duration::from_micros(u64::from(*roll))).sum();
        let levels = Levels(vec![Stage::steady(100.0, Duration::from_secs(1))]);
        let schedule: Vec<_> = Schedule::new(levels, Arrival::Poisson, seed).collect();
        let arrived = schedule.iter().filter(|at| **at <= end).count() as u64;
        prop_assert_eq!(sent.len() as u64 + dropped, (arrived * requests).min(most));
        let mut last: HashMap<u64, (u64, Duration)> = HashMap::new();
        for Start { number, scheduled, .. } in sent {
            let (session, step) = (number / requests, number % requests);
            if step == 0 {
                let slot = usize::try_from(session).unwrap();
                prop_assert_eq!(scheduled, schedule[slot], "arrivals keep to the schedule");
            } else {
                let (before, at) = last[&session];
                prop_assert_eq!(before + 1, step, "one after the other");
                prop_assert!(scheduled >= at + 3 * MS, "after the thought");
            }
            last.insert(session, (step, scheduled));
        }
    }
}
