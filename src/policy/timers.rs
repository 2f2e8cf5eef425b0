//! What is due when: an ordered list of instants, each with what to do then.
//!
//! An actor that owns one needs a single timer for its earliest entry, however many there are.

use std::collections::BTreeMap;
use std::time::Duration;

/// Names an entry, so that it can be taken out before it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key<T>(T, u64);

/// Entries ordered by instant, and by age among equal instants.
#[derive(Debug)]
pub(crate) struct Timers<T, E> {
    entries: BTreeMap<Key<T>, E>,
    made: u64,
}

impl<T: Ord + Copy, E> Timers<T, E> {
    /// None.
    pub(crate) fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            made: 0,
        }
    }

    /// Adds an entry.
    pub(crate) fn add(&mut self, at: T, entry: E) -> Key<T> {
        let key = Key(at, self.made);
        self.made += 1;
        self.entries.insert(key, entry);
        key
    }

    /// Takes an entry out. One that was due already is gone, which is fine.
    pub(crate) fn remove(&mut self, key: Key<T>) -> Option<E> {
        self.entries.remove(&key)
    }

    /// The earliest instant, if there is an entry.
    pub(crate) fn earliest(&self) -> Option<T> {
        self.entries.first_key_value().map(|(key, _)| key.0)
    }

    /// Takes the earliest entry if it is due at `now`.
    pub(crate) fn pop_due(&mut self, now: T) -> Option<E> {
        let first = self.entries.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

/// `at + delay` for delays that may be absurdly long.
pub(crate) fn later(at: tokio::time::Instant, delay: Duration) -> tokio::time::Instant {
    const YEAR: Duration = Duration::from_hours(8760);
    at + delay.min(YEAR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_come_out_once_in_order_and_never_early(
            instants in prop::collection::vec((0u32..50, any::<bool>()), 0..80), now in 0u32..60
        ) {
            let mut timers = Timers::new();
            let mut kept = Vec::new();
            for (index, (at, removed)) in instants.iter().enumerate() {
                let key = timers.add(*at, index);
                if *removed {
                    prop_assert_eq!(timers.remove(key), Some(index));
                } else {
                    kept.push((*at, index));
                }
            }
            kept.sort_unstable();
            let due: Vec<usize> = std::iter::from_fn(|| timers.pop_due(now)).collect();
            let expected: Vec<usize> =
                kept.iter().filter(|(at, _)| *at <= now).map(|(_, index)| *index).collect();
            prop_assert_eq!(due, expected);
            prop_assert_eq!(timers.earliest(), kept.iter().map(|(at, _)| *at).find(|at| *at > now));
        }
    }
}
