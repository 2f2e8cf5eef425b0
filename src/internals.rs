//! What the benchmarks measure from outside and tests bring about; no program should use it.

pub use crate::policy::split::{Limits, Plan, Weight, split};

pub mod fuzz;

#[cfg(feature = "bench")]
mod control;

#[cfg(feature = "bench")]
pub use control::ask;

use crate::actor::System;

/// Makes the Worker at this place (of as many as there are) panic, as only a fault of this crate's
/// own can.
pub fn crash_worker(system: &System, worker: usize) {
    system.crash(worker);
}
