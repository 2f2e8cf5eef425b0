//! What is known of one endpoint and key by all operations that go there: what it takes at once
//! ([`Window`]), whether it takes anything ([`Gate`]), and what retries after other refusals are
//! paid from ([`RefusalBudget`]).

#[cfg(test)]
mod tests;

use super::gate::{Cause, Gate, Passage, Pause};
use super::notice::{Notice, Notices};
use super::pace::Pacer;
use super::paths::Paths;
use super::refusals::RefusalBudget;
use super::window::{Room, Window};
use std::time::Duration;
use tokio::time::Instant;

/// An endpoint that served something within so long is well, though it has a rate: a minute's, and what
/// it takes to be sure that one is over.
const SERVES: Duration = Duration::from_secs(90);

/// The limits of an endpoint.
#[derive(Debug)]
pub(crate) struct EndpointLimits {
    pub refusals: RefusalBudget,
    /// How fast requests follow one another.
    pub pacer: Pacer,
    gate: Gate,
    window: Window,
    paths: Paths,
    /// When the last answer came that was no refusal.
    served_at: Option<Instant>,
    served: u64,
    refused: u64,
    notices: Notices,
    /// Something changed that people may want to know.
    changed: bool,
}

/// What an endpoint's limits are at, for people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct State {
    /// How many requests it takes at once, where it refused more.
    pub window: Option<usize>,
    /// The requests and the tokens a second that it allows, where its answers say so.
    pub rates: [Option<f64>; 2],
    /// Since when nothing gets through, if so.
    pub closed_since: Option<Instant>,
    /// Attempts that were answered, and not refused.
    pub served: u64,
    /// Attempts that were refused ("too much").
    pub refused: u64,
}

/// What an endpoint's limits say to a request that wants to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Go.
    Go,
    /// Go first, alone; the others wait for how it ends.
    GoAsProbe,
    /// Wait until another ends, or until then, and ask again.
    Wait(Option<Instant>),
}

/// What an attempt's end says of its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It answered, and did not ask for less.
    Served,
    /// It asks for less.
    TooMuch(Pause),
    /// No connection could be made.
    Unreachable,
    /// None could be made for want of what this process has.
    Exhausted,
    /// A connection broke.
    Broken,
    /// One that had been kept ended before anything of an answer came: its server may be closing
    /// those that were idle, or be away.
    Stale,
    /// No answer came in its time.
    Silent,
    /// Nothing.
    None,
}

/// An attempt that ended, as its endpoint's limits see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub sign: Sign,
    /// It went first, alone.
    pub probing: bool,
    /// How long it took.
    pub took: Duration,
    /// It was refused because of a rate, and not of how many were there at once.
    pub too_fast: bool,
    /// A hash of its path.
    pub path: u64,
}

/// How far the request that went first has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeStage {
    /// It is connected, and waits for its answer.
    Connected,
    /// The head of its answer is there, and is no refusal.
    Answered,
}

/// What follows from an attempt's end for others, and for its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follows {
    /// Nothing more.
    Nothing,
    /// Nothing gets through to the endpoint, now or still.
    Outage,
    /// Its path alone was refused: it is as any other status.
    OwnFault,
}

impl EndpointLimits {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            refusals: RefusalBudget::new(now),
            pacer: Pacer::new(),
            gate: Gate::new(),
            window: Window::new(),
            paths: Paths::default(),
            served_at: None,
            served: 0,
            refused: 0,
            notices: Notices::default(),
            changed: false,
        }
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) fn state(&self) -> State {
        State {
            window: self.window.learned(),
            rates: self.pacer.learned_rates(),
            closed_since: self.gate.closed_since(),
            served: self.served,
            refused: self.refused,
        }
    }

    /// What changed since this was asked last, and what of it is worth a line in the log.
    pub(crate) fn news(&mut self, now: Instant) -> Option<(State, Option<Notice>)> {
        if !self.changed {
            return None;
        }
        self.changed = self.notices.is_waiting();
        let state = self.state();
        Some((state, self.notices.take(state.window, now)))
    }

    /// Asks for one attempt. Where it may go, [`sent`](Self::sent) follows.
    pub(crate) fn admit(&mut self, now: Instant) -> Admission {
        match self.gate.admit(now) {
            Passage::Go => match self.window.room(now) {
                Room::Free => Admission::Go,
                Room::Full(until) => Admission::Wait(until),
            },
            Passage::GoAsProbe => Admission::GoAsProbe,
            Passage::WaitUntil(until) => Admission::Wait(Some(until)),
            Passage::WaitForProbe => Admission::Wait(None),
        }
    }

    /// An attempt is sent.
    pub(crate) fn sent(&mut self) {
        self.window.sent();
    }

    /// The probe got further. Says whether it was let through by that.
    pub(crate) fn probe_got(&mut self, stage: ProbeStage, now: Instant) -> bool {
        let passed = match stage {
            ProbeStage::Connected => self.gate.awaits_connect(),
            ProbeStage::Answered => self.gate.is_probing(),
        };
        if passed {
            self.open(now);
        }
        passed
    }

    /// Whether one who has waited since then is to wait no longer for an outage's end.
    pub(crate) fn is_hopeless(
        &self,
        since: Instant,
        now: Instant,
        max_retries: u32,
        timeout: Duration,
    ) -> bool {
        let closed = self.gate.closed_since();
        let since = closed.map_or(now, |closed| closed.max(since));
        let waited = now.saturating_duration_since(since);
        self.gate
            .is_hopeless(waited, self.served > 0, max_retries, timeout)
    }

    /// An attempt ended. `jitter` is uniform in 0 to 1; it is drawn where a pause begins.
    pub(crate) fn ended(
        &mut self,
        ended: Ended,
        now: Instant,
        jitter: impl FnOnce() -> f64,
    ) -> Follows {
        self.window.ended();
        match ended.sign {
            Sign::Served => self.served(ended, now),
            Sign::TooMuch(pause) => return self.refused(ended, pause, now, jitter),
            Sign::Unreachable => return self.unreachable(ended, now, jitter),
            Sign::Exhausted => return self.exhausted(ended, now, jitter),
            Sign::Broken => return self.broken(ended, now, jitter),
            Sign::Stale => {
                self.window.broken(now);
                self.probe_lost(ended.probing, now);
            }
            // It refuses no more: that each waits in vain is told by each one's own timeout, side by side.
            Sign::Silent if ended.probing => self.open(now),
            Sign::Silent | Sign::None => self.probe_lost(ended.probing, now),
        }
        Follows::Nothing
    }

    fn served(&mut self, ended: Ended, now: Instant) {
        self.served_at = Some(now);
        self.served += 1;
        self.paths.served(ended.path, now);
        self.window.served(ended.took, now);
        if self.gate.is_open() {
            self.gate.served();
        } else if ended.probing {
            self.open(now);
        }
        // Any other went before the gate was closed, and tells nothing of now.
    }

    fn open(&mut self, now: Instant) {
        if self.gate.in_vain() > 0 {
            self.window.reopen();
        }
        if let Some(since) = self.gate.closed_since() {
            self.notices.opened(now.saturating_duration_since(since));
            self.changed = true;
        }
        self.gate.served();
    }

    fn refused(
        &mut self,
        ended: Ended,
        pause: Pause,
        now: Instant,
        jitter: impl FnOnce() -> f64,
    ) -> Follows {
        self.refused += 1;
        self.changed = true;
        if ended.too_fast && !ended.probing && self.served_within(SERVES, now) {
            // The pacer holds what follows.
            return Follows::Nothing;
        }
        if self.paths.are_served_without(ended.path, now) {
            self.probe_lost(ended.probing, now);
            return Follows::OwnFault;
        }
        if self.window.in_flight() > 0 {
            // Alone it says nothing of how many are taken.
            self.window.refused(ended.took, now);
        }
        self.notices.window_changed(now);
        if self.is_late(ended) {
            return Follows::Nothing;
        }
        if self.window.in_flight() > 0 {
            if ended.probing {
                self.gate.probe_met_others();
            }
            return Follows::Nothing;
        }
        self.gate.refused(now, pause, jitter());
        if self.gate.in_vain() > 0 {
            self.notices.closed(Cause::Refuses);
        }
        Follows::Outage
    }

    /// Whether nothing is under way there, and nothing is known that will still be true.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        let quiet = self.window.in_flight() == 0 && self.gate.is_open();
        quiet && !self.served_within(SERVES, now)
    }

    fn served_within(&self, span: Duration, now: Instant) -> bool {
        self.served_at.is_some_and(|at| now <= at + span)
    }

    fn unreachable(&mut self, ended: Ended, now: Instant, jitter: impl FnOnce() -> f64) -> Follows {
        if self.is_late(ended) {
            return Follows::Nothing;
        }
        // It may be the number of connections, and not the endpoint, that is at its end.
        let meanwhile = self.served_at.is_some_and(|at| at + ended.took > now);
        if meanwhile && self.window.in_flight() > 0 && !ended.probing {
            self.window.go_carefully(now);
            return Follows::Nothing;
        }
        self.close(Cause::Away, ended, now, jitter)
    }

    fn exhausted(&mut self, ended: Ended, now: Instant, jitter: impl FnOnce() -> f64) -> Follows {
        if self.is_late(ended) {
            return Follows::Nothing;
        }
        if self.window.in_flight() == 0 {
            return self.close(Cause::Exhausted, ended, now, jitter);
        }
        // As if the endpoint took no more than these.
        self.window.refused(ended.took, now);
        self.changed = true;
        if ended.probing {
            self.gate.probe_met_others();
        }
        Follows::Nothing
    }

    fn broken(&mut self, ended: Ended, now: Instant, jitter: impl FnOnce() -> f64) -> Follows {
        self.gate.reached();
        let in_a_row = self.window.broken(now);
        if self.is_late(ended) {
            return Follows::Nothing;
        }
        // Others may yet be served.
        let was_last = in_a_row && self.window.in_flight() == 0;
        if ended.probing || was_last {
            return self.close(Cause::Breaks, ended, now, jitter);
        }
        Follows::Nothing
    }

    fn close(
        &mut self,
        cause: Cause,
        ended: Ended,
        now: Instant,
        jitter: impl FnOnce() -> f64,
    ) -> Follows {
        self.gate.in_vain_again(cause, now, ended.took, jitter());
        self.notices.closed(cause);
        self.changed = true;
        Follows::Outage
    }

    /// Whether it went before the gate was closed, and tells nothing new.
    fn is_late(&self, ended: Ended) -> bool {
        !self.gate.is_open() && !ended.probing
    }

    fn probe_lost(&mut self, probing: bool, now: Instant) {
        if probing {
            self.gate.probe_lost(now);
        }
    }
}
