//! What one key has taken of a server's limits, or all keys together where the
//! limits are not by key. Time is given, never read.

use std::time::Duration;

use super::bucket::Bucket;
use super::denial::Excess;
use super::limits::Limits;
use super::quota::{Level, Levels};
use super::weight::Weight;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// Requests that have a permit. None are given while there are no limits.
    pub(super) in_flight: u64,
    /// The inputs that those have together.
    pub(super) inputs: u64,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

impl Share {
    /// One with nothing in flight and full buckets.
    pub(super) fn full(limits: &Limits, now: Duration) -> Self {
        let mut share = Self::default();
        share.fill(limits, now);
        share
    }

    /// Fills the buckets, those of these limits. What is in flight stays so.
    pub(super) fn fill(&mut self, limits: &Limits, now: Duration) {
        let full = |per_minute| Bucket::full(per_minute, now);
        self.requests = limits.requests_per_minute.map(full);
        self.tokens = limits.tokens_per_minute.map(full);
    }

    /// Takes a request from all that is limited, or from nothing.
    pub(super) fn weigh(
        &mut self,
        limits: &Limits,
        weight: Weight,
        now: Duration,
    ) -> Result<(), Excess> {
        for bucket in [&mut self.requests, &mut self.tokens].into_iter().flatten() {
            bucket.refill(now);
        }
        let above = |most: Option<u64>, units| most.is_some_and(|most| units > most);
        if above(limits.max_batch_items, weight.items) {
            return Err(Excess::BatchItems(weight.items));
        }
        if above(limits.max_batch_tokens, weight.tokens) {
            return Err(Excess::BatchTokens(weight.tokens));
        }
        // What asks for no place is not refused because others hold too many.
        let inputs = self.inputs.saturating_add(weight.items);
        if weight.items > 0 && above(limits.max_inputs_in_flight, inputs) {
            return Err(Excess::InputsInFlight);
        }
        self.take(weight)?;
        self.inputs = inputs;
        Ok(())
    }

    /// Takes from both buckets, or from none.
    fn take(&mut self, weight: Weight) -> Result<(), Excess> {
        let wait = |bucket: &Option<Bucket>, units| match bucket {
            Some(bucket) if units > 0 => bucket.wait_for(units),
            _ => Duration::ZERO,
        };
        let requests = wait(&self.requests, 1);
        let tokens = wait(&self.tokens, weight.tokens);
        // Of two rates that both refuse, the one that takes longer is told.
        if requests.max(tokens) > Duration::ZERO {
            return Err(if requests >= tokens {
                Excess::Requests(requests)
            } else {
                Excess::Tokens(tokens)
            });
        }
        for (bucket, units) in [(&mut self.requests, 1), (&mut self.tokens, weight.tokens)] {
            if let Some(bucket) = bucket {
                bucket.take(units);
            }
        }
        Ok(())
    }

    pub(super) fn levels(&self) -> Levels {
        Levels {
            requests: self.requests.as_ref().map(Level::of),
            tokens: self.tokens.as_ref().map(Level::of),
        }
    }
}
