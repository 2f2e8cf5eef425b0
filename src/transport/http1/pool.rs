//! Connections to one server that wait for their next request.

use super::connection::Connection;
use std::cell::RefCell;
use std::time::Duration;
use tokio::time::Instant;

/// A kept-alive connection is not used again after so long: below the 60 s after which common
/// load balancers close it.
const IDLE: Duration = Duration::from_secs(55);
/// A connection is replaced after so long, so that a change of address is noticed.
const LIFETIME: Duration = Duration::from_mins(10);

/// The idle ones; the latest is used first, so that those that are not needed grow old.
#[derive(Debug, Default)]
pub(in crate::transport) struct Pool {
    idle: RefCell<Vec<Connection>>,
}

impl Pool {
    /// One that its server has not closed, if there is any.
    pub(super) fn take(&self, now: Instant) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        while let Some(mut connection) = idle.pop() {
            let since = connection.idle_since.unwrap_or(now);
            if now - since >= IDLE {
                // Those below it are older still.
                idle.clear();
            } else if now - connection.born < LIFETIME && connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Takes back a connection whose answer has been read.
    pub(super) fn put(&self, mut connection: Connection) {
        if connection.is_clean() {
            connection.idle_since = Some(Instant::now());
            self.idle.borrow_mut().push(connection);
        }
    }

    /// Closes the idle ones.
    pub(super) fn clear(&self) {
        self.idle.borrow_mut().clear();
    }
}
