//! A window whose edge is known from refusals: cut, return, and steps beyond.

use super::Room;
use super::scattered::{Doubt, Scattered};
use std::time::Duration;
use tokio::time::Instant;

/// A step is judged after twice the time of a refusal, and no sooner than that.
const SHORTEST_JUDGED: Duration = Duration::from_millis(5);
/// A refusal that takes longer than that was queued, and says nothing of the next.
const LONGEST_JUDGED: Duration = Duration::from_secs(1);
/// What was cut comes back after so long at first, and after twice as long each time in vain.
const FIRST_HOLD: Duration = Duration::from_millis(5);
/// From a refusal beyond the edge to the next try.
const BETWEEN_TRIES: Duration = Duration::from_millis(500);
/// So many returns in vain, and the edge is where the window is.
const MOST_RETURNS: u32 = 3;
/// Twice the time of an answer, and no less than that, passes without one before a step is made that
/// nothing paid for; twice as long before each that follows, up to the longest.
const FIRST_SILENCE: Duration = Duration::from_secs(1);
const LONGEST_SILENCE: Duration = Duration::from_secs(45);
/// So many answers pay for one refusal beyond the edge.
const PRICE: i32 = 33;
/// No more is owed than for so many refusals, however far a step went.
const MOST_OWED: i32 = 8 * PRICE;

/// What is known of the edge, and the step that is being tried.
#[derive(Debug)]
pub(super) struct Learned {
    /// So many may be in flight.
    limit: usize,
    /// So many were, without a refusal.
    edge: usize,
    step: Option<Step>,
    /// When what was cut may come back.
    return_at: Instant,
    /// When more than the edge may be tried.
    beyond_at: Instant,
    hold: Duration,
    returns_in_vain: u32,
    /// Answers, less the price of each refusal beyond the edge.
    credit: i32,
    /// How long a refusal takes.
    refusal_time: Duration,
    /// Refusals until then are of the same burst.
    burst_until: Instant,
    /// That burst came of going beyond the edge.
    beyond: bool,
    /// When the last answer came, and how long answers take: the longest of the last, forgotten by
    /// an eighth each.
    answered_at: Instant,
    answer_time: Duration,
    /// Steps in vain since, that nothing had paid for.
    unpaid: u32,
    doubt: Doubt,
}

/// A larger window, on trial.
#[derive(Debug, Clone, Copy)]
struct Step {
    size: usize,
    beyond: bool,
    /// When it counts as let through; `None` until the window is full.
    judged_at: Option<Instant>,
}

impl Learned {
    /// The first refusal came while `left` others were on their way.
    pub(super) fn new(left: usize, doubt: Doubt, took: Duration, now: Instant) -> Self {
        let mut learned = Self {
            limit: left,
            edge: left,
            step: None,
            return_at: now,
            beyond_at: now + BETWEEN_TRIES,
            hold: FIRST_HOLD,
            returns_in_vain: 0,
            credit: -PRICE,
            refusal_time: Duration::ZERO,
            burst_until: now,
            beyond: true,
            answered_at: now,
            answer_time: Duration::ZERO,
            unpaid: 0,
            doubt,
        };
        learned.note_time(took, now);
        learned
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn room(&mut self, in_flight: usize, now: Instant) -> Room {
        if in_flight < self.limit {
            return Room::Free;
        }
        let judged = self.judge_after();
        let Some(step) = &mut self.step else {
            return self.begin_step(now);
        };
        let at = *step.judged_at.get_or_insert(now + judged);
        if now < at {
            return Room::Full(Some(at));
        }
        let step = *step;
        self.let_through(step);
        if in_flight < self.limit {
            Room::Free
        } else {
            self.begin_step(now)
        }
    }

    pub(super) fn served(&mut self, took: Duration, now: Instant) {
        self.answered_at = now;
        self.answer_time = took.max(self.answer_time.mul_f64(0.875));
        self.unpaid = 0;
        self.credit = (self.credit + 1).min(PRICE);
        self.doubt.served();
    }

    /// A refusal came while `left` others were on their way. Says where refusals seem to have
    /// nothing to do with the window.
    pub(super) fn refused(
        &mut self,
        left: usize,
        took: Duration,
        now: Instant,
    ) -> Option<Scattered> {
        self.limit = self.limit.min(left);
        if now < self.burst_until && self.step.is_none() {
            if self.beyond {
                self.pay();
            }
            return None;
        }
        self.note_time(took, now);
        let step = self.step.take();
        if step.is_some_and(|step| step.beyond) {
            self.find_edge(now);
            return None;
        }
        self.returns_in_vain += u32::from(step.is_some());
        if self.returns_in_vain >= MOST_RETURNS {
            self.find_edge(now);
        } else {
            self.hold_back(now);
        }
        self.doubt.refused(self.edge, now)
    }

    /// A connection could not be made while `left` others were on their way.
    pub(super) fn unreachable(&mut self, left: usize, now: Instant) {
        self.limit = self.limit.min(left);
        self.step = None;
        self.hold_back(now);
    }

    fn judge_after(&self) -> Duration {
        (2 * self.refusal_time).clamp(SHORTEST_JUDGED, LONGEST_JUDGED)
    }

    /// Keeps the longest of the last refusals' times, which is forgotten by halves.
    fn note_time(&mut self, took: Duration, now: Instant) {
        self.refusal_time = took.max(self.refusal_time / 2);
        self.burst_until = now + self.judge_after();
    }

    fn begin_step(&mut self, now: Instant) -> Room {
        let beyond = self.limit >= self.edge;
        let at = if beyond {
            self.beyond_at
        } else {
            self.return_at
        };
        if now < at {
            return Room::Full(Some(at));
        }
        if beyond && self.credit < 0 {
            // The next answer asks again. Where none comes, those in flight may hang, and are no
            // reason to hold the others.
            let at = self.answered_at + self.silence();
            if now < at {
                return Room::Full(Some(at));
            }
            self.unpaid += 1;
        }
        self.grow(Step {
            size: 1,
            beyond,
            judged_at: None,
        });
        Room::Free
    }

    /// Where no answer came for so long, those in flight are no measure.
    fn silence(&self) -> Duration {
        let first = (2 * self.answer_time).max(FIRST_SILENCE);
        first
            .saturating_mul(2u32.saturating_pow(self.unpaid))
            .min(LONGEST_SILENCE)
    }

    fn let_through(&mut self, step: Step) {
        self.hold = FIRST_HOLD;
        self.returns_in_vain = 0;
        self.step = None;
        if step.beyond {
            self.edge = self.limit;
        }
        if step.beyond || self.limit < self.edge {
            self.grow(Step {
                size: 2 * step.size,
                judged_at: None,
                ..step
            });
        }
    }

    /// Returns end at the edge; what goes beyond begins there anew.
    fn grow(&mut self, step: Step) {
        let grown = self.limit + step.size;
        self.limit = if step.beyond {
            grown
        } else {
            grown.min(self.edge)
        };
        self.step = Some(step);
    }

    /// The edge is where the window is.
    fn find_edge(&mut self, now: Instant) {
        self.beyond = true;
        self.edge = self.limit;
        self.beyond_at = now + BETWEEN_TRIES;
        self.hold = FIRST_HOLD;
        self.returns_in_vain = 0;
        self.pay();
    }

    fn pay(&mut self) {
        self.credit = (self.credit - PRICE).max(-MOST_OWED);
    }

    fn hold_back(&mut self, now: Instant) {
        self.beyond = false;
        self.return_at = now + self.hold;
        self.hold = (2 * self.hold).min(BETWEEN_TRIES);
    }
}
