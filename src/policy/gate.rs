//! Whether anything may be sent to an endpoint at all: one that refuses all, or cannot be reached,
//! is left alone by everyone for a while, and then one request goes first to see.
//!
//! - Where it refuses ("too much", 429 and 503), the pauses grow by four from an operation's first
//!   backoff, as a request's own would, or are what the server names.
//! - Where no connection can be made, or each that is made breaks (a proxy before a server that is
//!   away), they last a second and up to an eighth of the outage more, so that an endpoint is asked
//!   once a second at most, and work goes on soon after it is back.
//!
//! Where this process can have no more connections, and has none there, it is as if the endpoint were
//! away.
//!
//! The end of each pause is drawn at random, so that clients do not keep step ["Exponential Backoff
//! And Jitter", AWS Architecture Blog, 2015].

use super::retry::named_or;
use super::timers::later;
use std::time::Duration;
use tokio::time::Instant;

/// The longest pause that is taken where the server names none.
const LONGEST_PAUSE: Duration = Duration::from_secs(45);
/// Each pause that follows another is up to so many times longer, as a request's own pauses are.
const PAUSE_FACTOR: u32 = 4;
/// The pause after the first refusal of one that served before: what else asks it may have been
/// faster.
const GLANCE: Duration = Duration::from_millis(5);
/// No two connects in vain follow each other faster.
const BETWEEN_CONNECTS: Duration = Duration::from_secs(1);
/// The part of a pause between connects that is drawn at random: so much at first.
const FIRST_SPREAD: Duration = Duration::from_millis(250);
/// And so much at most.
const LONGEST_SPREAD: Duration = Duration::from_secs(9);

/// A host that was never reached is given up after that, so that a wrong name fails in seconds.
const LONGEST_UNREACHED: Duration = Duration::from_secs(3);
/// One that breaks every connection is given up after that: most restarts take less.
const LONGEST_BREAKING: Duration = Duration::from_secs(30);

/// Why nothing gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The server refuses all.
    Refuses,
    /// No connection can be made.
    Away,
    /// Connections are made, and break.
    Breaks,
    /// This process can have no more of them.
    Exhausted,
}

/// Since when nothing gets through, and why nothing did last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Closed {
    since: Instant,
    cause: Cause,
}

/// Lets requests through to an endpoint, or holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gate {
    state: State,
    /// Refusals in a row, each after a pause, without an answer between.
    in_vain: u32,
    /// When it was closed, where it has not opened since.
    closed: Option<Closed>,
    /// It served since it was closed last.
    served: bool,
    /// It was reached at least once.
    reached: bool,
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
pub(crate) enum Passage {
    /// Go.
    Go,
    /// Go first, alone; the others wait for how it ends.
    GoAsProbe,
    /// Wait until then, and ask again.
    WaitUntil(Instant),
    /// Wait until the probe has ended.
    WaitForProbe,
}

/// A pause that a server's refusal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause {
    /// The pause that it named.
    pub asked: Option<Duration>,
    /// The longest first pause where it named none.
    pub initial: Duration,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Open,
            in_vain: 0,
            closed: None,
            served: false,
            reached: false,
        }
    }

    /// Whether requests go as they come.
    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether one request is on its way to see.
    pub(crate) fn is_probing(&self) -> bool {
        self.state == State::Probing
    }

    /// How often, in a row, requests went in vain since it was closed. A request that had been each
    /// of them would have made so many attempts.
    pub(crate) fn in_vain(&self) -> u32 {
        self.in_vain
    }

    /// Since when nothing gets through, if so.
    pub(crate) fn closed_since(&self) -> Option<Instant> {
        self.closed.map(|closed| closed.since)
    }

    /// Whether one who has waited for so long is to wait no longer; `served` says whether the endpoint
    /// ever served anything, `max_retries` and `timeout` are those of a request.
    ///
    /// Refusals are as many as a request's own tries. A host that served before may be restarting,
    /// and is waited for as for an answer, or half a minute where it breaks all connections; one that
    /// was only reached has as many tries as a request; one that never was has seconds.
    pub(crate) fn is_hopeless(
        &self,
        waited: Duration,
        served: bool,
        max_retries: u32,
        timeout: Duration,
    ) -> bool {
        let is_spent = self.in_vain > max_retries;
        match self.closed.map(|closed| closed.cause) {
            None => false,
            Some(Cause::Refuses) => is_spent,
            Some(Cause::Away | Cause::Exhausted) if served => waited >= timeout,
            Some(Cause::Exhausted) => waited >= LONGEST_UNREACHED.min(timeout),
            Some(Cause::Breaks) if served => waited >= timeout.min(LONGEST_BREAKING),
            Some(_) if self.reached => is_spent,
            Some(_) => is_spent || waited >= LONGEST_UNREACHED.min(timeout),
        }
    }

    /// Asks for one request.
    pub(crate) fn admit(&mut self, now: Instant) -> Passage {
        match self.state {
            State::Open => Passage::Go,
            State::Paused(until) if now < until => Passage::WaitUntil(until),
            State::Paused(_) => {
                self.state = State::Probing;
                Passage::GoAsProbe
            }
            State::Probing => Passage::WaitForProbe,
        }
    }

    /// All is refused. `jitter` is uniform in 0 to 1.
    pub(crate) fn refused(&mut self, now: Instant, pause: Pause, jitter: f64) {
        self.reached = true;
        if pause.asked.is_none() && std::mem::take(&mut self.served) {
            self.close(Cause::Refuses, now, later(now, GLANCE));
            return;
        }
        self.served = false;
        let factor = PAUSE_FACTOR.saturating_pow(self.in_vain);
        self.in_vain += 1;
        // At least half of it: a shared pause of nothing would be no pause.
        let part = 0.5 + jitter.clamp(0.0, 1.0) / 2.0;
        let own = pause.initial.saturating_mul(factor).min(LONGEST_PAUSE);
        let pause = named_or(pause.asked, pause.initial, || own.mul_f64(part));
        self.close(Cause::Refuses, now, later(now, pause));
    }

    /// No connection could be made, or none held, which was tried for so long. `jitter` is uniform in
    /// 0 to 1.
    pub(crate) fn in_vain_again(
        &mut self,
        cause: Cause,
        now: Instant,
        took: Duration,
        jitter: f64,
    ) {
        let began = now.checked_sub(took).unwrap_or(now);
        let since = self.closed_since().unwrap_or(began);
        self.reached |= cause == Cause::Breaks;
        let spread = FIRST_SPREAD + now.saturating_duration_since(since) / 8;
        let spread = spread.min(LONGEST_SPREAD);
        self.in_vain += 1;
        self.served = false;
        let pause = BETWEEN_CONNECTS + spread.mul_f64(jitter.clamp(0.0, 1.0));
        self.close(cause, since, later(now, pause));
    }

    fn close(&mut self, cause: Cause, began: Instant, until: Instant) {
        let since = self.closed_since().unwrap_or(began);
        self.closed = Some(Closed { since, cause });
        self.state = State::Paused(until);
    }

    /// An answer came that was no refusal: everyone may go.
    pub(crate) fn served(&mut self) {
        *self = Self {
            served: true,
            reached: true,
            ..Self::new()
        };
    }

    /// The endpoint was there, whatever it did.
    pub(crate) fn reached(&mut self) {
        self.reached = true;
    }

    /// Whether one request is on its way to a host that could not be reached.
    pub(crate) fn awaits_connect(&self) -> bool {
        let is_away = self
            .closed
            .is_some_and(|closed| closed.cause != Cause::Refuses);
        self.is_probing() && is_away
    }

    /// The probe came to nothing: it was aborted. Another may go.
    pub(crate) fn probe_lost(&mut self, now: Instant) {
        if self.state == State::Probing {
            self.state = State::Paused(now);
        }
    }

    /// The probe was refused while the endpoint is busy with others: it is not closed to all.
    pub(crate) fn probe_met_others(&mut self) {
        if self.state == State::Probing {
            self.state = State::Open;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pause(asked: Option<Duration>) -> Pause {
        Pause {
            asked,
            initial: SECOND,
        }
    }

    #[test]
    fn after_a_pause_one_request_goes_first() {
        let now = Instant::now();
        let mut gate = Gate::new();
        assert_eq!(gate.admit(now), Passage::Go);
        gate.refused(now, pause(Some(3 * SECOND)), 0.0);
        let until = now + 3 * SECOND;
        assert_eq!(gate.admit(now + 2 * SECOND), Passage::WaitUntil(until));
        assert_eq!(gate.admit(until), Passage::GoAsProbe);
        assert_eq!(gate.admit(until), Passage::WaitForProbe);
        gate.served();
        assert_eq!(gate.admit(until), Passage::Go);
    }

    #[test]
    fn pauses_grow_while_probes_are_refused_and_begin_anew_afterwards() {
        let mut now = Instant::now();
        let mut gate = Gate::new();
        for (refused, expected) in [1, 4, 16, 45, 45].into_iter().enumerate() {
            assert_eq!(gate.in_vain() as usize, refused);
            gate.refused(now, pause(None), 1.0);
            let until = now + expected * SECOND;
            assert_eq!(gate.admit(now), Passage::WaitUntil(until));
            now = until;
            assert_eq!(gate.admit(now), Passage::GoAsProbe);
        }
        gate.served();
        assert_eq!(gate.in_vain(), 0);
        // One that has just served is asked again at once, and that is not counted.
        gate.refused(now, pause(None), 1.0);
        assert_eq!(gate.admit(now), Passage::WaitUntil(now + GLANCE));
        assert_eq!(gate.in_vain(), 0);
        now += GLANCE;
        assert_eq!(gate.admit(now), Passage::GoAsProbe);
        gate.refused(now, pause(None), 1.0);
        assert_eq!(gate.admit(now), Passage::WaitUntil(now + SECOND));
        assert_eq!(gate.in_vain(), 1);
    }

    #[test]
    fn a_lost_probe_is_followed_by_another() {
        let now = Instant::now();
        let mut gate = Gate::new();
        gate.refused(now, pause(Some(SECOND)), 0.0);
        assert_eq!(gate.admit(now + SECOND), Passage::GoAsProbe);
        gate.probe_lost(now + SECOND);
        assert_eq!(gate.admit(now + SECOND), Passage::GoAsProbe);
    }

    #[test]
    fn a_host_that_is_away_is_asked_once_a_second_at_most_and_soon_after_it_is_back() {
        for jitter in [0.0, 0.3, 1.0] {
            let start = Instant::now();
            let mut now = start;
            let mut gate = Gate::new();
            for _ in 0..200 {
                gate.in_vain_again(Cause::Away, now, Duration::ZERO, jitter);
                let Passage::WaitUntil(until) = gate.admit(now) else {
                    panic!("{gate:?}");
                };
                assert!(until - now >= BETWEEN_CONNECTS);
                // What an outage costs beside itself is an eighth of it and 1.25 s at most.
                assert!(until - now <= SECOND + FIRST_SPREAD + (now - start) / 8);
                assert!(until - now <= SECOND + LONGEST_SPREAD);
                now = until;
                assert_eq!(gate.admit(now), Passage::GoAsProbe);
            }
            assert_eq!(gate.in_vain(), 200);
            assert_eq!(gate.closed_since(), Some(start));
            assert!(gate.is_hopeless(3 * SECOND, false, 1000, 60 * SECOND));
            assert!(!gate.is_hopeless(3 * SECOND, true, 1000, 60 * SECOND));
        }
    }
}
