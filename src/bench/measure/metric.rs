//! The times that a run measures, and their names.

use super::histogram::TimeHistogram;
use super::sample::Sample;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A time that is measured. Its [`name`](Self::name) is the key in `histograms`, the tag in an
/// HDR log, and what an SLO says; with `_ms` behind it, its key in the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Metric {
    /// From the scheduled start to the end of a request that succeeded.
    Latency,
    /// From the sending of its last attempt to its end.
    Service,
    /// From the scheduled start to the sending of its last attempt: the client's queue, and the
    /// attempts and pauses before the last.
    Queue,
    /// From the scheduled start to the first byte of the answer.
    FirstByte,
    /// Time to first token (TTFT): from the scheduled start to the first content token.
    Ttft,
    /// From the scheduled start to the first reasoning token.
    FirstReasoning,
    /// Inter-token latency (ITL): between content tokens.
    Itl,
    /// Between chunks of a stream.
    ChunkGap,
    /// Time per output token (TPOT): from the first token of a request to its last, over one less
    /// than its tokens.
    Tpot,
    /// From the scheduled start to the end of a request that failed.
    FailedLatency,
    /// How late the client was: from a scheduled start to when the client turned to it.
    Lag,
}

impl Metric {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 11] = [
        Self::Latency,
        Self::Service,
        Self::Queue,
        Self::FirstByte,
        Self::Ttft,
        Self::FirstReasoning,
        Self::Itl,
        Self::ChunkGap,
        Self::Tpot,
        Self::FailedLatency,
        Self::Lag,
    ];

    /// Those that an SLO can speak of.
    pub(crate) const OF_SLOS: [Self; 7] = [
        Self::Latency,
        Self::Service,
        Self::Queue,
        Self::FirstByte,
        Self::Ttft,
        Self::Itl,
        Self::Tpot,
    ];

    /// Its name in files and terms.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Service => "service",
            Self::Queue => "queue",
            Self::FirstByte => "first_byte",
            Self::Ttft => "ttft",
            Self::FirstReasoning => "first_reasoning",
            Self::Itl => "itl",
            Self::ChunkGap => "chunk_gap",
            Self::Tpot => "tpot",
            Self::FailedLatency => "failed_latency",
            Self::Lag => "lag",
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Service => "service time",
            Self::Queue => "client queue",
            Self::FirstByte => "time to first byte",
            Self::Ttft => "time to first token",
            Self::FirstReasoning => "time to first reasoning token",
            Self::Itl => "inter-token latency",
            Self::ChunkGap => "gap between chunks",
            Self::Tpot => "time per output token",
            Self::FailedLatency => "latency of failures",
            Self::Lag => "schedule lag",
        }
    }

    /// Whether a request has one such time, and not many.
    pub(crate) fn is_per_request(self) -> bool {
        !matches!(self, Self::Itl | Self::ChunkGap | Self::Lag)
    }
}

/// What of a successful request is one time.
pub(crate) fn of_request(sample: &Sample, metric: Metric) -> Option<Duration> {
    match metric {
        Metric::Latency => Some(sample.latency()),
        Metric::Service => Some(sample.service()),
        Metric::Queue => Some(sample.queue()),
        Metric::FirstByte => sample.time_to_first_byte(),
        Metric::Ttft => sample.time_to_first_token(),
        Metric::FirstReasoning => sample.time_to_first_reasoning(),
        Metric::Tpot => sample.time_per_token(),
        Metric::Itl | Metric::ChunkGap | Metric::FailedLatency | Metric::Lag => None,
    }
}

/// A histogram for each metric that has samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histograms(BTreeMap<Metric, TimeHistogram>);

impl Histograms {
    /// The histogram of `metric`, if it has samples.
    #[must_use]
    pub fn get(&self, metric: Metric) -> Option<&TimeHistogram> {
        self.0.get(&metric)
    }

    /// All that have samples, in the order of [`Metric::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Metric, &TimeHistogram)> {
        self.0
            .iter()
            .map(|(metric, histogram)| (*metric, histogram))
    }

    pub(crate) fn record(&mut self, metric: Metric, time: Duration) {
        self.0.entry(metric).or_default().record(time);
    }

    /// Counts many times with one look for their histogram.
    pub(crate) fn record_all(&mut self, metric: Metric, times: &[Duration]) {
        if times.is_empty() {
            return;
        }
        let histogram = self.0.entry(metric).or_default();
        for time in times {
            histogram.record(*time);
        }
    }

    /// Adds all of another's, bucket for bucket.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (metric, histogram) in &other.0 {
            self.0.entry(*metric).or_default().merge(histogram);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_keys_of_serde_and_order_is_that_of_all() {
        for metric in Metric::ALL {
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.name());
        }
        assert!(Metric::ALL.is_sorted());
    }
}
