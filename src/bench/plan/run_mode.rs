//! How long users go on.

use super::span::LONGEST_RUN;
use crate::error::{Error, Result};
use std::time::Duration;

/// How long each user of a closed loop goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunMode {
    /// For so many requests a user.
    Finite {
        /// At least 1.
        requests_per_user: usize,
    },
    /// For so long; requests that are under way at its end are waited for.
    LongRunning {
        /// Above zero, at most 30 days; the warm-up is not part of it.
        duration: Duration,
    },
}

impl RunMode {
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Finite {
                requests_per_user: 0,
            } => Err(Error::config(
                "requests_per_user must be at least 1 (got 0)",
            )),
            Self::LongRunning { duration } if duration.is_zero() || *duration > LONGEST_RUN => {
                Err(Error::config(format!(
                    "duration must be above 0 s and at most 30 days (got {} s)",
                    duration.as_secs_f64()
                )))
            }
            _ => Ok(()),
        }
    }
}
