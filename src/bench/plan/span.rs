//! How long a run, and whatever is a part of one, may be.

use crate::error::{Error, Result};
use std::time::Duration;

/// No run is longer.
pub(super) const LONGEST_RUN: Duration = Duration::from_hours(24 * 30);

/// Refuses a span that no run is as long as.
pub(super) fn check_span(name: &str, span: Duration) -> Result<()> {
    if span > LONGEST_RUN {
        return Err(Error::config(format!(
            "{name} must be at most 30 days (got {} s)",
            span.as_secs_f64()
        )));
    }
    Ok(())
}
