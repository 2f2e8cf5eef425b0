//! What the transports of a system's Workers tell one another: each has connections of its own, and one
//! may keep those that a server serves while the requests of another wait in the server's queue.

use super::target::Target;
use std::cell::Cell;
use std::fmt;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;

/// So many words wait for a Worker that is busy; it misses older ones, which are said again.
const MOST_WORDS: usize = 64;
/// From one word of a Worker on a server to the next.
const BETWEEN: Duration = Duration::from_millis(200);

/// Requests wait for the first answers over their connections.
#[derive(Debug, Clone)]
pub(super) struct Waits {
    pub(super) target: Target,
    /// So many.
    pub(super) count: usize,
    /// One of them for so long.
    pub(super) waited: Duration,
    /// That is long, for what its Worker knows of the server.
    pub(super) is_late: bool,
}

/// By which all of them are reached.
#[derive(Clone)]
pub(super) struct Neighbours(broadcast::Sender<Waits>);

impl Neighbours {
    pub(super) fn new() -> Self {
        Self(broadcast::channel(MOST_WORDS).0)
    }

    /// What is said from now on, by the listener itself as well.
    pub(super) fn listen(&self) -> broadcast::Receiver<Waits> {
        self.0.subscribe()
    }
}

impl fmt::Debug for Neighbours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Neighbours").finish_non_exhaustive()
    }
}

/// Says what concerns one server.
#[derive(Debug)]
pub(super) struct Voice {
    neighbours: Neighbours,
    target: Target,
    said: Cell<Option<Instant>>,
}

impl Voice {
    pub(super) fn new(neighbours: &Neighbours, target: &Target) -> Self {
        Self {
            neighbours: neighbours.clone(),
            target: target.clone(),
            said: Cell::default(),
        }
    }

    /// So many requests wait, one of them for so long, which may be known to be long.
    pub(super) fn tell(&self, waited: Duration, is_late: bool, count: usize) {
        let now = Instant::now();
        let is_new = self.said.get().is_none_or(|said| now - said >= BETWEEN);
        let has_others = self.neighbours.0.receiver_count() > 1;
        if is_new && has_others {
            self.said.set(Some(now));
            // Nobody listens where all others have ended.
            let _ = self.neighbours.0.send(Waits {
                target: self.target.clone(),
                count,
                waited,
                is_late,
            });
        }
    }
}
