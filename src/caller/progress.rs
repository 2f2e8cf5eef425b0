//! How far an operation is.

use std::fmt;
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
    /// What holds it back at its endpoint, if anything does.
    pub held_back: Option<HeldBack>,
}

/// What holds an operation back at its endpoint. `Display` has it in words, as for a progress bar:
/// `window 64 of 256, 2 % refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeldBack {
    /// The endpoint refused more requests at once ("too much", 429 or 503).
    Window {
        /// So many are sent at once, to the endpoint and with the key, by all operations together.
        window: usize,
        /// So many would be: the operation's `max_concurrent_requests`.
        of: usize,
        /// Attempts that the endpoint refused so far, whoever's they were.
        refused: u64,
        /// Attempts that it answered.
        served: u64,
    },
    /// Requests follow one another only so fast, because of a rate that the call sets, or that the
    /// endpoint's headers tell.
    Paced {
        /// So many a minute, where that is known: requests, or tokens of input.
        per_minute: Option<u64>,
        /// It is tokens that count.
        tokens: bool,
    },
    /// Nothing gets through: it refuses everything, or cannot be reached.
    Closed {
        /// For so long.
        since: Duration,
    },
}

impl fmt::Display for HeldBack {
    #[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Window {
                window,
                of,
                refused,
                served,
            } => {
                let share = 100.0 * refused as f64 / (refused + served).max(1) as f64;
                write!(f, "window {window} of {of}, {share:.0} % refused")
            }
            Self::Paced { per_minute, tokens } => {
                let unit = if tokens { " tokens" } else { "" };
                match per_minute {
                    Some(rate) if rate >= 600 => write!(f, "paced at {}{unit}/s", rate / 60),
                    Some(rate) => write!(f, "paced at {rate}{unit}/min"),
                    None => f.write_str("paced"),
                }
            }
            Self::Closed { since } => {
                write!(f, "nothing gets through for {:.0} s", since.as_secs_f64())
            }
        }
    }
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
