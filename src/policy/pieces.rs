//! The requests of an operation: those that were planned, and the pieces of those that were cut
//! afterwards, because a server takes fewer inputs at a time or because one of them is bad.
//!
//! Pieces have the numbers that follow the plan's. A request that was cut ends as its pieces; nobody
//! outside hears of it.

use super::split::{Cutter, Limits, Plan, Weight};
use rustc_hash::FxHashSet;
use std::ops::Range;

/// Requests by their number.
#[derive(Debug)]
pub(crate) struct Requests {
    plan: Plan,
    planned: usize,
    /// What most operations never have.
    cut: Option<Box<Cut>>,
}

#[derive(Debug, Default)]
struct Cut {
    pieces: Vec<Piece>,
    /// The requests that they were cut from.
    whole: FxHashSet<u32>,
}

/// A part of a request that was cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    pub inputs: Range<usize>,
    /// Attempts of the request that it was cut from, which count as its own.
    pub attempts: u32,
    /// It is looked at for a bad input.
    pub suspect: bool,
    /// Base64 is not asked for: the whole was refused without it as well.
    pub without_base64: bool,
}

impl Requests {
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            planned: plan.len(),
            plan,
            cut: None,
        }
    }

    /// How many were planned.
    pub(crate) fn planned(&self) -> usize {
        self.planned
    }

    /// How many numbers are in use.
    pub(crate) fn numbered(&self) -> usize {
        self.planned + self.cut.as_ref().map_or(0, |cut| cut.pieces.len())
    }

    /// How many end by themselves: all that were not cut.
    pub(crate) fn to_end(&self) -> usize {
        self.numbered() - self.cut.as_ref().map_or(0, |cut| cut.whole.len())
    }

    /// The inputs of a request.
    #[inline]
    pub(crate) fn range(&self, request: usize) -> Range<usize> {
        match &self.cut {
            Some(cut) if request >= self.planned => {
                cut.pieces[request - self.planned].inputs.clone()
            }
            _ => self.plan.range(request),
        }
    }

    /// The piece that a request is, if it is one.
    pub(crate) fn piece(&self, request: u32) -> Option<&Piece> {
        let cut = self.cut.as_ref()?;
        let piece = (request as usize).checked_sub(self.planned)?;
        cut.pieces.get(piece)
    }

    pub(crate) fn was_cut(&self, request: usize) -> bool {
        let cut = self.cut.as_ref();
        cut.is_some_and(|cut| cut.whole.contains(&number(request)))
    }

    pub(crate) fn has_pieces(&self) -> bool {
        self.cut.is_some()
    }

    /// Puts `pieces` in the place of a request, and says what their numbers are.
    pub(crate) fn cut(
        &mut self,
        request: u32,
        pieces: impl IntoIterator<Item = Piece>,
    ) -> Range<u32> {
        let first = number(self.numbered());
        let cut = self.cut.get_or_insert_default();
        cut.whole.insert(request);
        cut.pieces.extend(pieces);
        first..number(self.numbered())
    }

    /// The plan as it was, where no piece gave anything.
    pub(crate) fn forget_pieces(&mut self) {
        self.cut = None;
    }
}

/// Operations are limited to `u32::MAX` inputs when they are checked.
fn number(request: usize) -> u32 {
    u32::try_from(request).unwrap_or(u32::MAX)
}

/// Cuts a range into as few pieces within `limits` as there can be, or into one that is itself.
pub(crate) fn fitting(
    inputs: Range<usize>,
    limits: Limits,
    weigh: impl Fn(usize) -> Weight,
) -> Vec<Range<usize>> {
    let fullest = cut_within(inputs.clone(), limits, &weigh);
    // Of even lengths, where that makes no more of them, so that none is the odd one.
    let batch_size = inputs.len().div_ceil(fullest.len());
    let even = Limits {
        batch_size: batch_size.max(1),
        ..limits
    };
    let even = cut_within(inputs, even, &weigh);
    if even.len() <= fullest.len() {
        even
    } else {
        fullest
    }
}

fn cut_within(
    inputs: Range<usize>,
    limits: Limits,
    weigh: &impl Fn(usize) -> Weight,
) -> Vec<Range<usize>> {
    let mut cutter = Cutter::new(limits);
    let mut start = inputs.start;
    let mut ranges = Vec::new();
    for input in inputs.clone() {
        if cutter.cuts_before(|| weigh(input)) {
            ranges.push(start..input);
            start = input;
        }
    }
    ranges.push(start..inputs.end);
    ranges
}

/// Cuts a range into so many parts of about the same length, or into single inputs.
pub(crate) fn parts(inputs: Range<usize>, count: usize) -> impl Iterator<Item = Range<usize>> {
    let length = inputs.len();
    let count = count.clamp(1, length.max(1));
    let end = move |part: usize| inputs.start + length * part / count;
    (0..count).map(move |part| end(part)..end(part + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn piece(inputs: Range<usize>) -> Piece {
        Piece {
            inputs,
            attempts: 0,
            suspect: false,
            without_base64: false,
        }
    }

    #[test]
    fn pieces_take_the_place_of_what_was_cut() {
        let plan = Plan::Even {
            inputs: 10,
            batch_size: 4,
        };
        let mut requests = Requests::new(plan);
        assert_eq!((requests.planned(), requests.to_end()), (3, 3));
        assert_eq!(requests.cut(1, [piece(4..6), piece(6..8)]), 3..5);
        assert_eq!(requests.cut(3, [piece(4..5), piece(5..6)]), 5..7);
        assert_eq!((requests.planned(), requests.numbered()), (3, 7));
        assert_eq!(requests.to_end(), 5);
        let left = (0..7).filter(|request| !requests.was_cut(*request));
        let mut left: Vec<_> = left.map(|request| requests.range(request)).collect();
        left.sort_by_key(|range| range.start);
        assert_eq!(left, [0..4, 4..5, 5..6, 6..8, 8..10]);
        assert_eq!(requests.piece(2), None);
        assert_eq!(requests.piece(6), Some(&piece(5..6)));
        requests.forget_pieces();
        assert_eq!((requests.to_end(), requests.was_cut(1)), (3, false));
    }

    #[test]
    fn pieces_that_fit_are_few_and_even() {
        let nothing = |_| Weight::default();
        let lengths = |inputs, most| -> Vec<usize> {
            let ranges = fitting(inputs, Limits::of_count(most), nothing);
            ranges.iter().map(ExactSizeIterator::len).collect()
        };
        assert_eq!(lengths(0..128, 32), [32; 4]);
        assert_eq!(lengths(5..133, 100), [64; 2]);
        assert_eq!(lengths(0..11, 10), [6, 5]);
        assert_eq!(lengths(0..3, 10), [3]);
    }

    proptest! {
        #[test]
        fn every_cut_keeps_each_input_once_and_in_order(
            start in 0usize..50, length in 1usize..300, count in 1usize..9, most in 1usize..40,
            chars in prop::option::of(1usize..400),
        ) {
            let inputs = start..start + length;
            let limits = Limits { max_chars: chars, ..Limits::of_count(most) };
            let weigh = |input: usize| Weight { chars: input % 37, ..Weight::default() };
            let fitting = fitting(inputs.clone(), limits, weigh);
            for range in &fitting {
                let held: usize = range.clone().map(|input| weigh(input).chars).sum();
                prop_assert!(range.len() <= most);
                prop_assert!(range.len() == 1 || chars.is_none_or(|most| held <= most));
            }
            let parts: Vec<_> = parts(inputs.clone(), count).collect();
            prop_assert_eq!(parts.len(), count.min(length));
            for ranges in [fitting, parts] {
                prop_assert!(ranges.iter().all(|range| !range.is_empty()));
                let all: Vec<usize> = ranges.into_iter().flatten().collect();
                prop_assert_eq!(all, inputs.clone().collect::<Vec<_>>());
            }
        }
    }
}
