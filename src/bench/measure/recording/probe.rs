//! The recording as its micro-benchmark drives it.

use super::Recording;
use crate::bench::measure::sample::Sample;
use crate::bench::measure::slo::Slo;
use crate::error::Result;
use std::time::Duration;

/// A recording, and a request that is recorded again and again.
#[doc(hidden)]
#[derive(Debug)]
pub struct Probe {
    recording: Recording,
    sample: Sample,
    recorded: u32,
}

impl Probe {
    /// A request with `gaps` times between tokens, in a run with the threshold `slo`.
    ///
    /// # Errors
    ///
    /// When `slo` is no threshold.
    pub fn new(gaps: usize, slo: &str) -> Result<Self> {
        let first_token = (gaps > 0).then(|| Duration::from_millis(1));
        Ok(Self {
            recording: Recording::new(vec![Slo::parse(slo)?]),
            sample: Sample {
                user: 0,
                scheduled: Duration::ZERO,
                sent: Duration::ZERO,
                ended: Duration::ZERO,
                first_byte: first_token,
                first_token,
                first_reasoning: None,
                token_gaps: vec![Duration::from_millis(2); gaps],
                chunk_gaps: vec![Duration::from_millis(2); gaps],
                prompt_tokens: Some(100),
                completion_tokens: Some(gaps as u64 + 1),
                tokens_estimated: false,
                attempts: 1,
                bytes: 1000,
                outcome: Ok(()),
                error: None,
                warmup: false,
            },
            recorded: 0,
        })
    }

    /// Records the request as one of 100,000 a second, with a latency of its own.
    pub fn record(&mut self) {
        let at = Duration::from_micros(10) * self.recorded;
        let latency = Duration::from_micros(500 + u64::from(self.recorded % 7919));
        (self.sample.scheduled, self.sample.sent) = (at, at);
        self.sample.ended = at + latency;
        self.recorded = (self.recorded + 1) % 100_000_000;
        self.recording.record(&self.sample);
    }
}
