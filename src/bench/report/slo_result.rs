//! What became of a threshold.

use crate::bench::measure::Slo;
use serde::{Deserialize, Serialize};

/// A term and what was measured of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SloResult {
    /// The term.
    pub term: Slo,
    /// What was measured, in the unit that `unit` names. `None` where there is no such figure, or
    /// the quantile falls among the failed requests.
    pub measured: Option<f64>,
    /// `ms`, `share` (of 1) or `/s`.
    pub unit: String,
    /// Whether the term was kept. A term without a figure is not kept.
    pub met: bool,
    /// What a reader must know beside.
    pub note: Option<String>,
}
