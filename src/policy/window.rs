//! How many requests an endpoint takes at once, learned from what it refuses.
//!
//! An endpoint that refuses nothing is sent whatever its callers' windows allow. One that refuses
//! has said how many it takes: those in flight that it did not refuse.
//!
//! - **Cut.** A refusal cuts the window to what is in flight without it. A burst of 256 to a server
//!   that takes 64 ends at 64 once its 192 refusals are in, however many they are. Netflix's
//!   `AIMDLimit` and Vector's adaptive concurrency cut by a tenth once a round trip, and take ten of
//!   them for the same.
//! - **Return.** What was cut comes back soon, up to the edge that was known: a lone refusal may be
//!   a server that counted an answered request a moment longer. As with CUBIC (RFC 9438), the last
//!   known window is gone back to fast, and left slowly.
//! - **Beyond.** At the edge one request more is tried twice a second at most, and only as often as
//!   33 answers pay for each refusal: 3 %. Where it is let through, two more follow, then four: a
//!   step counts as let through when twice the time that a refusal takes has passed, not when its
//!   answers are there. So a capacity that doubled is in use after a few refusals' time.
//! - **Opening.** Of an endpoint that was not asked before, or is back from an outage, nothing is
//!   known. One request goes; the others follow when it is answered or after 10 ms, doubled each
//!   millisecond up to 8, one by one up to 16, and by half from there, more slowly above 32 where
//!   nothing was answered yet (128 are on their way after some 30 ms, or 45). This is slow start
//!   (RFC 5681), by the clock in place of the round trip: an endpoint that refuses nothing costs no
//!   round trip, and one that does refuses few.
//!
//! Only a window that is full grows.

mod learned;

mod scattered;

#[cfg(test)]
mod tests;

use learned::Learned;
use scattered::{Doubt, Scattered};
use std::time::Duration;
use tokio::time::Instant;

/// The first request of an unknown endpoint goes alone for so long, unless it is answered before.
const PILOT: Duration = Duration::from_millis(10);
/// From one step of the opening to the next.
const OPENING_STEP: Duration = Duration::from_millis(1);
/// The same once so many are on their way and nothing was answered: a refusal needs its time.
const UNANSWERED_STEP: Duration = Duration::from_millis(5);
const UNANSWERED: usize = 32;
/// Up to here a step of the opening doubles it.
const DOUBLED_TO: usize = 8;
/// Up to here a step adds one: many servers take ten at once.
const ADDED_TO: usize = 16;
/// A window of so many holds nobody.
const BOUNDLESS: usize = 1 << 16;
/// So many requests in a row whose connections broke, without an answer between, are the server's
/// end, and what follows goes carefully.
const BROKEN_IN_A_ROW: u32 = 3;

/// Whether one more request may be in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// It may.
    Free,
    /// Not before one ends, or until then.
    Full(Option<Instant>),
}

/// Counts what is in flight to an endpoint, and knows how much may be.
#[derive(Debug)]
pub(crate) struct Window {
    in_flight: usize,
    /// Broken connections since the last answer.
    broken: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    /// So many may be in flight, and more with each step.
    Opening {
        room: usize,
        next: Option<Instant>,
        answered: bool,
    },
    /// Nothing was refused.
    Open,
    /// Something was.
    Learned(Learned),
    /// Much is, whatever the window.
    Scattered(Scattered),
}

impl Window {
    pub(crate) fn new() -> Self {
        Self {
            in_flight: 0,
            broken: 0,
            state: State::Opening {
                room: 1,
                next: None,
                answered: false,
            },
        }
    }

    /// Attempts that are on their way.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many the endpoint takes at once, where it refused more.
    pub(crate) fn learned(&self) -> Option<usize> {
        match &self.state {
            State::Learned(learned) => Some(learned.limit()),
            State::Scattered(_) | State::Opening { .. } | State::Open => None,
        }
    }

    /// Asks for room for one more; a full window may grow by it.
    pub(crate) fn room(&mut self, now: Instant) -> Room {
        match &mut self.state {
            State::Open => Room::Free,
            State::Learned(learned) => {
                let room = learned.room(self.in_flight, now);
                if learned.limit() > BOUNDLESS {
                    self.state = State::Open;
                }
                room
            }
            State::Scattered(scattered) => {
                if scattered.has_room(self.in_flight) {
                    Room::Free
                } else {
                    Room::Full(None)
                }
            }
            State::Opening { room, .. } if self.in_flight < *room => Room::Free,
            State::Opening {
                room,
                next,
                answered,
            } => {
                let wait = if *answered { OPENING_STEP } else { PILOT };
                let at = *next.get_or_insert(now + wait);
                if now < at {
                    return Room::Full(Some(at));
                }
                let is_blind = !*answered && *room >= UNANSWERED;
                let step = if is_blind {
                    UNANSWERED_STEP
                } else {
                    OPENING_STEP
                };
                *next = Some(now + step);
                *room += opening_step(*room);
                if *room > BOUNDLESS {
                    self.state = State::Open;
                }
                Room::Free
            }
        }
    }

    /// An attempt is sent.
    pub(crate) fn sent(&mut self) {
        self.in_flight += 1;
    }

    /// An attempt is no longer on its way, for whatever reason.
    pub(crate) fn ended(&mut self) {
        debug_assert!(self.in_flight > 0, "each attempt ends once");
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// It was answered, after so long. Told after [`ended`](Self::ended), as what follows.
    pub(crate) fn served(&mut self, took: Duration, now: Instant) {
        self.broken = 0;
        match &mut self.state {
            State::Open => {}
            State::Learned(learned) => learned.served(took, now),
            State::Scattered(scattered) => scattered.served(),
            State::Opening {
                room,
                next,
                answered,
            } => {
                *answered = true;
                if self.in_flight + 1 >= *room {
                    *room += 1;
                    *next = next.map(|at| at.min(now + OPENING_STEP));
                }
            }
        }
    }

    /// It was refused ("too much"), after so long.
    pub(crate) fn refused(&mut self, took: Duration, now: Instant) {
        let left = self.in_flight.max(1);
        match &mut self.state {
            State::Learned(learned) => {
                if let Some(scattered) = learned.refused(left, took, now) {
                    self.state = State::Scattered(scattered);
                }
            }
            State::Scattered(scattered) => {
                if let Some((limit, doubt)) = scattered.refused(now) {
                    let left = left.min(limit);
                    self.state = State::Learned(Learned::new(left, doubt, took, now));
                }
            }
            State::Opening { .. } | State::Open => {
                self.state = State::Learned(Learned::new(left, Doubt::new(), took, now));
            }
        }
    }

    /// Its connection broke. Says whether several did in a row.
    pub(crate) fn broken(&mut self, now: Instant) -> bool {
        self.broken += 1;
        let in_a_row = self.broken >= BROKEN_IN_A_ROW;
        if in_a_row {
            self.go_carefully(now);
        }
        in_a_row
    }

    /// No more connections can be made for now, though others are served.
    pub(crate) fn go_carefully(&mut self, now: Instant) {
        let room = self.in_flight.max(1);
        match &mut self.state {
            State::Learned(learned) => learned.unreachable(room, now),
            State::Scattered(_) | State::Opening { .. } | State::Open => {
                let next = Some(now + PILOT);
                self.state = State::Opening {
                    room,
                    next,
                    answered: false,
                };
            }
        }
    }

    /// The endpoint is back from an outage. How many it takes at once is not what it refused by.
    pub(crate) fn reopen(&mut self) {
        *self = Self {
            in_flight: self.in_flight,
            ..Self::new()
        };
    }
}

/// What a step adds to an opening of so many.
fn opening_step(room: usize) -> usize {
    match room {
        0..DOUBLED_TO => room,
        DOUBLED_TO..ADDED_TO => 1,
        _ => room / 2,
    }
}
