//! How long connections are kept.

use std::time::Duration;

/// A connection that nothing uses is not used again after so long: below the 60 s after which common
/// load balancers close it, or what stands between forgets it and tells nobody.
pub(super) const IDLE: Duration = Duration::from_secs(55);

/// A connection gets no more requests after so long, so that a change of address is noticed.
pub(super) const LIFETIME: Duration = Duration::from_mins(10);
