//! What the benchmarks measure from outside, and the bindings check before a system runs; no
//! program should use it.

pub use crate::policy::split::{Limits, Plan, split};

use crate::config::{BaseUrl, Preference};
use crate::error::Result;

/// Checks a base URL as a client's builder does.
///
/// # Errors
///
/// When it is none.
pub fn check_base_url(raw: &str) -> Result<()> {
    BaseUrl::parse(raw).map(drop)
}

/// Checks a preference as a call with it does.
///
/// # Errors
///
/// When a value is out of range.
pub fn check_preference(preference: &Preference) -> Result<()> {
    preference.check().map(drop)
}
