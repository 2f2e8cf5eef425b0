//! From what a run recorded to its report. Some of its figures are raw (counts, histograms, the
//! timeline), the others follow from them: [`Report::complete`] is the one place that derives, for
//! a new report and for a merged one.

use super::facts::{self, ClientCost, RunFacts};
use super::layout::{FORMAT, Rates, Report, Requests, Tokens, Warmup};
use super::validity;
use crate::bench::measure::{Distribution, Metric, Recording, number};

impl Report {
    /// The report of a run that is over.
    pub(crate) fn new(recording: Recording, facts: RunFacts) -> Self {
        let (steady, warmup) = (recording.steady, recording.warmup);
        let terms = recording.slos;
        let started_at = jiff::Timestamp::try_from(facts.started_at).unwrap_or_default();
        let mut report = Self {
            format: FORMAT,
            notes: facts.notes,
            interrupted: facts.interrupted,
            load_model: facts.load_model,
            started_at: format!("{started_at:.3}"),
            duration_s: facts.duration.as_secs_f64(),
            warmup_s: facts.warmup.as_secs_f64(),
            requests: Requests {
                planned: facts.planned,
                sent: steady.sent() + warmup.sent(),
                dropped: recording.dropped,
                total: steady.succeeded + steady.failed,
                succeeded: steady.succeeded,
                failed: steady.failed,
                cancelled: steady.cancelled,
                good: steady.good,
                attempts: steady.attempts,
                bytes: steady.bytes,
            },
            tokens: Tokens {
                prompt: steady.prompt_tokens,
                completion: steady.completion_tokens,
                estimated_requests: steady.tokens_estimated,
                unknown_requests: steady.tokens_unknown,
            },
            errors: steady
                .errors
                .iter()
                .map(|(kind, count)| (kind.to_string(), *count))
                .collect(),
            failures: recording.failures,
            client: ClientCost {
                cpu_s: facts.cpu.as_secs_f64(),
                cores: number(facts.cores as u64),
                ceiling_per_s: facts.ceiling_per_s,
                ..ClientCost::default()
            },
            warmup: Warmup {
                sent: warmup.sent(),
                succeeded: warmup.succeeded,
                failed: warmup.failed,
                attempts: warmup.attempts,
                latency: recording.warmup_latency,
                ..Warmup::default()
            },
            seed: facts.seed,
            data_set: facts.data_set,
            config: facts.config,
            versions: facts::versions(),
            host: facts::host(),
            timeline: recording.timeline.finish(),
            histograms: recording.histograms,
            ..Self::default()
        };
        report.complete();
        report.slo = terms.iter().map(|term| term.evaluate(&report)).collect();
        report
    }

    /// Derives what follows from the raw figures.
    pub(super) fn complete(&mut self) {
        self.tell_distributions();
        let steady_s = self.steady_s();
        let per_s = |count: u64| {
            if steady_s > 0.0 {
                number(count) / steady_s
            } else {
                0.0
            }
        };
        self.rates = Rates {
            requests_per_s: per_s(self.requests.succeeded),
            goodput_per_s: per_s(self.requests.good),
            failed_per_s: per_s(self.requests.failed),
            prompt_tokens_per_s: per_s(self.tokens.prompt),
            completion_tokens_per_s: per_s(self.tokens.completion),
            bytes_per_s: per_s(self.requests.bytes),
        };
        let client = &mut self.client;
        client.attempts_per_s = per_s(self.requests.attempts);
        let available = client.cores * self.duration_s;
        client.cpu_share = (available > 0.0).then(|| client.cpu_s / available);
        client.ceiling_share = client
            .ceiling_per_s
            .filter(|ceiling| *ceiling > 0.0)
            .map(|ceiling| client.attempts_per_s / ceiling);
        let terms: Vec<_> = self.slo.iter().map(|result| result.term.clone()).collect();
        self.slo = terms.iter().map(|term| term.evaluate(self)).collect();
        (self.valid, self.verdict) = validity::verdict(self);
    }

    fn tell_distributions(&mut self) {
        for metric in Metric::ALL {
            let histogram = self.histograms.get(metric);
            let distribution = histogram.map(Distribution::of).unwrap_or_default();
            *self.distribution_mut(metric) = distribution;
        }
        self.warmup.latency_ms = Distribution::of(&self.warmup.latency);
    }

    fn distribution_mut(&mut self, metric: Metric) -> &mut Distribution {
        match metric {
            Metric::Latency => &mut self.latency_ms,
            Metric::Service => &mut self.service_ms,
            Metric::Queue => &mut self.queue_ms,
            Metric::FirstByte => &mut self.first_byte_ms,
            Metric::Ttft => &mut self.ttft_ms,
            Metric::FirstReasoning => &mut self.first_reasoning_ms,
            Metric::Itl => &mut self.itl_ms,
            Metric::ChunkGap => &mut self.chunk_gap_ms,
            Metric::Tpot => &mut self.tpot_ms,
            Metric::FailedLatency => &mut self.failed_latency_ms,
            Metric::Lag => &mut self.lag_ms,
        }
    }
}
