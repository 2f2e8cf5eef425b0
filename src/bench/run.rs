//! A run: its threads and its actors, how it is watched, and how it is stopped.

mod engine;

mod ready;

mod launch;

mod users;

mod arrivals;

mod agenda;

mod pacer;

mod recorder;

mod progress;

mod stop;

#[cfg(feature = "cli")]
mod display;

#[cfg(feature = "cli")]
pub use display::Display;
pub(super) use engine::run_unwatched;
pub use engine::{run, run_blocking};
pub use progress::Progress;
pub(super) use stop::Stop;
pub use stop::Stopper;
