//! What a distribution of times is told as, and how many samples a tail needs.

use super::histogram::TimeHistogram;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The chance with which at least two samples lie beyond a quantile that is told.
const CONFIDENCE: f64 = 0.99;

/// A distribution in milliseconds. Quantiles are those of [`TimeHistogram`]. `None` (null in JSON,
/// `n/a` in text) where there are too few samples: see [`sample_floor`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Distribution {
    /// How many samples there are.
    pub count: u64,
    /// The mean.
    pub mean: Option<f64>,
    /// The shortest.
    pub min: Option<f64>,
    /// Half took at most this long.
    pub p50: Option<f64>,
    /// 90 % took at most this long; needs 64 samples.
    pub p90: Option<f64>,
    /// 95 % took at most this long; needs 130 samples.
    pub p95: Option<f64>,
    /// 99 % took at most this long; needs 662 samples.
    pub p99: Option<f64>,
    /// 99.9 % took at most this long; needs 6636 samples.
    pub p999: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

impl Distribution {
    /// What `histogram` holds.
    #[must_use]
    pub fn of(histogram: &TimeHistogram) -> Self {
        let count = histogram.count();
        let quantile = |q| {
            (count >= sample_floor(q))
                .then(|| histogram.quantile(q).map(milliseconds))
                .flatten()
        };
        Self {
            count,
            mean: histogram.mean().map(milliseconds),
            min: histogram.min().map(milliseconds),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p95: quantile(0.95),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: histogram.max().map(milliseconds),
        }
    }
}

/// The fewest samples with which the quantile `q` is told: so many that at least two lie beyond it
/// with 99 % confidence. 64 for p90, 130 for p95, 662 for p99, 6636 for p99.9. The median and what
/// is below are no tails: one sample is enough.
///
/// ```
/// assert_eq!(hedgerow::bench::sample_floor(0.99), 662);
/// ```
#[must_use]
pub fn sample_floor(q: f64) -> u64 {
    if q <= 0.5 {
        return 1;
    }
    if q >= 1.0 {
        return u64::MAX;
    }
    // The chance of fewer than two beyond: q^n + n (1 - q) q^(n - 1), which falls with n.
    let too_few = |n: u64| {
        #[allow(clippy::cast_precision_loss, reason = "below 2^52 wherever it matters")]
        let n = n as f64;
        q.powf(n) + n * (1.0 - q) * q.powf(n - 1.0) > 1.0 - CONFIDENCE
    };
    let mut above = 2;
    while too_few(above) && above < 1 << 52 {
        above *= 2;
    }
    let (mut low, mut high) = (above / 2, above);
    while low < high {
        let middle = low.midpoint(high);
        if too_few(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// The highest quantile that `count` samples are enough for.
pub(in crate::bench) fn highest_quantile(count: u64) -> f64 {
    let (mut enough, mut too_far) = (0.5, 1.0);
    for _ in 0..40 {
        let middle = f64::midpoint(enough, too_far);
        if sample_floor(middle) <= count {
            enough = middle;
        } else {
            too_far = middle;
        }
    }
    enough
}

/// As milliseconds.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A count as a number to calculate with.
#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floors_are_those_of_the_method() {
        for (q, floor) in [(0.5, 1), (0.9, 64), (0.95, 130), (0.99, 662), (0.999, 6636)] {
            assert_eq!(sample_floor(q), floor, "{q}");
        }
    }

    #[test]
    fn no_tail_is_told_below_its_floor() {
        let mut histogram = TimeHistogram::new();
        let mut told = Vec::new();
        for count in 0..6700 {
            let now = Distribution::of(&histogram);
            let tails = [now.p50, now.p90, now.p95, now.p99, now.p999];
            let some = tails.iter().flatten().count();
            if told.last().is_none_or(|(before, _)| *before != some) {
                told.push((some, count));
            }
            histogram.record(Duration::from_millis(5));
        }
        assert_eq!(
            told,
            [(0, 0), (1, 1), (2, 64), (3, 130), (4, 662), (5, 6636)]
        );
    }

    #[test]
    fn the_highest_quantile_is_the_one_whose_floor_is_met() {
        for count in [1, 10, 64, 662, 10_000, 1_000_000] {
            let q = highest_quantile(count);
            assert!(sample_floor(q) <= count, "{count}: {q}");
            assert!(sample_floor(1.0 - (1.0 - q) * 0.9) > count, "{count}: {q}");
        }
    }

    #[test]
    fn an_empty_distribution_has_no_figure() {
        assert_eq!(
            Distribution::of(&TimeHistogram::new()),
            Distribution::default()
        );
    }
}
