//! What a run is: the configuration as it is given, and the blueprint that comes of it when it is
//! checked.

mod config;

mod blueprint;

mod own_retries;

mod run_mode;

mod span;

mod schedule;

mod open;

mod url;

mod progress;

mod stop;

pub(super) use blueprint::{Blueprint, ClosedLoad, Load, OpenLoad, Readiness, Sessions};
pub use config::BenchmarkConfig;
pub(super) use open::Pace;
pub use progress::Progress;
pub use run_mode::RunMode;
#[cfg(test)]
pub(super) use schedule::Levels;
pub(super) use schedule::Schedule;
pub use schedule::{Arrival, Stage};
pub use stop::Stopper;
