//! What was used last: as much as is worth remembering.

use rustc_hash::FxHashMap;
use std::hash::Hash;

/// Values by key. When there are too many, those go that were not used for longest.
///
/// There are two generations. What is used goes to the younger; when that is full, it becomes the
/// older, and what was left of the older is forgotten. So the last `most` that were used are there,
/// and at most twice as many; and none of it costs more than a look-up.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    most: usize,
    young: FxHashMap<K, V>,
    old: FxHashMap<K, V>,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// Remembers the last `most`, at least.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            young: FxHashMap::default(),
            old: FxHashMap::default(),
        }
    }

    /// The value at `key`, which counts as a use.
    pub(super) fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.insert(key, value.clone());
        Some(value)
    }

    /// Remembers a value that is not there.
    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.most {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, value);
    }

    /// All of them.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.young.values().chain(self.old.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn the_last_that_were_used_are_there_and_no_more_than_twice_as_many(
            most in 1usize..8, uses in prop::collection::vec(0u8..24, 0..400),
        ) {
            let mut recent = Recent::new(most);
            for (step, key) in uses.iter().enumerate() {
                let mut last = HashSet::new();
                let found = recent.get(key);
                for before in uses[..step].iter().rev() {
                    last.insert(before);
                    if last.len() > most {
                        break;
                    }
                    if before == key {
                        prop_assert_eq!(found, Some(*key));
                        break;
                    }
                }
                if found.is_none() {
                    recent.insert(*key, *key);
                }
                prop_assert!(recent.values().count() <= 2 * most);
            }
        }
    }
}
