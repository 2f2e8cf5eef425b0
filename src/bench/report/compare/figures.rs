//! The figures that are compared, and what they are of a part of a run.

use crate::bench::measure::{IntervalHistogram, Metric, Slot};
use crate::bench::report::layout::Report;

/// A figure of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Figure {
    Rate(Rate),
    Mean(Metric),
    Quantile(Metric, Tail),
}

/// Something that is counted and divided by the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rate {
    Requests,
    Goodput,
    CompletionTokens,
}

/// A quantile that reports have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    P50,
    P90,
    P99,
}

impl Tail {
    pub(super) fn quantile(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P90 => 0.9,
            Self::P99 => 0.99,
        }
    }
}

impl Figure {
    pub(super) fn all() -> Vec<Self> {
        let rates = [Rate::Requests, Rate::Goodput, Rate::CompletionTokens].map(Self::Rate);
        let latency = Metric::Latency;
        let mut all = rates.to_vec();
        all.push(Self::Mean(latency));
        all.extend([Tail::P50, Tail::P90, Tail::P99].map(|tail| Self::Quantile(latency, tail)));
        for metric in [Metric::Ttft, Metric::Itl] {
            all.extend([Tail::P50, Tail::P99].map(|tail| Self::Quantile(metric, tail)));
        }
        all
    }

    pub(super) fn name(self) -> String {
        match self {
            Self::Rate(Rate::Requests) => "requests".to_owned(),
            Self::Rate(Rate::Goodput) => "goodput".to_owned(),
            Self::Rate(Rate::CompletionTokens) => "completion tokens".to_owned(),
            Self::Mean(metric) => format!("{} mean", metric.name()),
            Self::Quantile(metric, tail) => {
                let tail = match tail {
                    Tail::P50 => "p50",
                    Tail::P90 => "p90",
                    Tail::P99 => "p99",
                };
                format!("{} {tail}", metric.name())
            }
        }
    }

    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Rate(_) => "1/s",
            _ => "ms",
        }
    }

    pub(super) fn higher_is_better(self) -> bool {
        matches!(self, Self::Rate(_))
    }

    /// The figure of a whole run. `None` where the run has none, or too few samples for it.
    pub(super) fn of(self, report: &Report) -> Option<f64> {
        match self {
            Self::Rate(Rate::Requests) => Some(report.rates.requests_per_s),
            Self::Rate(Rate::Goodput) => {
                (!report.slo.is_empty()).then_some(report.rates.goodput_per_s)
            }
            Self::Rate(Rate::CompletionTokens) => Some(report.rates.completion_tokens_per_s),
            Self::Mean(metric) => report.distribution(metric).mean,
            Self::Quantile(metric, tail) => {
                let told = report.distribution(metric);
                match tail {
                    Tail::P50 => told.p50,
                    Tail::P90 => told.p90,
                    Tail::P99 => told.p99,
                }
            }
        }
    }
}

impl Rate {
    /// What of a slot it counts.
    pub(super) fn count(self, slot: &Slot) -> u64 {
        match self {
            Self::Requests => slot.succeeded,
            Self::Goodput => slot.good,
            Self::CompletionTokens => slot.completion_tokens,
        }
    }

    /// What of a run it counts.
    pub(super) fn total(self, report: &Report) -> u64 {
        match self {
            Self::Requests => report.requests.succeeded,
            Self::Goodput => report.requests.good,
            Self::CompletionTokens => report.tokens.completion,
        }
    }
}

/// The times of a slot, where the timeline has them.
pub(super) fn times(slot: &Slot, metric: Metric) -> Option<&IntervalHistogram> {
    match metric {
        Metric::Latency => Some(&slot.latency),
        Metric::Ttft => Some(&slot.ttft),
        Metric::Itl => Some(&slot.itl),
        _ => None,
    }
}
