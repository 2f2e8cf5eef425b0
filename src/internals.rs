//! What the benchmarks measure from outside and no program should use.

pub use crate::policy::split::{Limits, Plan, split};
