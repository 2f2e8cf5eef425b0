//! How far a run is.

use crate::bench::measure::Live;
use std::time::Duration;

/// How far a run is. The warm-up is included where nothing else is said.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Since the run began.
    pub elapsed: Duration,
    /// When the last request is started, where time says so; sessions that have begun go on.
    pub span: Option<Duration>,
    /// Requests that ended, however.
    pub ended: u64,
    /// Requests that succeeded in the steady state.
    pub succeeded: u64,
    /// Requests that failed in the steady state.
    pub failed: u64,
    /// Attempts that were made by requests that ended.
    pub attempts: u64,
    /// Places of the schedule that were given up.
    pub dropped: u64,
    /// Requests a second that ended, over the last second.
    pub ended_per_s: f64,
    /// Tokens of answers a second, over the last second.
    pub completion_tokens_per_s: f64,
    /// Of the steady state so far, from the scheduled start.
    pub latency_p50: Option<Duration>,
    /// Of the steady state so far, from the scheduled start.
    pub latency_p99: Option<Duration>,
    /// Of the steady state so far, from the scheduled start.
    pub ttft_p50: Option<Duration>,
    /// What the run waits for before it begins, and what is known of it. Until then `elapsed` is
    /// since the wait began, and nothing else says anything.
    pub waiting_for: Option<String>,
}

impl Progress {
    pub(in crate::bench) fn new(elapsed: Duration, span: Option<Duration>, live: &Live) -> Self {
        Self {
            elapsed,
            span,
            ended: live.ended,
            succeeded: live.succeeded,
            failed: live.failed,
            attempts: live.attempts,
            dropped: live.dropped,
            ended_per_s: live.ended_per_s,
            completion_tokens_per_s: live.completion_tokens_per_s,
            latency_p50: live.latency_p50,
            latency_p99: live.latency_p99,
            ttft_p50: live.ttft_p50,
            waiting_for: None,
        }
    }

    /// Of a run that waits before it begins.
    pub(in crate::bench) fn waiting(elapsed: Duration, waiting_for: String) -> Self {
        Self {
            elapsed,
            waiting_for: Some(waiting_for),
            ..Self::default()
        }
    }
}
