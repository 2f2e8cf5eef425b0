//! How an operation's inputs are cut into requests: by count and, where asked, by characters.
//!
//! A plan is a list of consecutive ranges over the shared inputs; no input is copied.

use std::ops::Range;

/// What bounds one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// At most so many inputs; at least 1.
    pub batch_size: usize,
    /// At most so many characters (Unicode scalar values), where set. An input that is longer
    /// than that goes alone.
    pub max_chars: Option<usize>,
}

/// The requests of one operation, in input order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Every request but the last has `batch_size` inputs. Needs no memory, however long it is.
    Even {
        /// Inputs of the operation.
        inputs: usize,
        /// Inputs of a request.
        batch_size: usize,
    },
    /// Request `i` ends before input `ends[i]`.
    Cut {
        /// One past the last input of each request.
        ends: Vec<u32>,
    },
}

impl Plan {
    /// How many requests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Even { inputs, batch_size } => inputs.div_ceil(*batch_size),
            Self::Cut { ends } => ends.len(),
        }
    }

    /// Whether there is none: only where there was no input.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The inputs of request `index`.
    ///
    /// # Panics
    ///
    /// When there is no such request.
    #[must_use]
    pub fn range(&self, index: usize) -> Range<usize> {
        match self {
            Self::Even { inputs, batch_size } => {
                let start = index * batch_size;
                start..(start + batch_size).min(*inputs)
            }
            Self::Cut { ends } => {
                let start = index.checked_sub(1).map_or(0, |before| ends[before]);
                start as usize..ends[index] as usize
            }
        }
    }
}

/// Cuts `inputs` inputs into requests within `limits`. `chars(i)` counts the characters of input
/// `i` and is asked only where a limit on them is set.
pub fn split(inputs: usize, limits: Limits, chars: impl Fn(usize) -> usize) -> Plan {
    if limits.max_chars.is_none() {
        let batch_size = limits.batch_size;
        return Plan::Even { inputs, batch_size };
    }
    let mut cutter = Cutter::new(limits);
    let mut ends: Vec<u32> = (0..inputs)
        .filter(|index| cutter.cuts_before(|| chars(*index)))
        .map(end_of)
        .collect();
    if inputs > 0 {
        ends.push(end_of(inputs));
    }
    Plan::Cut { ends }
}

/// Decides input by input where a request ends, for inputs that come one at a time.
#[derive(Debug, Clone)]
pub(crate) struct Cutter {
    limits: Limits,
    inputs: usize,
    chars: usize,
}

impl Cutter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            inputs: 0,
            chars: 0,
        }
    }

    /// Takes the next input, and says whether a request ends before it. `chars` counts its
    /// characters and is asked only where a limit on them is set.
    pub(crate) fn cuts_before(&mut self, chars: impl FnOnce() -> usize) -> bool {
        let (most, more) = match self.limits.max_chars {
            Some(most) => (most, chars()),
            None => (usize::MAX, 0),
        };
        let full = self.inputs == self.limits.batch_size || self.chars + more > most;
        let cuts = full && self.inputs > 0;
        if cuts {
            (self.inputs, self.chars) = (0, 0);
        }
        self.inputs += 1;
        self.chars += more;
        cuts
    }

    /// Whether a request ends after the input that was just taken, whatever comes next: it is not
    /// to wait for that.
    pub(crate) fn cuts_after(&mut self) -> bool {
        let full = self.inputs == self.limits.batch_size;
        if full {
            (self.inputs, self.chars) = (0, 0);
        }
        full
    }
}

/// Operations are limited to `u32::MAX` inputs when they are checked.
fn end_of(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranges(plan: &Plan) -> Vec<Range<usize>> {
        (0..plan.len()).map(|index| plan.range(index)).collect()
    }

    #[test]
    fn an_item_longer_than_the_limit_goes_alone() {
        let sizes = [10, 500, 10, 20];
        let limits = Limits {
            batch_size: 8,
            max_chars: Some(50),
        };
        let plan = split(sizes.len(), limits, |index| sizes[index]);
        assert_eq!(ranges(&plan), [0..1, 1..2, 2..4]);
    }

    #[test]
    fn without_a_limit_on_characters_nothing_is_counted() {
        let limits = Limits {
            batch_size: 3,
            max_chars: None,
        };
        let plan = split(7, limits, |_| unreachable!("no limit on characters"));
        assert_eq!(ranges(&plan), [0..3, 3..6, 6..7]);
    }

    proptest! {
        #[test]
        fn every_input_is_planned_once_in_order_within_both_limits(
            sizes in prop::collection::vec(0usize..400, 0..300),
            batch_size in 1usize..40,
            max_chars in prop::option::of(50usize..1000),
        ) {
            let limits = Limits { batch_size, max_chars };
            let plan = split(sizes.len(), limits, |index| sizes[index]);
            let ranges = ranges(&plan);
            let mut next = 0;
            for (position, range) in ranges.iter().enumerate() {
                prop_assert_eq!(range.start, next);
                prop_assert!(!range.is_empty() && range.len() <= batch_size);
                next = range.end;
                let Some(max_chars) = max_chars else { continue };
                let held: usize = sizes[range.clone()].iter().sum();
                prop_assert!(held <= max_chars || range.len() == 1);
                // Greedy: the next input would not have fitted as well.
                if let Some(after) = ranges.get(position + 1) {
                    let fits = held + sizes[after.start] <= max_chars;
                    prop_assert!(!fits || range.len() == batch_size);
                }
            }
            prop_assert_eq!(next, sizes.len());
            // Inputs that come one at a time are cut at the same places.
            let mut cutter = Cutter::new(limits);
            let cuts: Vec<usize> =
                (0..sizes.len()).filter(|index| cutter.cuts_before(|| sizes[*index])).collect();
            let starts: Vec<usize> = ranges.iter().skip(1).map(|range| range.start).collect();
            prop_assert_eq!(cuts, starts);
        }
    }
}
