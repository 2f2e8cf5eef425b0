//! What a server says is left, followed between its answers.
//!
//! Headers say how much of a limit remains. Whether that comes back evenly (`OpenAI`, Anthropic: a
//! token bucket), all at once (fixed windows, as most gateways have them) or as old requests grow out
//! of a window, they do not say, nor do `limit` and `reset` mean the same everywhere. `OpenAI`'s
//! `reset` is the time until the limit is whole, so that `(limit - remaining) / reset` comes back a
//! second, where the bucket holds the limit; one that holds a second's worth of a minute's limit tells
//! `limit / 60` alone; in a fixed window neither does. So both are no more than a first guess, the
//! lower of the two, and **the rate at which it comes back is measured**: what remains now, less what
//! remained at an answer before, with what was sent between, is what came back between. In a bucket
//! that is its rate; in a fixed window nothing, but for a leap at its end.
//!
//! **What is in flight.** An answer's `remaining` was right at some time between its request's start and
//! its end. Had it been at the start, all that was sent since is to be taken off, and what came back
//! since is to be added; had it been at the end, nothing. What is believed is kept between these two,
//! and moves no more than that asks.
//!
//! **Nothing is held for long on a header's word.** What is held goes on when the limit is said to be
//! whole, and one request goes [`LONGEST_HOLD`] after the last in any case; where neither a rate nor a
//! reset is known, after [`BLIND_HOLD`]. A server that says "none" and goes on serving is asked for
//! twice what it served, until it refuses.
//!
//! Read before: `OpenAI`'s guide "Rate limits" (headers, and that a minute's limit may be enforced over
//! shorter spans), Anthropic's "Rate limits" (a token bucket, resets as RFC 3339), draft-ietf-httpapi-
//! ratelimit-headers (`r`, `t`, `q`, `w`; and that `t` promises no refill before it), the API documents of
//! Mistral, Jina and Cohere, and BBR's estimate of a path's bandwidth by what was delivered (RFC draft
//! delivery-rate-estimation), whose measuring between two answers is the one here.

use super::{Allowance, Seen};
use crate::policy::timers::later;
use std::time::Duration;
use tokio::time::Instant;

/// The longest that anything waits on what a header said.
const LONGEST_HOLD: Duration = Duration::from_mins(1);
/// The same where nothing was said of when more comes.
const BLIND_HOLD: Duration = Duration::from_millis(250);
/// Twice as long after each request that went then in vain, up to this.
const LONGEST_BLIND_HOLD: Duration = Duration::from_secs(16);
/// A rate is measured over so long at least,
const SAMPLE_SECONDS: f64 = 0.1;
/// and over so many at least, since what remains is told in whole numbers.
const SAMPLE_AMOUNT: f64 = 20.0;
/// Where no answer came for so long, the limit may have been whole for a part of it.
const LONGEST_IDLE: f64 = 5.0;
/// What was measured is forgotten over so many seconds.
const MEMORY: f64 = 1.0;
/// So much of a second's worth is left to the server, and no more than a tenth of all: requests come
/// to it less evenly than they are sent.
const RESERVE_SECONDS: f64 = 0.05;

/// How much is left of one thing that a server limits.
#[derive(Debug)]
pub(super) struct Learned {
    /// What may be sent at `at`.
    level: f64,
    at: Instant,
    /// What comes back a second.
    rate: f64,
    /// Whether it was measured, or guessed from the headers.
    measured: bool,
    /// The most that was ever left.
    capacity: f64,
    /// When the server says that the limit is whole.
    reset_at: Option<Instant>,
    /// At a reset, all of it was there, when it was last seen.
    leaps: bool,
    /// What the newest request had seen sent that an answer told of.
    newest: f64,
    /// From where on a rate is measured, and what was refused since, which took nothing.
    anchor: Told,
    refused_since: f64,
    previous: Told,
    /// When the limit was to be whole, by the answer before.
    due_reset: Option<Instant>,
    /// The last time that anything was sent or learned.
    moved: Instant,
    /// How long anything waits where the server does not say when more comes: longer after each
    /// request that went then in vain.
    blind_hold: Duration,
    /// Refusals of requests that were sent before then tell nothing new.
    cut_at: Instant,
}

/// What an answer told.
#[derive(Debug, Clone, Copy)]
struct Told {
    at: Instant,
    remaining: f64,
    /// What had been sent with its request.
    sent: f64,
}

/// What was between two answers.
struct Span {
    seconds: f64,
    sent: f64,
    gained: f64,
}

impl Learned {
    pub(super) fn new(seen: Seen, allowance: &Allowance) -> Self {
        let remaining = allowance.remaining;
        let rate = guessed_rate(allowance);
        let reset_at = reset_at(seen.now, allowance);
        Self {
            level: remaining - seen.unseen,
            at: seen.now,
            rate: rate.unwrap_or(0.0),
            measured: rate.is_some(),
            capacity: remaining + seen.weight,
            reset_at,
            leaps: false,
            newest: seen.sent_then,
            anchor: Told::new(seen, remaining),
            refused_since: 0.0,
            previous: Told::new(seen, remaining),
            due_reset: reset_at,
            moved: seen.now,
            blind_hold: BLIND_HOLD,
            cut_at: seen.now,
        }
    }

    /// What is known to come back a second.
    pub(super) fn rate(&self) -> Option<f64> {
        self.measured.then_some(self.rate)
    }

    /// When so many may go: `None` for now. `sent` is what was sent in all.
    pub(super) fn ready(&mut self, now: Instant, need: f64, sent: f64) -> Option<Instant> {
        self.advance(now);
        let believed = self.cut_at + self.distrust();
        if now < believed {
            return Some(believed);
        }
        self.pass_reset(now, need, sent);
        let missing = (need + self.reserve()).min(self.capacity) - self.level;
        if missing <= 0.0 {
            return None;
        }
        let refilled = (self.rate > 0.0)
            .then(|| Duration::try_from_secs_f64(missing / self.rate).ok())
            .flatten()
            .map(|wait| later(now, wait));
        let hold = if self.reset_at.is_none() {
            self.blind_hold
        } else {
            LONGEST_HOLD
        };
        let until = [refilled, self.reset_at]
            .into_iter()
            .flatten()
            .fold(self.moved + hold, Instant::min);
        (until > now).then_some(until)
    }

    pub(super) fn take(&mut self, now: Instant, amount: f64) {
        self.advance(now);
        self.level -= amount;
        self.moved = self.moved.max(now);
    }

    pub(super) fn learn(&mut self, seen: Seen, allowance: &Allowance) {
        self.advance(seen.now);
        // An older request's answer is older news.
        if seen.sent_then < self.newest {
            return;
        }
        self.newest = seen.sent_then;
        self.moved = self.moved.max(seen.now);
        let remaining = allowance.remaining;
        self.capacity = self.capacity.max(remaining + seen.weight);
        if remaining >= seen.weight {
            self.blind_hold = BLIND_HOLD;
        }
        self.reset_at = reset_at(seen.now, allowance);
        self.measure(seen, allowance);
        let passed = seen.now.saturating_duration_since(seen.sent_at);
        let refilled = remaining + self.rate * passed.as_secs_f64();
        let least = remaining.min(refilled - seen.unseen);
        let most = remaining.max(refilled - seen.since);
        self.level = self.level.clamp(least, most).min(self.capacity);
    }

    /// A request that weighs so much was refused: it took nothing. Where that is because nothing is
    /// left for one like it, what was believed to have come back did not, or others took it.
    pub(super) fn refused(&mut self, now: Instant, sent_at: Instant, weight: f64, is_why: bool) {
        self.advance(now);
        self.refused_since += weight;
        self.level += weight;
        if is_why {
            self.level = self.level.min(0.0);
            if sent_at >= self.cut_at {
                self.cut_at = now;
                self.leaps = false;
                self.blind_hold = (2 * self.blind_hold).min(LONGEST_BLIND_HOLD);
                self.rate /= 2.0;
            }
        }
    }

    fn advance(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        if self.level < self.capacity {
            self.level = (self.level + passed * self.rate).min(self.capacity);
        }
        self.at = self.at.max(now);
    }

    /// Where the time has come at which the limit is said to be whole, some go first: their answers
    /// tell the rest. That is an eighth of the limit where it was whole at the last such time (a window
    /// that slides says when its oldest request leaves), or else one, if none is on its way that tells.
    fn pass_reset(&mut self, now: Instant, need: f64, sent: f64) {
        if self.reset_at.is_none_or(|at| at > now) {
            return;
        }
        self.reset_at = None;
        let since = sent - self.newest;
        if self.leaps {
            self.level = self.level.max(self.capacity / 8.0 - since);
        }
        if since <= 0.0 {
            self.level = self.capacity.min(self.level.max(need + self.reserve()));
        }
    }

    /// A server that refused several in a row, each at a time that it had named, is not asked again
    /// before so long.
    fn distrust(&self) -> Duration {
        if self.blind_hold > 4 * BLIND_HOLD {
            self.blind_hold / 8
        } else {
            Duration::ZERO
        }
    }

    fn reserve(&self) -> f64 {
        (self.rate * RESERVE_SECONDS).min(self.capacity / 10.0)
    }

    /// Measures what came back since the anchor, where that says something.
    fn measure(&mut self, seen: Seen, allowance: &Allowance) {
        let told = Told::new(seen, allowance.remaining);
        let was_reset = self.due_reset.is_some_and(|at| at <= told.at);
        let step = told.since(self.previous);
        let leapt =
            step.gained > self.capacity / 2.0 && step.gained > 2.0 * self.rate * step.seconds;
        if was_reset {
            self.leaps = step.gained >= self.capacity / 2.0;
        }
        let idle = step.seconds > LONGEST_IDLE;
        self.previous = told;
        self.due_reset = self.reset_at;
        let span = told.since(self.anchor);
        let amount = (span.sent - self.refused_since).max(span.gained);
        let enough = span.seconds >= SAMPLE_SECONDS && amount >= SAMPLE_AMOUNT;
        if !enough && !was_reset && !leapt && !idle {
            return;
        }
        if enough && !was_reset && !leapt && !idle {
            let found = (span.gained - self.refused_since).max(0.0) / span.seconds;
            let was_empty = told.remaining.max(self.anchor.remaining) < seen.weight;
            if was_empty && self.refused_since <= 0.0 {
                self.take_rate(2.0 * found, span.seconds);
            } else {
                // Old requests that leave a window together are no rate.
                let found = found.min(most_rate(allowance).unwrap_or(f64::INFINITY));
                let is_full = told.remaining + seen.weight >= 0.98 * self.capacity;
                if !is_full || found > self.rate {
                    self.take_rate(found, span.seconds);
                }
            }
        }
        self.anchor = told;
        self.refused_since = 0.0;
    }

    fn take_rate(&mut self, found: f64, seconds: f64) {
        if self.measured {
            let share = (1.0 - (-seconds / MEMORY).exp()).max(0.25);
            self.rate += (found - self.rate) * share;
        } else {
            self.rate = found;
            self.measured = true;
        }
    }
}

impl Told {
    fn new(seen: Seen, remaining: f64) -> Self {
        Self {
            at: seen.sent_at,
            remaining,
            sent: seen.sent_then,
        }
    }

    fn since(self, before: Self) -> Span {
        let sent = self.sent - before.sent;
        Span {
            seconds: self.at.saturating_duration_since(before.at).as_secs_f64(),
            sent,
            gained: self.remaining - before.remaining + sent,
        }
    }
}

fn reset_at(now: Instant, allowance: &Allowance) -> Option<Instant> {
    allowance.reset.map(|reset| later(now, reset))
}

/// The lower of what the headers say comes back a second.
fn guessed_rate(allowance: &Allowance) -> Option<f64> {
    let limit = allowance.limit?;
    let by_period = rate_by_period(allowance);
    let used = limit - allowance.remaining;
    let by_reset = allowance
        .reset
        .filter(|reset| used > 0.0 && !reset.is_zero())
        .map(|reset| used / reset.as_secs_f64());
    [by_period, by_reset]
        .into_iter()
        .flatten()
        .min_by(f64::total_cmp)
}

fn rate_by_period(allowance: &Allowance) -> Option<f64> {
    let (limit, period) = (allowance.limit?, allowance.period?);
    Some(limit / period.as_secs_f64().max(1e-3))
}

/// No rate is believed that is far above what the headers say.
fn most_rate(allowance: &Allowance) -> Option<f64> {
    Some(1.25 * rate_by_period(allowance)?)
}
