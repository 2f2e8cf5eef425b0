//! Times as histograms of fixed size, which merge exactly.

use crate::error::{Error, Result};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Deserializer as SerdeDeserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// The longest time that is told apart, in microseconds: 24 hours.
const LONGEST_US: u64 = 24 * 3_600_000_000;
/// Significant decimal digits.
const DIGITS: u8 = 3;

/// A distribution of times. Serialises as the base64 text of the `HdrHistogram` V2 format
/// (compressed), which other implementations read.
///
/// Values are microseconds from 0 to 24 hours with 3 significant digits: finer than any timer of
/// the client, longer than the longest timeout with all its retries. Times beyond count as 24 hours.
/// Every histogram has these bounds, so that any two merge bucket for bucket.
///
/// The one definition of a quantile, everywhere in the harness, is the histogram's: the highest
/// value of the bucket that holds the sample of rank `ceil(q * count)`. So at least the share `q`
/// of the samples is at or below what is told, and it is at most 0.1 % too high.
#[derive(Clone, PartialEq)]
pub struct TimeHistogram(Histogram<u64>);

impl TimeHistogram {
    /// An empty one.
    #[must_use]
    #[allow(
        clippy::missing_panics_doc,
        reason = "the bounds are constants that hold"
    )]
    pub fn new() -> Self {
        Self(
            Histogram::new_with_bounds(1, LONGEST_US, DIGITS)
                .expect("1 us to 24 h at 3 digits is a valid histogram"),
        )
    }

    /// Counts one time.
    pub fn record(&mut self, time: Duration) {
        self.0.saturating_record(microseconds(time));
    }

    /// Counts `count` times of `value` microseconds.
    pub(crate) fn record_many(&mut self, value: u64, count: u64) {
        self.0.saturating_record_n(value, count);
    }

    /// Adds all of another's, bucket for bucket.
    #[allow(clippy::missing_panics_doc, reason = "all have the same bounds")]
    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    /// How many times were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time that the share `q` (0 to 1) took at most. `None` when empty.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_micros(self.0.value_at_quantile(q)))
    }

    /// The mean, within the histogram's error. `None` when empty.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_secs_f64(self.0.mean() / 1e6))
    }

    /// The shortest, within the histogram's error. `None` when empty.
    #[must_use]
    pub fn min(&self) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_micros(self.0.min()))
    }

    /// The longest, within the histogram's error. `None` when empty.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_micros(self.0.max()))
    }

    /// The buckets that hold something: each one's highest value in microseconds, and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0
            .iter_recorded()
            .map(|step| (step.value_iterated_to(), step.count_at_value()))
    }

    /// The highest value of the bucket that `time` falls in, in microseconds.
    pub(crate) fn bucket_of(&self, time: Duration) -> u64 {
        self.0
            .highest_equivalent(microseconds(time).min(LONGEST_US))
    }

    /// The `HdrHistogram` V2 format, compressed, in base64.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "a Vec takes all that is written")]
    pub fn to_base64(&self) -> String {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.0, &mut bytes)
            .expect("writing to memory does not fail");
        base64_simd::STANDARD.encode_to_string(bytes)
    }

    /// Reads what [`to_base64`](Self::to_base64) wrote.
    ///
    /// # Errors
    ///
    /// When the text is no such histogram, or holds values that this one cannot.
    pub fn from_base64(text: &str) -> Result<Self> {
        let bad = |cause: &dyn fmt::Display| Error::config(format!("not a histogram: {cause}"));
        let bytes = base64_simd::STANDARD
            .decode_to_vec(text)
            .map_err(|cause| bad(&cause))?;
        let read: Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|cause| bad(&cause))?;
        let mut histogram = Self::new();
        histogram.0.add(&read).map_err(|cause| bad(&cause))?;
        Ok(histogram)
    }

    /// The histogram as its library has it.
    pub(crate) fn inner(&self) -> &Histogram<u64> {
        &self.0
    }
}

/// Whole microseconds.
pub(crate) fn microseconds(time: Duration) -> u64 {
    // In 64 bits: dividing 128 of them is what recording a time would mostly cost.
    let whole = time.as_secs().saturating_mul(1_000_000);
    whole.saturating_add(u64::from(time.subsec_micros()))
}

impl Default for TimeHistogram {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TimeHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeHistogram")
            .field("count", &self.count())
            .field("p50", &self.quantile(0.5))
            .field("max", &self.max())
            .finish()
    }
}

impl Serialize for TimeHistogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64())
    }
}

impl<'de> Deserialize<'de> for TimeHistogram {
    fn deserialize<D: SerdeDeserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_base64(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(times: &[u64]) -> TimeHistogram {
        let mut histogram = TimeHistogram::new();
        for time in times {
            histogram.record(Duration::from_micros(*time));
        }
        histogram
    }

    #[test]
    fn a_time_beyond_the_range_counts_as_the_longest() {
        let histogram = of(&[u64::MAX]);
        assert_eq!(histogram.count(), 1);
        assert!(histogram.max().unwrap() >= Duration::from_hours(24));
    }

    #[test]
    fn what_is_no_histogram_is_refused() {
        for text in ["", "AAAA", "not base64!", "SElTVA=="] {
            assert!(TimeHistogram::from_base64(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        /// Three significant digits: what is told is the sample of that rank, at most 0.1 % more.
        #[test]
        fn a_quantile_is_the_sample_of_its_rank_within_a_thousandth(
            mut times in prop::collection::vec(0u64..10_000_000_000, 1..300), q in 0.0f64..=1.0
        ) {
            let told = microseconds(of(&times).quantile(q).unwrap());
            times.sort_unstable();
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let rank = ((q * times.len() as f64).ceil() as usize).clamp(1, times.len());
            let exact = times[rank - 1];
            prop_assert!(told >= exact && told <= exact + exact / 1000 + 1, "{told} for {exact}");
        }

        #[test]
        fn merged_is_pooled_bucket_for_bucket(
            first in prop::collection::vec(0u64..10_000_000_000, 0..100),
            second in prop::collection::vec(0u64..10_000_000_000, 0..100),
        ) {
            let mut merged = of(&first);
            merged.merge(&of(&second));
            let pooled = of(&[first, second].concat());
            prop_assert!(merged.buckets().eq(pooled.buckets()));
            prop_assert_eq!(merged.to_base64(), pooled.to_base64());
            prop_assert_eq!(TimeHistogram::from_base64(&merged.to_base64()).unwrap(), pooled);
        }
    }
}
