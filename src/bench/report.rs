//! The report of a run: plain data, whose JSON is the file that `--report-json` writes. Beside it
//! are the forms in which it is told, and what is made of several: one run of all, or a comparison.

mod layout;

// What a report has beside its measurements.
mod facts;

mod slo_result;

mod evaluate;

mod validity;

// From a recording to a report.
mod derive;

// How it is told.
mod summary;

mod html;

mod csv;

mod hdr_log;

// What is told of several.
mod merge;

mod compare;

#[cfg(test)]
pub(super) mod tests;

pub use compare::{ComparedFigure, Comparison, Outcome, compare};
pub use facts::ClientCost;
pub(super) use facts::RunFacts;
pub use layout::{MergedRun, Rates, Report, Requests, Tokens, Warmup};
pub use merge::merge;
pub use slo_result::SloResult;
pub(super) use summary::measured;
