//! What is kept of a run while it lasts. Its size depends on neither the number of requests nor the
//! run's length: histograms of fixed size, a timeline of at most 480 slots, 100 failures in words.
//!
//! Warm-up and steady state are counted apart; only the steady state has distributions.

mod probe;

pub use probe::Probe;

use super::histogram::TimeHistogram;
use super::metric::{self, Histograms, Metric};
use super::sample::{FailureKind, Sample};
use super::slo::Slo;
use super::timeline::TimelineRecorder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Failures that are kept in words.
pub(crate) const FAILURES_KEPT: usize = 100;
/// Bytes of an error's text that are kept.
const TEXT_KEPT: usize = 500;

/// A request that failed, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailureRecord {
    /// The user that sent it, or the session, from 0; 0 in an open loop.
    pub user_id: usize,
    /// The last attempt's error.
    pub error: String,
}

/// Counts of requests in one phase of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub succeeded: u64,
    pub failed: u64,
    /// Ended by the run's end: neither succeeded nor failed.
    pub cancelled: u64,
    pub good: u64,
    pub attempts: u64,
    pub bytes: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// Requests whose tokens are the client's estimate.
    pub tokens_estimated: u64,
    /// Successes whose tokens nobody told.
    pub tokens_unknown: u64,
    pub errors: BTreeMap<FailureKind, u64>,
}

impl Counts {
    /// All that were sent, however they ended.
    pub(crate) fn sent(&self) -> u64 {
        self.succeeded + self.failed + self.cancelled
    }

    fn record(&mut self, sample: &Sample, good: bool) {
        self.attempts += u64::from(sample.attempts);
        self.bytes += sample.bytes;
        match sample.outcome {
            Ok(()) => {
                self.succeeded += 1;
                self.good += u64::from(good);
                self.prompt_tokens += sample.prompt_tokens.unwrap_or(0);
                self.completion_tokens += sample.completion_tokens.unwrap_or(0);
                self.tokens_estimated += u64::from(sample.tokens_estimated);
                let unknown = sample.prompt_tokens.or(sample.completion_tokens).is_none();
                self.tokens_unknown += u64::from(unknown);
            }
            Err(FailureKind::Cancelled) => self.cancelled += 1,
            Err(kind) => {
                self.failed += 1;
                *self.errors.entry(kind).or_default() += 1;
            }
        }
    }
}

/// A run as far as it is told.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    pub(in crate::bench) slos: Vec<Slo>,
    pub(in crate::bench) steady: Counts,
    pub(in crate::bench) warmup: Counts,
    pub(in crate::bench) warmup_latency: TimeHistogram,
    pub(in crate::bench) histograms: Histograms,
    pub(in crate::bench) timeline: TimelineRecorder,
    pub(in crate::bench) failures: Vec<FailureRecord>,
    pub(in crate::bench) dropped: u64,
}

/// What a display shows while a run lasts. Warm-up included where nothing else is said.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Live {
    /// Requests that ended, however.
    pub ended: u64,
    /// Of the steady state.
    pub succeeded: u64,
    /// Of the steady state.
    pub failed: u64,
    /// Requests that ended in the warm-up.
    pub warmup: u64,
    pub attempts: u64,
    pub dropped: u64,
    /// Successes and failures a second, of the last whole second.
    pub ended_per_s: f64,
    /// Completion tokens a second, of the last whole second; steady state.
    pub completion_tokens_per_s: f64,
    /// Of the steady state so far.
    pub latency_p50: Option<Duration>,
    pub latency_p99: Option<Duration>,
    pub ttft_p50: Option<Duration>,
    /// The kinds of failure and how many there were, in the order of their kinds.
    pub errors: Vec<(FailureKind, u64)>,
}

impl Recording {
    /// Nothing recorded yet. A success that keeps all of `slos` is good.
    pub(crate) fn new(slos: Vec<Slo>) -> Self {
        Self {
            slos,
            steady: Counts::default(),
            warmup: Counts::default(),
            warmup_latency: TimeHistogram::new(),
            histograms: Histograms::default(),
            timeline: TimelineRecorder::new(),
            failures: Vec::new(),
            dropped: 0,
        }
    }

    /// Counts a request that ended. Takes well under a microsecond (`benches/recording.rs`).
    pub(crate) fn record(&mut self, sample: &Sample) {
        let success = sample.outcome.is_ok();
        let good = success && self.slos.iter().all(|slo| slo.is_kept_by(sample));
        self.timeline.record(sample, good);
        if let (Err(kind), Some(error)) = (sample.outcome, &sample.error)
            && kind != FailureKind::Cancelled
            && !sample.warmup
            && self.failures.len() < FAILURES_KEPT
        {
            self.failures.push(FailureRecord {
                user_id: sample.user as usize,
                error: shortened(error),
            });
        }
        if sample.warmup {
            self.warmup.record(sample, good);
            if success {
                self.warmup_latency.record(sample.latency());
            }
            return;
        }
        self.steady.record(sample, good);
        if success {
            self.record_times(sample);
        } else if sample.outcome != Err(FailureKind::Cancelled) {
            self.histograms
                .record(Metric::FailedLatency, sample.latency());
        }
    }

    fn record_times(&mut self, sample: &Sample) {
        for metric in Metric::ALL {
            if let Some(time) = metric::of_request(sample, metric) {
                self.histograms.record(metric, time);
            }
        }
        self.histograms.record_all(Metric::Itl, &sample.token_gaps);
        self.histograms
            .record_all(Metric::ChunkGap, &sample.chunk_gaps);
    }

    /// Tells how late the client was when it turned to a request of the schedule.
    pub(crate) fn record_lag(&mut self, lag: Duration) {
        self.histograms.record(Metric::Lag, lag);
    }

    /// Counts `slots` places of the schedule whose requests were never sent.
    pub(crate) fn drop_planned(&mut self, slots: u64) {
        self.dropped += slots;
    }

    /// What a display shows at `now`, counted from the run's start. Takes some ten microseconds.
    pub(crate) fn live(&self, now: Duration) -> Live {
        let (span, latest) = self.timeline.latest(now, Duration::from_secs(1));
        let per_s = |count: u64| {
            let span = span.as_secs_f64();
            if span > 0.0 {
                super::statistics::number(count) / span
            } else {
                0.0
            }
        };
        let quantile = |metric, q| self.histograms.get(metric)?.quantile(q);
        let errors = &self.steady.errors;
        Live {
            ended: self.steady.sent() + self.warmup.sent(),
            succeeded: self.steady.succeeded,
            failed: self.steady.failed,
            warmup: self.warmup.sent(),
            attempts: self.steady.attempts + self.warmup.attempts,
            dropped: self.dropped,
            ended_per_s: per_s(latest.succeeded + latest.failed + latest.warmup),
            completion_tokens_per_s: per_s(latest.completion_tokens),
            latency_p50: quantile(Metric::Latency, 0.5),
            latency_p99: quantile(Metric::Latency, 0.99),
            ttft_p50: quantile(Metric::Ttft, 0.5),
            errors: errors.iter().map(|(kind, count)| (*kind, *count)).collect(),
        }
    }
}

/// At most so much of a text, cut between characters.
fn shortened(text: &str) -> String {
    if text.len() <= TEXT_KEPT {
        return text.to_owned();
    }
    let mut end = TEXT_KEPT;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
pub(super) mod tests;
