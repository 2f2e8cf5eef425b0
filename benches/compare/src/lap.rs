//! What one run gave.

use crate::span::Cost;
use crate::work::Work;
use serde::Serialize;

/// One contender in one round.
#[derive(Debug, Serialize)]
pub(crate) struct Lap {
    pub(crate) work: Work,
    pub(crate) contender: &'static str,
    /// Counted from 0.
    pub(crate) round: u32,
    #[serde(flatten)]
    pub(crate) cost: Cost,
}
