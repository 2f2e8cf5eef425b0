//! What is to be sent next, where load follows a schedule: requests that arrive by it, and requests
//! that follow the answer to the one before in their session. Pure: it has no clock of its own.

use super::launch::Start;
use crate::bench::plan::{OpenLoad, Schedule, Sessions};
use crate::policy::timers::Timers;
use std::iter::{Peekable, Take};
use std::time::Duration;

/// Sessions that arrive by a schedule, and where each stands. In an open loop each arrival is a
/// request on its own, which nothing follows.
///
/// The `k`-th request of session `s`, of `n` requests each, is number `s * n + k`: which is sent in
/// which session follows from the configuration alone, however fast the answers come.
pub(super) struct Agenda {
    arrivals: Peekable<Take<Schedule>>,
    sessions: Option<Sessions>,
    /// Sessions that have arrived.
    arrived: u64,
    /// Requests at most: the last session may be shorter.
    most: u64,
    /// The numbers of requests whose predecessors were answered, by when they are due.
    following: Timers<Duration, u64>,
}

impl Agenda {
    pub(super) fn new(load: OpenLoad) -> Self {
        let each = load.sessions.map_or(1, |sessions| sessions.requests.max(1));
        let arrivals = usize::try_from(load.most.div_ceil(each)).unwrap_or(usize::MAX);
        Self {
            arrivals: load.schedule.take(arrivals).peekable(),
            sessions: load.sessions,
            arrived: 0,
            most: load.most,
            following: Timers::new(),
        }
    }

    /// When the next request is due, as far as it is known.
    pub(super) fn next_at(&mut self) -> Option<Duration> {
        let arrival = self.arrivals.peek().copied();
        let following = self.following.earliest();
        arrival.into_iter().chain(following).min()
    }

    /// Takes the request that has been due for the longest.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<Start> {
        let scheduled = self.next_at().filter(|at| *at <= now)?;
        let number = match self.following.pop_due(scheduled) {
            Some(number) => number,
            None => self.arrive(scheduled)?,
        };
        Some(Start {
            user: self.user(number),
            number,
            scheduled,
        })
    }

    /// A session arrives: gives the number of its first request.
    fn arrive(&mut self, now: Duration) -> Option<u64> {
        self.arrivals.next_if(|at| *at <= now)?;
        let session = self.arrived;
        self.arrived += 1;
        Some(session.saturating_mul(self.each()))
    }

    /// Requests of each session.
    fn each(&self) -> u64 {
        self.sessions.map_or(1, |sessions| sessions.requests)
    }

    /// The session, where there are any.
    fn user(&self, number: u64) -> u32 {
        let session = self.sessions.map(|sessions| number / sessions.requests);
        session.map_or(0, |session| u32::try_from(session).unwrap_or(u32::MAX))
    }

    /// A request was answered: the next of its session is due when its user has thought.
    pub(super) fn answered(&mut self, number: u64, at: Duration) {
        if let Some(sessions) = self.sessions
            && self.after(number) > 0
        {
            self.following
                .add(at.saturating_add(sessions.think), number + 1);
        }
    }

    /// Requests of the same session that come after this one.
    pub(super) fn after(&self, number: u64) -> u64 {
        let each = self.each();
        let last = (number / each).saturating_add(1).saturating_mul(each);
        last.min(self.most).saturating_sub(number.saturating_add(1))
    }

    /// Gives up all that is not under way: sessions that should have arrived by now, and what is
    /// left of those that have. Says how many requests that are.
    pub(super) fn give_up(&mut self, now: Duration) -> u64 {
        let mut requests = 0;
        while let Some(first) = self.arrive(now) {
            requests += 1 + self.after(first);
        }
        while let Some(number) = self.following.pop_due(Duration::MAX) {
            requests += 1 + self.after(number);
        }
        requests
    }

    /// Whether nothing more comes but what may follow requests that are under way.
    pub(super) fn is_empty(&mut self) -> bool {
        self.next_at().is_none()
    }
}

#[cfg(test)]
mod tests;
