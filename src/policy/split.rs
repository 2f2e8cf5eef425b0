//! How an operation's inputs are cut into requests: by count and, where asked, by characters, tokens
//! and bytes.
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
    /// At most so many tokens, as they are estimated, where set.
    pub max_tokens: Option<usize>,
    /// At most so many bytes, as they are sent, where set.
    pub max_bytes: Option<usize>,
}

impl Limits {
    /// A bound on the number of inputs alone.
    #[must_use]
    pub fn of_count(batch_size: usize) -> Self {
        Self {
            batch_size,
            max_chars: None,
            max_tokens: None,
            max_bytes: None,
        }
    }

    /// Whether nothing but the number of inputs matters, so that none has to be weighed.
    #[must_use]
    pub fn only_count(&self) -> bool {
        self.max_chars.is_none() && self.max_tokens.is_none() && self.max_bytes.is_none()
    }

    fn hold(&self, weight: Weight) -> bool {
        let within = |most: Option<usize>, held| most.is_none_or(|most| held <= most);
        within(self.max_chars, weight.chars)
            && within(self.max_tokens, weight.tokens)
            && within(self.max_bytes, weight.bytes)
    }
}

/// What an input weighs, or several do. What no limit asks for need not be counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weight {
    /// Unicode scalar values.
    pub chars: usize,
    /// Tokens, rather too many than too few.
    pub tokens: usize,
    /// Bytes in a body.
    pub bytes: usize,
}

impl Weight {
    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            chars: self.chars.saturating_add(other.chars),
            tokens: self.tokens.saturating_add(other.tokens),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
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

/// Cuts `inputs` inputs into requests within `limits`. `weigh(i)` weighs input `i` and is asked only
/// where a limit needs it.
pub fn split(inputs: usize, limits: Limits, weigh: impl Fn(usize) -> Weight) -> Plan {
    if limits.only_count() {
        let batch_size = limits.batch_size;
        return Plan::Even { inputs, batch_size };
    }
    let mut cutter = Cutter::new(limits);
    let mut ends: Vec<u32> = (0..inputs)
        .filter(|index| cutter.cuts_before(|| weigh(*index)))
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
    held: Weight,
}

impl Cutter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            inputs: 0,
            held: Weight::default(),
        }
    }

    /// Takes the next input, and says whether a request ends before it. `weigh` weighs it and is
    /// asked only where a limit needs it.
    pub(crate) fn cuts_before(&mut self, weigh: impl FnOnce() -> Weight) -> bool {
        let more = if self.limits.only_count() {
            Weight::default()
        } else {
            weigh()
        };
        let together = self.held.with(more);
        let full = self.inputs == self.limits.batch_size || !self.limits.hold(together);
        let cuts = full && self.inputs > 0;
        if cuts {
            self.inputs = 0;
        }
        self.inputs += 1;
        self.held = if cuts { more } else { together };
        cuts
    }

    /// Whether a request ends after the input that was just taken, whatever comes next: it is not
    /// to wait for that.
    pub(crate) fn cuts_after(&mut self) -> bool {
        let full = self.inputs == self.limits.batch_size;
        if full {
            (self.inputs, self.held) = (0, Weight::default());
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

    fn of_chars(chars: usize) -> Weight {
        Weight {
            chars,
            ..Weight::default()
        }
    }

    #[test]
    fn an_item_longer_than_the_limit_goes_alone() {
        let sizes = [10, 500, 10, 20];
        let limits = Limits {
            max_chars: Some(50),
            ..Limits::of_count(8)
        };
        let plan = split(sizes.len(), limits, |index| of_chars(sizes[index]));
        assert_eq!(ranges(&plan), [0..1, 1..2, 2..4]);
    }

    #[test]
    fn without_a_limit_on_weight_nothing_is_weighed() {
        let plan = split(7, Limits::of_count(3), |_| unreachable!("no such limit"));
        assert_eq!(ranges(&plan), [0..3, 3..6, 6..7]);
    }

    fn weights() -> impl Strategy<Value = Vec<Weight>> {
        let weight = (0usize..400, 0usize..300, 0usize..900);
        let weight = weight.prop_map(|(chars, tokens, bytes)| Weight {
            chars,
            tokens,
            bytes,
        });
        prop::collection::vec(weight, 0..300)
    }

    fn limits() -> impl Strategy<Value = Limits> {
        let most = || prop::option::of(50usize..1500);
        (1usize..40, most(), most(), most()).prop_map(|(batch_size, chars, tokens, bytes)| Limits {
            batch_size,
            max_chars: chars,
            max_tokens: tokens,
            max_bytes: bytes,
        })
    }

    proptest! {
        #[test]
        fn every_input_is_planned_once_in_order_within_all_limits(
            weights in weights(), limits in limits(),
        ) {
            let plan = split(weights.len(), limits, |index| weights[index]);
            let ranges = ranges(&plan);
            let mut next = 0;
            for (position, range) in ranges.iter().enumerate() {
                prop_assert_eq!(range.start, next);
                prop_assert!(!range.is_empty() && range.len() <= limits.batch_size);
                next = range.end;
                let all = weights[range.clone()].iter();
                let held = all.fold(Weight::default(), |held, more| held.with(*more));
                prop_assert!(limits.hold(held) || range.len() == 1);
                // Greedy: the next input would not have fitted as well.
                if let Some(after) = ranges.get(position + 1) {
                    let fits = limits.hold(held.with(weights[after.start]));
                    prop_assert!(!fits || range.len() == limits.batch_size);
                }
            }
            prop_assert_eq!(next, weights.len());
            // Inputs that come one at a time are cut at the same places.
            let mut cutter = Cutter::new(limits);
            let cuts: Vec<usize> =
                (0..weights.len()).filter(|index| cutter.cuts_before(|| weights[*index])).collect();
            let starts: Vec<usize> = ranges.iter().skip(1).map(|range| range.start).collect();
            prop_assert_eq!(cuts, starts);
        }
    }
}
