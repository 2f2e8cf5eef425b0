//! How far an operation is.

use std::time::Duration;

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Inputs whose requests have ended.
    pub done: usize,
    /// Inputs of the operation.
    pub total: usize,
    /// Since the operation began.
    pub elapsed: Duration,
}

impl Progress {
    /// Inputs a second, from the beginning to now.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            self.done as f64 / seconds
        } else {
            0.0
        }
    }
}
