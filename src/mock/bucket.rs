//! A token bucket, exact: what a minute allows comes back evenly, and a request
//! that finds too little learns how long it takes. Time is given, never read.

use std::time::Duration;

/// The parts of a unit: with so many, each nanosecond refills a whole number.
const PARTS: u128 = 60_000_000_000;

/// See the module. It holds one second's worth, and at least one unit, so that
/// no minute begins with a rush that its rate does not tell of.
///
/// A request of more than the bucket holds is let through when it is full, and
/// leaves a debt that is refilled first. So the rate holds over time, and no
/// request is refused for ever.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    per_minute: u64,
    /// In parts, both.
    capacity: u128,
    /// What is missing from a full bucket; above `capacity`, there is a debt.
    missing: u128,
    /// When `missing` was right.
    at: Duration,
}

impl Bucket {
    /// A full bucket. `per_minute` is at least 1.
    pub(super) fn full(per_minute: u64, now: Duration) -> Self {
        let second = u128::from(per_minute) * PARTS / 60;
        Self {
            per_minute: per_minute.max(1),
            capacity: second.max(PARTS),
            missing: 0,
            at: now,
        }
    }

    pub(super) fn per_minute(&self) -> u64 {
        self.per_minute
    }

    /// Refills what the time since the last call is worth. Threads may come here
    /// out of order: an earlier time refills nothing.
    pub(super) fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_nanos();
        let refilled = passed.saturating_mul(u128::from(self.per_minute));
        self.missing = self.missing.saturating_sub(refilled);
        self.at = self.at.max(now);
    }

    /// How long until so many units can be taken: zero where they can be now.
    pub(super) fn wait_for(&self, units: u64) -> Duration {
        let needed = (u128::from(units) * PARTS).min(self.capacity);
        self.span(self.missing.saturating_sub(self.capacity - needed))
    }

    /// Takes units, which may leave a debt: ask [`Bucket::wait_for`] first.
    pub(super) fn take(&mut self, units: u64) {
        self.missing = self.missing.saturating_add(u128::from(units) * PARTS);
    }

    /// Whole units that are there.
    pub(super) fn remaining(&self) -> u64 {
        let parts = self.capacity.saturating_sub(self.missing);
        u64::try_from(parts / PARTS).unwrap_or(u64::MAX)
    }

    /// How long until the bucket is full.
    pub(super) fn until_full(&self) -> Duration {
        self.span(self.missing)
    }

    /// How long it takes to refill so many parts, rounded up.
    fn span(&self, parts: u128) -> Duration {
        let nanos = parts.div_ceil(u128::from(self.per_minute));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::Bucket;

    /// Takes the units where they are there; tells whether they were.
    fn tries(bucket: &mut Bucket, units: u64, now: Duration) -> bool {
        bucket.refill(now);
        let passes = bucket.wait_for(units).is_zero();
        if passes {
            bucket.take(units);
        }
        passes
    }

    #[test]
    fn a_bucket_holds_a_seconds_worth_and_at_least_one() {
        for (per_minute, holds) in [(1, 1), (59, 1), (60, 1), (90, 1), (120, 2), (60_000, 1000)] {
            let mut bucket = Bucket::full(per_minute, Duration::ZERO);
            assert_eq!(bucket.remaining(), holds, "{per_minute}");
            let passed = (0..2000).filter(|_| tries(&mut bucket, 1, Duration::ZERO));
            assert_eq!(passed.count() as u64, holds, "{per_minute}");
        }
    }

    #[test]
    fn it_tells_how_long_to_wait() {
        let mut bucket = Bucket::full(60, Duration::ZERO);
        assert!(tries(&mut bucket, 1, Duration::ZERO));
        assert_eq!(bucket.wait_for(1), Duration::from_secs(1));
        bucket.refill(Duration::from_millis(400));
        assert_eq!(bucket.wait_for(1), Duration::from_millis(600));
        assert_eq!(bucket.until_full(), Duration::from_millis(600));
        assert_eq!(bucket.remaining(), 0);
        // A call with an earlier time takes nothing back.
        bucket.refill(Duration::from_millis(100));
        assert_eq!(bucket.wait_for(1), Duration::from_millis(600));
    }

    #[test]
    fn what_is_larger_than_the_bucket_passes_and_leaves_a_debt() {
        let mut bucket = Bucket::full(600, Duration::ZERO);
        assert!(tries(&mut bucket, 25, Duration::ZERO));
        assert_eq!(bucket.remaining(), 0);
        assert_eq!(bucket.wait_for(1), Duration::from_millis(1600));
        // Nothing is free, in debt too.
        assert_eq!(bucket.wait_for(0), Duration::from_millis(1500));
    }

    proptest! {
        #[test]
        fn no_more_passes_than_the_rate_allows(
            per_minute in 1u64..10_000_000,
            requests in prop::collection::vec((0u64..5_000_000_000, 0u64..5000), 1..200)
        ) {
            let mut bucket = Bucket::full(per_minute, Duration::ZERO);
            let (mut now, mut passed, mut largest) = (Duration::ZERO, 0u128, 0u128);
            for (gap, units) in requests {
                now += Duration::from_nanos(gap);
                if tries(&mut bucket, units, now) {
                    passed += u128::from(units);
                    largest = largest.max(u128::from(units));
                }
                let burst = u128::from(per_minute.div_ceil(60)).max(largest);
                let rate = u128::from(per_minute) * now.as_nanos() / 60_000_000_000;
                prop_assert!(passed <= burst + rate + 1, "{passed} by {now:?}");
            }
        }

        #[test]
        fn the_wait_it_tells_is_exact(
            per_minute in 1u64..10_000_000, taken in prop::collection::vec(0u64..5000, 0..50),
            units in 1u64..5000
        ) {
            let mut bucket = Bucket::full(per_minute, Duration::ZERO);
            for units in taken {
                bucket.take(units);
            }
            let wait = bucket.wait_for(units);
            if !wait.is_zero() {
                let early = wait.saturating_sub(Duration::from_nanos(1));
                prop_assert!(!tries(&mut bucket.clone(), units, early));
            }
            prop_assert!(tries(&mut bucket, units, wait));
        }

        #[test]
        fn one_who_waits_as_told_gets_the_whole_rate(
            per_minute in 1u64..1_000_000, units in 1u64..5000
        ) {
            let mut bucket = Bucket::full(per_minute, Duration::ZERO);
            let mut now = Duration::ZERO;
            for _ in 0..100 {
                bucket.refill(now);
                now += bucket.wait_for(units);
                prop_assert!(tries(&mut bucket, units, now));
            }
            // The first is free, and so is what the bucket holds.
            let owed = u128::from(units) * 99 * 60_000_000_000 / u128::from(per_minute);
            prop_assert!(now.as_nanos() <= owed + 100);
        }
    }
}
