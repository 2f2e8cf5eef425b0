//! What a run is: the configuration as it is given, and the blueprint that comes of it when it is
//! checked.

mod config;

mod blueprint;

mod own_retries;

mod run_mode;

mod load;

pub(super) use blueprint::{Arrivals, Blueprint, Closed, Load, Readiness, Sessions};
pub use config::BenchmarkConfig;
#[cfg(test)]
pub(super) use load::Levels;
pub(super) use load::Schedule;
pub use load::{Arrival, Stage};
pub use run_mode::RunMode;
