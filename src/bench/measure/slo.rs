//! Thresholds: what a service must keep, and which requests were good.

mod parse;

use super::metric::{self, Metric};
use super::sample::Sample;
use super::statistics::number;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// One threshold. Parsed from text such as `ttft_p99<500ms`, `error_rate<1%` or `rate>100`, which
/// is also what it prints and serialises as.
///
/// A term is a quantity, a comparison and a limit, such as `ttft_p99<500ms`:
///
/// ```text
/// term   = time statistic ("<" | "<=") number ("us" | "ms" | "s" | "m")
///        | "error_rate"   ("<" | "<=") number ["%"]
///        | rate           (">" | ">=") number ["/s"]
/// time   = "latency" | "service" | "queue" | "first_byte" | "ttft" | "itl" | "tpot"
/// statistic = "_p50" | "_p90" | "_p99" | "_p99.9" (any "_p" and a number below 100; "_p999" is
///             "_p99.9") | "_mean" | "_max"
/// rate   = "rate" | "goodput" | "prompt_tokens" | "completion_tokens"
/// ```
///
/// A term about a time says two things. For the run: the quantile holds, where a failed request
/// counts as one that took for ever, so that refusing is never faster. For each request: its own
/// time keeps the limit; a success that keeps all of them is *good*, and goodput counts those. Of
/// its inter-token times a request must keep the share that the quantile names; a request without
/// a first token does not keep a limit on it, one without a second token keeps limits between
/// tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slo {
    text: String,
    pub(in crate::bench) quantity: Quantity,
    /// The limit itself is allowed: `<=`, `>=`.
    inclusive: bool,
    /// Times in seconds, shares of 1, rates a second.
    limit: f64,
}

/// What a term is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::bench) enum Quantity {
    Time(Metric, Statistic),
    ErrorRate,
    Rate(Throughput),
}

/// Which figure of a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::bench) enum Statistic {
    /// 0 to 1.
    Quantile(f64),
    Mean,
    Max,
}

/// What happens per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) enum Throughput {
    Requests,
    Goodput,
    PromptTokens,
    CompletionTokens,
}

impl Slo {
    /// Whether a successful request kept this term. Terms that are not about a request's time are
    /// kept by all.
    pub(crate) fn is_kept_by(&self, sample: &Sample) -> bool {
        let Quantity::Time(metric, statistic) = self.quantity else {
            return true;
        };
        match metric {
            Metric::Itl => sample.first_token.is_some() && self.keeps_gaps(sample, statistic),
            Metric::Tpot => {
                let time = sample.time_per_token();
                time.map_or(sample.first_token.is_some(), |time| self.allows(time))
            }
            _ => metric::of_request(sample, metric).is_some_and(|time| self.allows(time)),
        }
    }

    fn keeps_gaps(&self, sample: &Sample, statistic: Statistic) -> bool {
        let gaps = &sample.token_gaps;
        let count = number(gaps.len() as u64);
        let share = match statistic {
            Statistic::Mean => {
                let sum = gaps.iter().sum::<Duration>();
                return gaps.is_empty() || self.holds(sum.as_secs_f64() / count);
            }
            Statistic::Quantile(q) => q,
            Statistic::Max => 1.0,
        };
        let kept = gaps.iter().filter(|gap| self.allows(**gap)).count();
        number(kept as u64) >= share * count
    }

    fn allows(&self, time: Duration) -> bool {
        self.holds(time.as_secs_f64())
    }

    /// Whether a measured figure keeps the limit.
    pub(in crate::bench) fn holds(&self, measured: f64) -> bool {
        if self.inclusive && measured.total_cmp(&self.limit).is_eq() {
            return true;
        }
        match self.quantity {
            Quantity::Time(..) | Quantity::ErrorRate => measured < self.limit,
            Quantity::Rate(_) => measured > self.limit,
        }
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Slo> for String {
    fn from(slo: Slo) -> Self {
        slo.text
    }
}

#[cfg(test)]
mod tests;
