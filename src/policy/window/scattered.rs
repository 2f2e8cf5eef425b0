//! Refusals that have nothing to do with how many requests are in flight: one of four servers
//! behind a balancer refuses all, say. A smaller window has as large a share of them, and only
//! serves less.
//!
//! Looked for where refusals come though the window is below its edge ([`Doubt`]); then the
//! window grows whatever is refused, as long as the share of refusals does not grow with it.

use std::time::Duration;
use tokio::time::Instant;

/// So many refusals below the edge are doubtful.
const DOUBTFUL: u32 = 8;
/// Unless there were so many answers for each: then they cost little.
const HARMLESS: u32 = 40;
/// The shortest time from one mistake to the next doubt; twice as long each time.
const FIRST_PATIENCE: Duration = Duration::from_secs(10);
/// A share of refusals is measured over so many attempts, or twice the window.
const SAMPLE: usize = 64;
/// The share has grown where it is half as much again as at first, and so much more.
const MORE: f64 = 0.05;
/// Where more than that is refused, something limits.
const MOST_SCATTERED: f64 = 0.5;

/// Counts refusals that a window at its edge would not meet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doubt {
    served: u32,
    refused: u32,
    not_before: Option<Instant>,
    patience: Duration,
}

impl Doubt {
    pub(super) fn new() -> Self {
        Self {
            served: 0,
            refused: 0,
            not_before: None,
            patience: FIRST_PATIENCE,
        }
    }

    pub(super) fn served(&mut self) {
        self.served += 1;
    }

    /// A refusal below the edge came at `now`, with a window of `limit`.
    pub(super) fn refused(&mut self, limit: usize, now: Instant) -> Option<Scattered> {
        self.refused += 1;
        if self.refused < DOUBTFUL {
            return None;
        }
        let found = Self {
            served: 0,
            refused: 0,
            ..*self
        };
        let before = std::mem::replace(self, found);
        let is_harmless = before.served > HARMLESS * before.refused;
        let too_soon = self.not_before.is_some_and(|at| now < at);
        let share = f64::from(before.refused) / f64::from(before.refused + before.served);
        (!is_harmless && !too_soon && share <= MOST_SCATTERED).then_some(Scattered {
            limit,
            share,
            served: 0,
            refused: 0,
            was_full: false,
            doubt: *self,
        })
    }

    /// It was wrong.
    fn mistaken(mut self, now: Instant) -> Self {
        self.not_before = Some(now + self.patience);
        self.patience *= 2;
        self
    }
}

/// A window that grows whatever is refused.
#[derive(Debug)]
pub(super) struct Scattered {
    limit: usize,
    /// The share of refusals at first.
    share: f64,
    served: usize,
    refused: usize,
    /// The window was what limited.
    was_full: bool,
    doubt: Doubt,
}

impl Scattered {
    pub(super) fn has_room(&mut self, in_flight: usize) -> bool {
        let has_room = in_flight < self.limit;
        self.was_full |= !has_room;
        has_room
    }

    /// Refusals may have ended altogether: the window grows then as well.
    pub(super) fn served(&mut self) {
        self.served += 1;
        if self.is_sampled() && self.refused == 0 {
            self.grow();
        }
    }

    fn is_sampled(&self) -> bool {
        self.served + self.refused >= SAMPLE.max(2 * self.limit)
    }

    fn grow(&mut self) {
        self.limit *= if self.was_full { 2 } else { 1 };
        (self.served, self.refused, self.was_full) = (0, 0, false);
    }

    /// A refusal came. Says which window to go back to, where they grow with it after all.
    #[allow(clippy::cast_precision_loss, reason = "counts of a few thousand")]
    pub(super) fn refused(&mut self, now: Instant) -> Option<(usize, Doubt)> {
        self.refused += 1;
        if !self.is_sampled() {
            return None;
        }
        let attempts = self.served + self.refused;
        let share = self.refused as f64 / attempts as f64;
        if share > (1.5 * self.share + MORE).min(MOST_SCATTERED) {
            let before = (self.limit / 2).max(1);
            return Some((before, self.doubt.mistaken(now)));
        }
        self.grow();
        None
    }

    #[cfg(test)]
    pub(super) fn for_test(limit: usize) -> Self {
        Self {
            limit,
            share: 0.25,
            served: 0,
            refused: 0,
            was_full: false,
            doubt: Doubt::new(),
        }
    }
}
