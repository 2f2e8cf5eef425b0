//! A run: its threads and its actors, what the client could do at most, and how it is watched.

mod begin;

mod ready;

mod calibrate;

mod null_server;

mod engine;

mod launch;

mod users;

mod arrivals;

mod agenda;

mod pacer;

mod recorder;

#[cfg(feature = "cli")]
mod display;

#[cfg(test)]
mod slow_reader;

pub(super) use begin::run_unwatched;
pub use begin::{run, run_blocking};
#[cfg(feature = "cli")]
pub use display::Display;
