//! The rates that callers set. A minute's worth goes evenly: whatever a server counts in (a bucket of
//! a second's or a minute's worth, windows that are fixed or slide), an even flow a little below its
//! rate is within it.

use crate::policy::timers::later;
use std::time::Duration;
use tokio::time::Instant;

/// Of what is allowed: a window of a minute takes a burst and an even flow behind it.
const SHARE: f64 = 0.98;
/// A burst holds so many seconds' worth, and at least one.
const BURST_SECONDS: f64 = 0.25;

/// The buckets of all rates that calls have. What is sent is taken from each of them, and a call
/// waits for that of its own rate: so calls of one rate share it, whatever others have.
#[derive(Debug, Default)]
pub(super) struct Steady {
    buckets: Vec<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    per_minute: f64,
    /// What may go at once. Below zero after a request of more than the bucket holds, which goes when
    /// it is full: nothing waits for ever, and the rate holds.
    level: f64,
    at: Instant,
}

impl Steady {
    pub(super) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// When so many may go at this rate: `None` for now.
    pub(super) fn ready(&mut self, now: Instant, need: f64, per_minute: f64) -> Option<Instant> {
        let bucket = self.bucket(now, per_minute);
        bucket.refill(now);
        let missing = need.min(bucket.capacity()) - bucket.level;
        (missing > 0.0).then(|| {
            let wait = Duration::try_from_secs_f64(missing / bucket.per_second());
            later(now, wait.unwrap_or(Duration::MAX))
        })
    }

    pub(super) fn take(&mut self, now: Instant, amount: f64) {
        for bucket in &mut self.buckets {
            bucket.refill(now);
            bucket.level -= amount;
        }
    }

    /// The server has less than was thought.
    pub(super) fn refused(&mut self, now: Instant) {
        for bucket in &mut self.buckets {
            bucket.refill(now);
            bucket.level = bucket.level.min(0.0);
        }
    }

    fn bucket(&mut self, now: Instant, per_minute: f64) -> &mut Bucket {
        let same = |bucket: &Bucket| bucket.per_minute.total_cmp(&per_minute).is_eq();
        if let Some(place) = self.buckets.iter().position(same) {
            return &mut self.buckets[place];
        }
        // One that is full again is as one that was never there.
        self.buckets.retain_mut(|bucket| {
            bucket.refill(now);
            bucket.level < bucket.capacity()
        });
        self.buckets.push(Bucket::full(now, per_minute));
        let last = self.buckets.len() - 1;
        &mut self.buckets[last]
    }
}

impl Bucket {
    fn full(now: Instant, per_minute: f64) -> Self {
        let mut bucket = Self {
            per_minute,
            level: 0.0,
            at: now,
        };
        bucket.level = bucket.capacity();
        bucket
    }

    fn per_second(&self) -> f64 {
        self.per_minute / 60.0 * SHARE
    }

    fn capacity(&self) -> f64 {
        (self.per_minute / 60.0 * BURST_SECONDS).max(1.0)
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level + passed * self.per_second()).min(self.capacity());
        self.at = self.at.max(now);
    }
}
