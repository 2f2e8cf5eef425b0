//! Whether a run kept a threshold.

use super::layout::Report;
use super::slo_result::SloResult;
use crate::bench::measure::{
    Quantity, Slo, Statistic, Throughput, TimeHistogram, number, rank, sample_floor,
};
use std::time::Duration;

/// What was measured, before it is compared.
struct Reading {
    figure: Option<f64>,
    note: Option<String>,
}

impl Slo {
    /// Compares the term with a run.
    #[must_use]
    pub fn evaluate(&self, report: &Report) -> SloResult {
        let (measured, unit, scale) = match self.quantity {
            Quantity::Time(metric, statistic) => {
                let failed = if metric.is_per_request() {
                    report.requests.failed
                } else {
                    0
                };
                let empty = TimeHistogram::new();
                let histogram = report.histograms.get(metric).unwrap_or(&empty);
                (time(histogram, failed, statistic), "ms", 1e3)
            }
            Quantity::ErrorRate => {
                let figure = report.error_rate();
                let note = figure.is_none().then(|| "no request ended".to_owned());
                (Reading { figure, note }, "share", 1.0)
            }
            Quantity::Rate(rate) => {
                let rates = &report.rates;
                let figure = Some(match rate {
                    Throughput::Requests => rates.requests_per_s,
                    Throughput::Goodput => rates.goodput_per_s,
                    Throughput::PromptTokens => rates.prompt_tokens_per_s,
                    Throughput::CompletionTokens => rates.completion_tokens_per_s,
                });
                (Reading { figure, note: None }, "/s", 1.0)
            }
        };
        SloResult {
            term: self.clone(),
            measured: measured.figure.map(|figure| figure * scale),
            unit: unit.to_owned(),
            met: measured.figure.is_some_and(|figure| self.holds(figure)),
            note: measured.note,
        }
    }
}

/// A figure of a distribution in seconds, with `failed` requests that took for ever.
///
/// Below the sample floor of a quantile its place is taken by the longest time, which is never
/// shorter: a gate on few requests is strict rather than blind.
fn time(histogram: &TimeHistogram, failed: u64, statistic: Statistic) -> Reading {
    let told = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let all = histogram.count() + failed;
    if histogram.count() == 0 {
        let note = Some("no sample".to_owned());
        return Reading { figure: None, note };
    }
    let among_failures = || Reading {
        figure: None,
        note: Some(format!(
            "{failed} of {all} requests failed, and count as slower than any limit"
        )),
    };
    match statistic {
        Statistic::Mean => Reading {
            figure: told(histogram.mean()),
            note: (failed > 0).then(|| format!("without {failed} requests that failed")),
        },
        Statistic::Max if failed > 0 => among_failures(),
        Statistic::Max => Reading {
            figure: told(histogram.max()),
            note: None,
        },
        Statistic::Quantile(q) => {
            let enough = all >= sample_floor(q);
            let rank = if enough { rank(q, all) } else { Some(all) };
            let Some(rank) = rank.filter(|rank| *rank <= histogram.count()) else {
                return among_failures();
            };
            // Half a sample less: rounding cannot reach the next rank.
            let within = (number(rank) - 0.5) / number(histogram.count());
            Reading {
                figure: told(histogram.quantile(within)),
                note: (!enough).then(|| {
                    format!("{all} samples are too few for the percentile: the longest is compared")
                }),
            }
        }
    }
}
