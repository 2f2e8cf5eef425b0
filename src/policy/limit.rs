//! What refusals do to an endpoint's traffic, so that an outage is not multiplied and a server
//! that asks for less gets less.
//!
//! - Retries after refusals (408, 409, 5xx) are paid from a budget that all operations at the
//!   endpoint share: [`RefusalBudget`], as in Finagle's `RetryBudget`.
//! - A server that says "too much" (429, 503) is left alone by everyone for a while, and then one
//!   request goes first to see: [`Gate`].

use std::time::Duration;
use tokio::time::Instant;

/// What is known of one endpoint (scheme, host and port) by all operations that go there.
#[derive(Debug)]
pub(crate) struct EndpointLimits {
    pub refusals: RefusalBudget,
    pub gate: Gate,
}

impl EndpointLimits {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            refusals: RefusalBudget::new(now),
            gate: Gate::new(),
        }
    }
}

/// Retries that may always be made within [`SPAN_SECONDS`]: 10 a second, 100 at once.
const RESERVE: u64 = 100;
/// Of the requests of the span, one in so many may be retried beside the reserve: 20 %.
const ONE_IN: u64 = 5;
/// The span over which requests and retries are counted.
const SPAN_SECONDS: usize = 10;

/// Counts requests and retries over the last ten seconds.
#[derive(Debug)]
pub(crate) struct RefusalBudget {
    began: Instant,
    /// One slot a second, by turns.
    slots: [Slot; SPAN_SECONDS],
    /// The second that was counted last, from `began`.
    second: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Slot {
    requests: u64,
    retries: u64,
}

impl RefusalBudget {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            began: now,
            slots: [Slot::default(); SPAN_SECONDS],
            second: 0,
        }
    }

    /// A request was started for the first time.
    pub(crate) fn request(&mut self, now: Instant) {
        self.slot(now).requests += 1;
    }

    /// Takes a retry, or says that none is left.
    #[must_use]
    pub(crate) fn spend(&mut self, now: Instant) -> bool {
        self.slot(now);
        let sum = |count: fn(&Slot) -> u64| self.slots.iter().map(count).sum::<u64>();
        let allowed = RESERVE + sum(|slot| slot.requests) / ONE_IN;
        let left = sum(|slot| slot.retries) < allowed;
        self.slot(now).retries += u64::from(left);
        left
    }

    /// The slot of this second; those of seconds that have left the span are cleared.
    fn slot(&mut self, now: Instant) -> &mut Slot {
        let second = now.saturating_duration_since(self.began).as_secs();
        let second = second.max(self.second);
        for passed in (self.second + 1..=second).rev().take(SPAN_SECONDS) {
            *self.at(passed) = Slot::default();
        }
        self.second = second;
        self.at(second)
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "the remainder is below ten"
    )]
    fn at(&mut self, second: u64) -> &mut Slot {
        &mut self.slots[(second % SPAN_SECONDS as u64) as usize]
    }
}

/// The longest pause that is taken where the server names none.
const LONGEST_PAUSE: Duration = Duration::from_secs(45);
/// A server is believed no further than that: nothing waits longer than the longest timeout.
const LONGEST_ASKED: Duration = Duration::from_hours(1);
/// Each pause that follows another is up to so many times longer, as a request's own pauses are.
const PAUSE_FACTOR: u32 = 4;

/// Whether requests may go to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gate {
    state: State,
    /// Pauses in a row without a probe that was let through.
    pauses: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Nobody goes before then.
    Paused(Instant),
    /// The pause is over, and one request is on its way to see.
    Probing,
}

/// What the gate says to a request that wants to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Go.
    Go,
    /// Go first, alone; the others wait for how it ends.
    GoAsProbe,
    /// Wait until then, and ask again.
    WaitUntil(Instant),
    /// Wait until the probe has ended.
    WaitForProbe,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Open,
            pauses: 0,
        }
    }

    /// Whether requests go as they come.
    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// The probes in a row that were refused. A request that had been each of them would have made
    /// so many attempts in vain.
    pub(crate) fn probes_refused(&self) -> u32 {
        self.pauses.saturating_sub(1)
    }

    /// Asks for one request.
    pub(crate) fn admit(&mut self, now: Instant) -> Admission {
        match self.state {
            State::Open => Admission::Go,
            State::Paused(until) if now < until => Admission::WaitUntil(until),
            State::Paused(_) => {
                self.state = State::Probing;
                Admission::GoAsProbe
            }
            State::Probing => Admission::WaitForProbe,
        }
    }

    /// The server said "too much". `asked` is the pause that it named; `initial` the longest first
    /// pause where it named none; `jitter` is uniform in 0 to 1. Answers that were under way when
    /// the pause began do not lengthen it, unless they name a longer one.
    pub(crate) fn refused(
        &mut self,
        now: Instant,
        asked: Option<Duration>,
        initial: Duration,
        jitter: f64,
    ) {
        let paused = match self.state {
            State::Paused(until) if until > now => Some(until),
            _ => None,
        };
        let pause = match (asked, paused) {
            (Some(asked), _) => asked.min(LONGEST_ASKED),
            (None, Some(_)) => return,
            (None, None) => {
                let longest = initial.saturating_mul(PAUSE_FACTOR.saturating_pow(self.pauses));
                // At least half of it: a shared pause of nothing would be no pause.
                let part = 0.5 + jitter.clamp(0.0, 1.0) / 2.0;
                longest.min(LONGEST_PAUSE).mul_f64(part)
            }
        };
        if paused.is_none() {
            self.pauses += 1;
        }
        let until = super::timers::later(now, pause);
        self.state = State::Paused(paused.map_or(until, |before| before.max(until)));
    }

    /// The probe was let through: so is everyone.
    pub(crate) fn probe_passed(&mut self) {
        if self.state == State::Probing {
            *self = Self::new();
        }
    }

    /// The probe came to nothing: it was aborted, or its connection broke. Another may go.
    pub(crate) fn probe_lost(&mut self, now: Instant) {
        if self.state == State::Probing {
            self.state = State::Paused(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn spend_all(budget: &mut RefusalBudget, now: Instant) -> usize {
        (0..10_000).take_while(|_| budget.spend(now)).count()
    }

    #[test]
    fn the_reserve_is_a_hundred_and_a_fifth_of_the_requests() {
        let start = Instant::now();
        let mut budget = RefusalBudget::new(start);
        assert_eq!(spend_all(&mut budget, start), 100);
        (0..500).for_each(|_| budget.request(start));
        assert_eq!(spend_all(&mut budget, start), 100);
        // What was spent comes back when it leaves the span.
        assert_eq!(spend_all(&mut budget, start + 9 * SECOND), 0);
        assert_eq!(spend_all(&mut budget, start + 10 * SECOND), 100);
    }

    #[test]
    fn in_the_long_run_ten_a_second_are_allowed() {
        let start = Instant::now();
        let mut budget = RefusalBudget::new(start);
        let spent: usize = (0..1000)
            .map(|second| spend_all(&mut budget, start + second * SECOND))
            .sum();
        assert_eq!(spent, 100 * 100);
    }

    proptest! {
        #[test]
        fn retries_of_any_ten_seconds_stay_within_the_rule(
            steps in prop::collection::vec((0u64..3000, 0usize..200, 0usize..300), 1..60)
        ) {
            let start = Instant::now();
            let mut budget = RefusalBudget::new(start);
            let mut now = start;
            let (mut requests, mut retries) = (Vec::new(), Vec::new());
            for (pause, asked, wanted) in steps {
                now += Duration::from_millis(pause);
                let second = (now - start).as_secs();
                for _ in 0..asked {
                    budget.request(now);
                    requests.push(second);
                }
                let within = |times: &[u64]| {
                    times.iter().filter(|time| **time + 10 > second).count() as u64
                };
                let allowed = RESERVE + within(&requests) / ONE_IN;
                let before = within(&retries);
                let spent = (0..wanted).filter(|_| budget.spend(now)).count();
                retries.extend(std::iter::repeat_n(second, spent));
                // Neither more than the rule allows, nor less.
                prop_assert_eq!(spent as u64, allowed.saturating_sub(before).min(wanted as u64));
            }
        }
    }

    #[test]
    fn after_a_pause_one_request_goes_first() {
        let now = Instant::now();
        let mut gate = Gate::new();
        assert_eq!(gate.admit(now), Admission::Go);
        gate.refused(now, Some(3 * SECOND), SECOND, 0.0);
        let until = now + 3 * SECOND;
        assert_eq!(gate.admit(now + 2 * SECOND), Admission::WaitUntil(until));
        assert_eq!(gate.admit(until), Admission::GoAsProbe);
        assert_eq!(gate.admit(until), Admission::WaitForProbe);
        gate.probe_passed();
        assert_eq!(gate.admit(until), Admission::Go);
    }

    #[test]
    fn pauses_grow_while_probes_are_refused_and_begin_anew_afterwards() {
        let mut now = Instant::now();
        let mut gate = Gate::new();
        for (probes, expected) in [1, 4, 16, 45, 45].into_iter().enumerate() {
            gate.refused(now, None, SECOND, 1.0);
            // Those that were under way are refused too, and change nothing.
            gate.refused(now, None, SECOND, 1.0);
            assert_eq!(gate.probes_refused() as usize, probes);
            let until = now + expected * SECOND;
            assert_eq!(gate.admit(now), Admission::WaitUntil(until));
            now = until;
            assert_eq!(gate.admit(now), Admission::GoAsProbe);
        }
        gate.probe_passed();
        gate.refused(now, None, SECOND, 1.0);
        assert_eq!(gate.admit(now), Admission::WaitUntil(now + SECOND));
    }

    #[test]
    fn a_lost_probe_is_followed_by_another() {
        let now = Instant::now();
        let mut gate = Gate::new();
        gate.refused(now, Some(SECOND), SECOND, 0.0);
        assert_eq!(gate.admit(now + SECOND), Admission::GoAsProbe);
        gate.probe_lost(now + SECOND);
        assert_eq!(gate.admit(now + SECOND), Admission::GoAsProbe);
    }
}
