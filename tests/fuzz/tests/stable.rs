//! Every target with proptest: bytes by chance, and valid inputs with a few changes.
//!
//! `HEDGEROW_CASES=n` runs so many of each, other ones each time; without it the same few thousand.

use hedgerow_fuzz::seeds::{self, PIECES};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};
use std::panic::{AssertUnwindSafe, catch_unwind};

const CASES: u32 = 6000;

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    Byte(Index, u8),
    Flip(Index, u8),
    Piece(Index, &'static [u8]),
    Remove(Index, usize),
    /// What begins here, so long, is put there.
    Copy(Index, usize, Index),
    Cut(Index),
}

impl Change {
    fn apply(&self, input: &mut Vec<u8>) {
        let length = input.len();
        let place = |index: &Index| index.index(length + 1);
        match self {
            Self::Byte(at, byte) => input.insert(place(at), *byte),
            Self::Flip(at, bit) => {
                if let Some(byte) = input.get_mut(place(at)) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Piece(at, piece) => {
                let at = place(at);
                input.splice(at..at, piece.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = place(at);
                input.drain(at..length.min(at + count));
            }
            Self::Copy(from, count, to) => {
                let from = place(from);
                let copy = input[from..length.min(from + count)].to_vec();
                let to = place(to);
                input.splice(to..to, copy);
            }
            Self::Cut(at) => input.truncate(place(at)),
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        2 => (at(), 0u8..8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        6 => (at(), select(PIECES)).prop_map(|(at, piece)| Change::Piece(at, piece)),
        3 => (at(), 1usize..9).prop_map(|(at, count)| Change::Remove(at, count)),
        2 => (at(), 1usize..40, at()).prop_map(|(from, count, to)| Change::Copy(from, count, to)),
        1 => at().prop_map(Change::Cut),
    ]
}

fn input(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changed = (select(seeds), vec(change(), 0..7)).prop_map(|(mut input, changes)| {
        for change in changes {
            change.apply(&mut input);
        }
        input
    });
    let pieces = vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat());
    prop_oneof![
        8 => changed,
        1 => pieces,
        1 => vec(any::<u8>(), 0..80),
    ]
}

fn run(target: fn(&[u8]), seeds: Vec<Vec<u8>>) {
    for seed in &seeds {
        target(seed);
    }
    let asked = std::env::var("HEDGEROW_CASES").ok();
    let config = ProptestConfig {
        cases: asked
            .as_ref()
            .map_or(CASES, |asked| asked.parse().expect("a number")),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = if asked.is_some() {
        TestRunner::new(config)
    } else {
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    };
    let result = runner.run(&input(seeds), |input| {
        catch_unwind(AssertUnwindSafe(|| target(&input)))
            .map_err(|_| TestCaseError::fail("the two differ"))
    });
    if let Err(TestError::Fail(cause, input)) = result {
        let shown = input.escape_ascii();
        // Once more, so that what they say stands last.
        println!("{cause}: b\"{shown}\"");
        target(&input);
    }
}

#[test]
fn embeddings_are_read_as_serde_reads_them() {
    run(hedgerow_fuzz::embeddings, seeds::embeddings());
}

#[test]
fn message_pack_is_read_as_rmpv_reads_it() {
    run(hedgerow_fuzz::message_pack, seeds::message_pack());
}

#[test]
fn events_are_those_of_the_standard() {
    run(hedgerow_fuzz::events, seeds::events());
}

#[test]
fn heads_are_framed_by_the_rules() {
    run(hedgerow_fuzz::heads, seeds::heads());
}

#[test]
fn chunks_are_those_of_the_rfc() {
    run(hedgerow_fuzz::chunks, seeds::chunks());
}

#[test]
fn pauses_are_numbers_or_dates() {
    run(hedgerow_fuzz::retry_after, seeds::retry_after());
}

#[test]
fn base64_is_that_of_its_crate() {
    run(hedgerow_fuzz::base64, seeds::base64());
}
