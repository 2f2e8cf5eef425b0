//! An open loop, as it is given.

use super::schedule::{Arrival, Stage};
use std::time::Duration;

/// An open loop: arrivals that wait for nobody.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::bench) struct Open {
    pub(in crate::bench) pace: Pace,
    pub(in crate::bench) arrival: Arrival,
}

/// How many arrivals there are when.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::bench) enum Pace {
    Stages(Vec<Stage>),
    /// So many a second; where it does not say for how long, until each request was sent once.
    Rate(f64, Option<Duration>),
}

/// In flight at most, in an open loop where nothing else is said: below what connections a process
/// can have to one address.
pub(super) const DEFAULT_IN_FLIGHT: usize = 16_384;
