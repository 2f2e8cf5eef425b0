//! The layout of a report: plain data, whose fields are the keys of its JSON.

use super::facts::ClientCost;
use super::slo_result::SloResult;
use crate::bench::measure::{
    Distribution, FailureRecord, Histograms, Metric, TimeHistogram, Timeline, number,
};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the JSON's layout. Keys may join without a new one.
pub(super) const FORMAT: u32 = 1;

/// What a run measured, how, and where. Its fields are the keys of the JSON report.
///
/// Figures are of the steady state unless they say otherwise. Distributions of times are of
/// requests that succeeded, in milliseconds. Where there are too few samples a figure is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The version of this layout: 1.
    pub format: u32,
    /// The client was not the bottleneck, and every planned request is accounted for.
    ///
    /// It was the bottleneck when its schedule lag's tail (p99, or p90 or p50 where samples are
    /// few) is above 2 ms and above a tenth of the same tail of the latency; when it used more than
    /// 90 % of its cores; or when it was above 80 % of what it reaches against a server that costs
    /// nothing. A run is not valid either when more than 1 % of the planned requests were never
    /// sent, or when planned, sent and dropped requests do not add up.
    pub valid: bool,
    /// The same in words, with the reasons. The first line of the readable report.
    pub verdict: String,
    /// What else a reader must know.
    pub notes: Vec<String>,
    /// The run was stopped before its end.
    pub interrupted: bool,
    /// Closed loop, open loop or partly open, and its parameters.
    pub load_model: String,
    /// When the run began, RFC 3339, UTC.
    pub started_at: String,
    /// From the run's start to its end in seconds, the warm-up included.
    pub duration_s: f64,
    /// From the run's start to the steady state in seconds.
    pub warmup_s: f64,
    /// Requests by how they ended.
    pub requests: Requests,
    /// From the scheduled start to the end.
    pub latency_ms: Distribution,
    /// From the sending of the last attempt to the end.
    pub service_ms: Distribution,
    /// From the scheduled start to the sending of the last attempt.
    pub queue_ms: Distribution,
    /// From the scheduled start to the first byte of the answer.
    pub first_byte_ms: Distribution,
    /// Time to first token, from the scheduled start.
    pub ttft_ms: Distribution,
    /// Time to the first reasoning token, from the scheduled start.
    pub first_reasoning_ms: Distribution,
    /// Inter-token latency.
    pub itl_ms: Distribution,
    /// Between chunks of a stream.
    pub chunk_gap_ms: Distribution,
    /// Time per output token.
    pub tpot_ms: Distribution,
    /// From the scheduled start to the end of requests that failed.
    pub failed_latency_ms: Distribution,
    /// How late the client was against the schedule.
    pub lag_ms: Distribution,
    /// Tokens of requests that succeeded.
    pub tokens: Tokens,
    /// What happened per second of the steady state.
    pub rates: Rates,
    /// Failures by kind: `http_503`, `timeout`, `connect`, `network`, `answer`, `other`.
    pub errors: BTreeMap<String, u64>,
    /// The first failures in words, at most 100.
    pub failures: Vec<FailureRecord>,
    /// The thresholds, and whether they were kept.
    pub slo: Vec<SloResult>,
    /// What the run cost the client.
    pub client: ClientCost,
    /// The warm-up, which counts for nothing else.
    pub warmup: Warmup,
    /// The seed of schedule and bytes. Of merged runs: the first's.
    pub seed: u64,
    /// A hash of the data set; `None` where prompts are made up from the seed.
    pub data_set: Option<String>,
    /// The whole configuration, without keys and secrets.
    pub config: serde_json::Value,
    /// The versions of what made the report.
    pub versions: BTreeMap<String, String>,
    /// The machine.
    pub host: BTreeMap<String, String>,
    /// Where this report is several runs': each one's own facts.
    pub merged: Vec<MergedRun>,
    /// What happened when.
    pub timeline: Timeline,
    /// The distributions in full, by metric: base64 of the `HdrHistogram` V2 format, microseconds.
    pub histograms: Histograms,
}

/// Requests by how they ended. `sent` is `total`, `cancelled` and the warm-up's together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Requests {
    /// Requests of the schedule, the warm-up's included: exactly `sent` and `dropped` together.
    pub planned: u64,
    /// Requests that were sent, the warm-up's included.
    pub sent: u64,
    /// Requests of the schedule that were never sent.
    pub dropped: u64,
    /// Requests that succeeded or failed.
    pub total: u64,
    /// Requests that succeeded.
    pub succeeded: u64,
    /// Requests that failed for good.
    pub failed: u64,
    /// Requests that the run's end cut off: neither succeeded nor failed.
    pub cancelled: u64,
    /// Successes that met every SLO.
    pub good: u64,
    /// Attempts of all these requests, retries and hedges included.
    pub attempts: u64,
    /// Bytes of answers' bodies.
    pub bytes: u64,
}

/// Tokens of requests that succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tokens {
    /// Tokens of prompts.
    pub prompt: u64,
    /// Tokens of answers.
    pub completion: u64,
    /// Requests whose counts are the client's own estimate, since the server told none.
    pub estimated_requests: u64,
    /// Requests whose tokens nobody counted.
    pub unknown_requests: u64,
}

/// What happened per second of the steady state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[allow(clippy::struct_field_names, reason = "they are the report's keys")]
pub struct Rates {
    /// Requests that succeeded.
    pub requests_per_s: f64,
    /// Requests that succeeded and met every SLO.
    pub goodput_per_s: f64,
    /// Requests that failed.
    pub failed_per_s: f64,
    /// Prompt tokens of successes.
    pub prompt_tokens_per_s: f64,
    /// Completion tokens of successes.
    pub completion_tokens_per_s: f64,
    /// Bytes of answers' bodies.
    pub bytes_per_s: f64,
}

/// The warm-up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Warmup {
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that succeeded.
    pub succeeded: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Attempts of these requests.
    pub attempts: u64,
    /// From the scheduled start to the end of successes.
    pub latency_ms: Distribution,
    /// The same in full.
    pub latency: TimeHistogram,
}

/// One of the runs that a merged report is of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MergedRun {
    /// When it began.
    pub started_at: String,
    /// Its seed.
    pub seed: u64,
    /// Its machine.
    pub host: BTreeMap<String, String>,
    /// Its own verdict.
    pub valid: bool,
    /// The same in words.
    pub verdict: String,
}

impl Report {
    /// The distribution of `metric`.
    #[must_use]
    pub fn distribution(&self, metric: Metric) -> &Distribution {
        match metric {
            Metric::Latency => &self.latency_ms,
            Metric::Service => &self.service_ms,
            Metric::Queue => &self.queue_ms,
            Metric::FirstByte => &self.first_byte_ms,
            Metric::Ttft => &self.ttft_ms,
            Metric::FirstReasoning => &self.first_reasoning_ms,
            Metric::Itl => &self.itl_ms,
            Metric::ChunkGap => &self.chunk_gap_ms,
            Metric::Tpot => &self.tpot_ms,
            Metric::FailedLatency => &self.failed_latency_ms,
            Metric::Lag => &self.lag_ms,
        }
    }

    /// The length of the steady state in seconds.
    #[must_use]
    pub fn steady_s(&self) -> f64 {
        (self.duration_s - self.warmup_s).max(0.0)
    }

    /// The share of requests that failed, of those that ended. `None` when none ended.
    #[must_use]
    pub fn error_rate(&self) -> Option<f64> {
        let total = self.requests.total;
        (total > 0).then(|| number(self.requests.failed) / number(total))
    }

    /// Whether every threshold was kept; true when there are none.
    #[must_use]
    pub fn meets_slos(&self) -> bool {
        self.slo.iter().all(|result| result.met)
    }

    /// The JSON report, indented.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "every key is a string")]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is plain data")
    }

    /// Reads a JSON report.
    ///
    /// # Errors
    ///
    /// When the text is no report, or one of a newer layout.
    pub fn from_json(text: &str) -> Result<Self> {
        let report: Self = serde_json::from_str(text)
            .map_err(|cause| Error::config(format!("not a report of batchbench: {cause}")))?;
        if report.format == FORMAT {
            return Ok(report);
        }
        Err(Error::config(format!(
            "a report of layout {}, where this version reads {FORMAT}",
            report.format
        )))
    }
}
