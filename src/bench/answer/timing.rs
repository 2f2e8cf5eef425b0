//! When what of an answer came off the socket.

use tokio::time::Instant;

/// When what came off the socket, of one attempt. Stamped as it is read, before any of it is looked
/// at.
#[derive(Debug)]
pub(super) struct Timing {
    /// The attempt began: a connection is taken, or opened.
    pub(super) sent: Instant,
    /// The head of the answer was there.
    pub(super) head: Instant,
    /// For each piece of the body, as sent, the length of the body with it, and when it came.
    pub(super) pieces: Vec<(usize, Instant)>,
}

impl Timing {
    /// That of an attempt that begins now, of which nothing has come.
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        Self {
            sent: now,
            head: now,
            pieces: Vec::new(),
        }
    }
}
