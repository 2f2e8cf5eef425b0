//! The names of the harness that this one replaces.

use super::measure::FailureRecord;
use super::plan::BenchmarkConfig;
use super::report::Report;
use super::run::run;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a run gave, in short. The whole [`Report`] is inside.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BenchmarkReport {
    /// Requests that succeeded or failed.
    pub total_requests: u64,
    /// Requests that succeeded.
    pub successful_requests: u64,
    /// Requests that failed for good.
    pub failed_requests: u64,
    /// Tokens of the prompts of requests that succeeded.
    pub total_prompt_tokens: u64,
    /// Tokens of their answers.
    pub total_completion_tokens: u64,
    /// From the run's start to its end.
    pub total_duration: Duration,
    /// Prompt tokens a second.
    pub prompt_tokens_per_second: f64,
    /// Completion tokens a second.
    pub completion_tokens_per_second: f64,
    /// Requests a second that succeeded.
    pub requests_per_second: f64,
    /// Half of the requests took at most this long, from their scheduled start.
    pub latency_p50: Option<Duration>,
    /// 90 % took at most this long; `None` below 64 samples.
    pub latency_p90: Option<Duration>,
    /// 99 % took at most this long; `None` below 662 samples.
    pub latency_p99: Option<Duration>,
    /// The first requests that failed, at most 100, each with its last error.
    pub failures: Vec<FailureRecord>,
    /// All that was measured.
    pub report: Report,
}

impl From<Report> for BenchmarkReport {
    fn from(report: Report) -> Self {
        let latency =
            |ms: Option<f64>| ms.and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok());
        Self {
            total_requests: report.requests.total,
            successful_requests: report.requests.succeeded,
            failed_requests: report.requests.failed,
            total_prompt_tokens: report.tokens.prompt,
            total_completion_tokens: report.tokens.completion,
            total_duration: Duration::try_from_secs_f64(report.duration_s).unwrap_or_default(),
            prompt_tokens_per_second: report.rates.prompt_tokens_per_s,
            completion_tokens_per_second: report.rates.completion_tokens_per_s,
            requests_per_second: report.rates.requests_per_s,
            latency_p50: latency(report.latency_ms.p50),
            latency_p90: latency(report.latency_ms.p90),
            latency_p99: latency(report.latency_ms.p99),
            failures: report.failures.clone(),
            report,
        }
    }
}

/// Carries out a run, on threads of its own; to be awaited on any runtime. Dropping the future ends
/// the run.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> hedgerow::Result<()> {
/// use hedgerow::bench::{BenchmarkConfig, RunMode, run_benchmark};
/// use serde_json::json;
///
/// # let server = hedgerow::mock::MockServer::start().unwrap();
/// # let url = format!("{}/v1/chat/completions", server.url());
/// let body = json!({"messages": [{"role": "user", "content": "Ping"}]});
/// let mode = RunMode::Finite { requests_per_user: 5 };
/// let report = run_benchmark(BenchmarkConfig::try_new(url, None, 4, mode, body)?).await?;
/// assert_eq!(report.successful_requests, 20);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// When the configuration is bad, or no thread can be had. A run whose every request failed is no
/// error: its report says so.
pub async fn run_benchmark(config: BenchmarkConfig) -> Result<BenchmarkReport> {
    run(config).await.map(BenchmarkReport::from)
}
