//! A histogram of a short interval in a few bytes: only the buckets that hold something.
//!
//! A run keeps hundreds of intervals, where a full histogram is 230 kB whatever it holds. Buckets
//! are those of [`TimeHistogram`], so that intervals add up to the run's histogram exactly.

use super::histogram::TimeHistogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

/// Buckets in rising order: for each its distance from the one before in microseconds and its
/// count, as variable-length numbers of 7 bits a byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IntervalHistogram {
    bytes: Vec<u8>,
    count: u64,
}

impl IntervalHistogram {
    /// From buckets in rising order.
    pub(crate) fn from_buckets(buckets: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut interval = Self::default();
        let mut before = 0;
        for (value, count) in buckets {
            push(&mut interval.bytes, value - before);
            push(&mut interval.bytes, count);
            interval.count += count;
            before = value;
        }
        interval
    }

    /// How many times were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The buckets in rising order: each one's highest value in microseconds, and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut bytes = self.bytes.iter();
        let mut value = 0;
        std::iter::from_fn(move || {
            value += pop(&mut bytes)?;
            Some((value, pop(&mut bytes)?))
        })
    }

    /// Adds all of another's, bucket for bucket.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let merged = Self::from_buckets(union(self.buckets(), other.buckets()));
        *self = merged;
    }

    /// Counts one time more in each of the buckets that have these highest values, however often.
    pub(crate) fn add_all(&mut self, mut values: Vec<u64>) {
        values.sort_unstable();
        let same = values.chunk_by(u64::eq);
        self.merge(&Self::from_buckets(
            same.map(|same| (same[0], same.len() as u64)),
        ));
    }

    /// As a full histogram.
    #[must_use]
    pub fn to_histogram(&self) -> TimeHistogram {
        let mut histogram = TimeHistogram::new();
        for (value, count) in self.buckets() {
            histogram.record_many(value, count);
        }
        histogram
    }

    /// The time that the share `q` took at most, by the definition of [`TimeHistogram`].
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let rank = rank(q, self.count)?;
        let mut seen = 0;
        self.buckets()
            .find(|(_, count)| {
                seen += count;
                seen >= rank
            })
            .map(|(value, _)| Duration::from_micros(value))
    }

    /// The bytes that it takes.
    #[cfg(test)]
    pub(crate) fn size(&self) -> usize {
        self.bytes.capacity()
    }
}

/// The buckets of two, in rising order; those of the same value added.
fn union(
    mine: impl Iterator<Item = (u64, u64)>,
    others: impl Iterator<Item = (u64, u64)>,
) -> impl Iterator<Item = (u64, u64)> {
    let (mut mine, mut others) = (mine.peekable(), others.peekable());
    std::iter::from_fn(move || match (mine.peek(), others.peek()) {
        (Some(a), Some(b)) if a.0 == b.0 => {
            let (value, count) = mine.next()?;
            Some((value, count + others.next()?.1))
        }
        (Some(a), Some(b)) if a.0 > b.0 => others.next(),
        (Some(_), _) => mine.next(),
        (None, _) => others.next(),
    })
}

/// The rank of the quantile `q` of `count` samples, from 1. `None` when there is none.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "counts stay far below 2^52"
)]
pub(crate) fn rank(q: f64, count: u64) -> Option<u64> {
    (count > 0).then(|| ((q * count as f64).ceil() as u64).clamp(1, count))
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn pop<'a>(bytes: &mut impl Iterator<Item = &'a u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

impl Serialize for IntervalHistogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_histogram().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for IntervalHistogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let histogram = TimeHistogram::deserialize(deserializer)?;
        Ok(Self::from_buckets(histogram.buckets()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn full(times: &[u64]) -> TimeHistogram {
        let mut histogram = TimeHistogram::new();
        for time in times {
            histogram.record(Duration::from_micros(*time));
        }
        histogram
    }

    fn interval(times: &[u64]) -> IntervalHistogram {
        IntervalHistogram::from_buckets(full(times).buckets())
    }

    proptest! {
        #[test]
        fn an_interval_is_its_full_histogram(
            times in prop::collection::vec(0u64..100_000_000_000, 0..200), q in 0.0f64..=1.0
        ) {
            let (interval, full) = (interval(&times), full(&times));
            prop_assert_eq!(interval.to_histogram(), full.clone());
            prop_assert_eq!(interval.count(), full.count());
            prop_assert_eq!(interval.quantile(q), full.quantile(q));
        }

        #[test]
        fn merged_is_pooled(
            first in prop::collection::vec(0u64..1_000_000, 0..100),
            second in prop::collection::vec(0u64..1_000_000, 0..100),
        ) {
            let mut merged = interval(&first);
            merged.merge(&interval(&second));
            prop_assert_eq!(merged, interval(&[first, second].concat()));
        }
    }

    #[test]
    fn an_interval_takes_a_few_bytes_a_bucket() {
        let times: Vec<u64> = (1000..3000).collect();
        assert!(interval(&times).size() < 4 * 4096);
    }
}
