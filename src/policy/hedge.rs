//! When a second attempt of a slow request is due.
//!
//! A request that has not ended after the operation's hedge delay gets one twin, while the
//! operation's hedge budget lasts [Dean and Barroso, The Tail at Scale, 2013].

use super::budget::Budget;
use std::time::Duration;

/// The hedging of one operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HedgePlan {
    /// How long a request is waited for before its twin is sent.
    pub delay: Duration,
    /// The extra attempts as a share of the operation's requests.
    pub budget_share: f64,
}

impl HedgePlan {
    /// The budget of an operation of `requests` requests.
    pub(crate) fn budget(&self, requests: usize) -> Budget {
        Budget::of_operation(requests, self.budget_share)
    }
}
