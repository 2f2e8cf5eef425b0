//! When a second attempt of a slow request is due.
//!
//! A request that has not ended after the operation's hedge delay gets one twin, while the
//! operation's hedge budget lasts [Dean and Barroso, The Tail at Scale, 2013]. The delay is fixed,
//! or a quantile of how long the operation's own requests took.

use std::collections::VecDeque;
use std::time::Duration;

/// How long a request is waited for before its twin is sent.
///
/// The text form is a span or a percentile: `300ms`, `p95`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HedgeDelay {
    /// Always so long.
    Fixed(Duration),
    /// As long as this share of the operation's requests took (0.95: the slowest twentieth is
    /// hedged). Nothing is hedged before 20 requests have ended.
    Quantile(f64),
}

impl From<Duration> for HedgeDelay {
    fn from(delay: Duration) -> Self {
        Self::Fixed(delay)
    }
}

/// The hedging of one operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HedgePlan {
    pub delay: HedgeDelay,
    /// The extra attempts as a share of the operation's requests.
    pub budget_share: f64,
}

/// Requests that must have ended before a quantile of them says something.
const FEWEST: usize = 20;
/// The latest requests that a quantile is taken over.
const MOST: usize = 256;
/// The quantile is taken anew after so many more.
const RENEWED_AFTER: usize = 16;

/// How long an operation's requests took lately, and the delay that follows from it.
#[derive(Debug)]
pub(crate) struct Delays {
    rule: HedgeDelay,
    times: VecDeque<Duration>,
    since: usize,
    quantile: Option<Duration>,
}

impl Delays {
    pub(crate) fn new(rule: HedgeDelay) -> Self {
        Self {
            rule,
            times: VecDeque::new(),
            since: 0,
            quantile: None,
        }
    }

    /// The delay, if it is known yet.
    pub(crate) fn delay(&self) -> Option<Duration> {
        match self.rule {
            HedgeDelay::Fixed(delay) => Some(delay),
            HedgeDelay::Quantile(_) => self.quantile,
        }
    }

    /// A request ended after `time`. Says whether the delay has just become known.
    pub(crate) fn record(&mut self, time: Duration) -> bool {
        let HedgeDelay::Quantile(share) = self.rule else {
            return false;
        };
        if self.times.len() == MOST {
            self.times.pop_front();
        }
        self.times.push_back(time);
        self.since += 1;
        let first = self.quantile.is_none();
        let due = first || self.since >= RENEWED_AFTER;
        if self.times.len() < FEWEST || !due {
            return false;
        }
        self.since = 0;
        let mut times: Vec<Duration> = self.times.iter().copied().collect();
        let rank = rank(times.len(), share);
        let (_, quantile, _) = times.select_nth_unstable(rank);
        self.quantile = Some(*quantile);
        first
    }
}

/// The nearest rank, from 0.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "at most 256 values, and a share between 0 and 1"
)]
fn rank(count: usize, share: f64) -> usize {
    let rank = (count as f64 * share).ceil() as usize;
    rank.clamp(1, count) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_fixed_delay_is_known_from_the_start() {
        let mut delays = Delays::new(HedgeDelay::Fixed(5 * MS));
        assert_eq!(delays.delay(), Some(5 * MS));
        assert!(!delays.record(MS));
    }

    #[test]
    fn a_quantile_is_known_after_twenty_and_follows_the_latest() {
        let mut delays = Delays::new(HedgeDelay::Quantile(0.95));
        for time in 1..20 {
            assert!(!delays.record(time * MS));
            assert_eq!(delays.delay(), None);
        }
        assert!(delays.record(20 * MS));
        assert_eq!(delays.delay(), Some(19 * MS));
        for _ in 0..MOST {
            assert!(!delays.record(500 * MS));
        }
        assert_eq!(delays.delay(), Some(500 * MS));
    }

    proptest! {
        #[test]
        fn at_least_the_share_took_no_longer_than_the_quantile(
            times in prop::collection::vec(0u64..1000, 20..36), share in 0.01f64..0.99
        ) {
            let mut delays = Delays::new(HedgeDelay::Quantile(share));
            for time in times.iter().take(20) {
                delays.record(Duration::from_millis(*time));
            }
            let quantile = delays.delay().unwrap();
            let within = times.iter().take(20)
                .filter(|time| Duration::from_millis(**time) <= quantile).count();
            #[allow(clippy::cast_precision_loss)]
            let reached = within as f64 / 20.0;
            prop_assert!(reached >= share - 1e-9);
        }
    }
}
