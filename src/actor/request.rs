//! A request under way, as its operation's flight keeps it.

use crate::policy::pace::Mark;
use crate::policy::retry::History;
use tokio::time::Instant;

/// A request that was started and has not ended.
pub(super) struct ActiveRequest {
    pub(super) started: Instant,
    pub(super) made: u32,
    /// Attempts of the request that it was cut from.
    pub(super) inherited: u32,
    /// The attempts in flight: none during a pause, two once hedged.
    pub(super) running: Running,
    pub(super) history: History,
    pub(super) hedged: bool,
    pub(super) base64: Base64,
    /// Its attempt is the one that goes first after its endpoint was paused.
    pub(super) probing: bool,
    /// Its last refusal was for its path alone, while its endpoint served others.
    pub(super) own_fault: bool,
    /// Its tokens, once they are counted.
    pub(super) tokens: Option<f64>,
    /// When its last attempt was sent, as the endpoint's pacer tells the time.
    pub(super) mark: Option<Mark>,
}

impl ActiveRequest {
    pub(super) fn new(now: Instant, try_base64: bool) -> Self {
        Self {
            started: now,
            made: 0,
            inherited: 0,
            running: Running::default(),
            history: History::default(),
            hedged: false,
            base64: if try_base64 {
                Base64::Tried
            } else {
                Base64::NotTried
            },
            probing: false,
            own_fault: false,
            tokens: None,
            mark: None,
        }
    }
}

/// Whether base64 is asked for where the caller left the encoding open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base64 {
    /// It is not.
    NotTried,
    /// It is.
    Tried,
    /// It was, and the server refused it, or may have: it is not asked for any more.
    Refused,
}

/// The attempts of one request that are in flight.
#[derive(Default, Clone, Copy)]
pub(super) struct Running {
    pub(super) first: Option<u32>,
    pub(super) twin: Option<u32>,
}

impl Running {
    pub(super) fn remove(&mut self, attempt: u32) {
        if self.first == Some(attempt) {
            self.first = None;
        }
        if self.twin == Some(attempt) {
            self.twin = None;
        }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u32> {
        self.first.into_iter().chain(self.twin)
    }

    pub(super) fn is_empty(self) -> bool {
        self.first.is_none() && self.twin.is_none()
    }
}
