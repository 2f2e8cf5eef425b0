//! How an operation's requests are to be sent: raw as the caller gives it, then checked.

use super::hedge_delay::HEDGE_MARGIN;
use super::{ApiKey, CountTokens, ExtraHeaders, OnError, OnProgress};
use crate::caller::CancellationToken;
use crate::error::{Error, Result};
use crate::policy::hedge::{HedgeDelay, HedgePlan};
use crate::policy::pace::Rates;
use crate::policy::retry::{RetryPolicy, RetryRules};
use crate::policy::split::Limits;
use std::sync::Arc;
use std::time::Duration;

/// How an operation's requests are to be sent. Every field has a default, and is checked when the
/// operation starts.
///
/// ```
/// use hedgerow::Preference;
/// use std::time::Duration;
///
/// let preference = Preference {
///     batch_size: 32,
///     timeout: Duration::from_secs(20),
///     hedge_delay: Some(Duration::from_millis(500).into()),
///     ..Preference::default()
/// };
/// assert_eq!(preference.max_concurrent_requests, 128);
/// ```
#[derive(Debug, Clone)]
pub struct Preference {
    /// The window: requests in flight at once, 1 to 1024, and at most 512 where `batch_size` is
    /// below 16. Default 128.
    pub max_concurrent_requests: usize,
    /// Inputs a request, 1 to 1024. Default 128.
    pub batch_size: usize,
    /// Characters (not bytes) a request, 50 to 256,000; an input longer than that goes alone.
    /// Default: no limit.
    pub max_chars_per_request: Option<usize>,
    /// Tokens a request, 1 to 10,000,000, as they are estimated: rather too many than too few. An input
    /// that has more goes alone. Default: no limit.
    pub max_tokens_per_request: Option<usize>,
    /// Bytes a request, 1,024 to 1,000,000,000: its body as it is sent. An input that has more goes
    /// alone. Default: no limit.
    pub max_bytes_per_request: Option<usize>,
    /// Whether a batch that is refused for one of its inputs is sent again in parts, until that input
    /// is found and fails alone. Default: yes.
    pub split_refused: bool,
    /// The longest that one attempt may take, over connect, head and body: 0.1 s to 3600 s.
    /// Default 3600 s.
    pub timeout: Duration,
    /// The longest that the whole operation may take, retries included; at least `timeout`
    /// unless that is left at its default. Default: no limit.
    pub total_timeout: Option<Duration>,
    /// Sends a second attempt of a request that has not ended after this long: fixed, 0.045 s to
    /// 3600 s and below `timeout` less 0.045 s; or a quantile of the operation's own requests,
    /// above 0 and below 1. Default: no hedging.
    pub hedge_delay: Option<HedgeDelay>,
    /// The second attempts that an operation of n requests may make, as a share of n: 0 to 3,
    /// and `max(2, 1 + ceil(n * share))` in number. Default 0.10.
    pub hedge_budget_pct: f64,
    /// The same for retries after timeouts and network failures. Default 0.05.
    pub retry_budget_pct: f64,
    /// Retries that one request may make after failures, 0 to 6: a server reads it at most once more
    /// often than that, but for hedges and for what it refuses as too much. Default 5.
    pub max_retries: u32,
    /// The longest pause before the first retry, 50 ms to 45 s; four times longer each retry, at
    /// most 45 s, with full jitter. Default 125 ms.
    pub initial_backoff: Duration,
    /// The longest pause that is made because a server asks for it (`retry-after`), 0 s to 3600 s. A
    /// call whose server asks for a longer one ends at once, in an error that names the span. Default
    /// 120 s.
    pub max_retry_after: Duration,
    /// The most requests a minute that calls with this setting send to one server with one key, all
    /// together, 1 to 10^12: they follow one another evenly. Default: no limit but what the server says
    /// of itself in the headers of its answers.
    pub requests_per_minute: Option<u64>,
    /// The same for tokens of input, as [`count_tokens`](Self::count_tokens) finds them. Default: no
    /// limit but the server's.
    pub tokens_per_minute: Option<u64>,
    /// Counts the tokens of a text, where a rate of tokens is set or the server tells one; called on the
    /// system's own thread, so that it should take microseconds. Default: an estimate that is rather too
    /// high than too low.
    pub count_tokens: Option<CountTokens>,
    /// What a request that fails for good does to the others. Default: [`OnError::Raise`].
    pub on_error: OnError,
    /// Called with how far the call is, about ten times a second and at its end: while its future
    /// is polled, or on the thread that waits for it. Default: none.
    pub on_progress: Option<OnProgress>,
    /// Cancels the operation, with all others that have the same token. Default: none.
    pub cancel_token: Option<CancellationToken>,
    /// The key of this operation in place of the client's. Default: none.
    pub api_key: Option<ApiKey>,
    /// Headers that join each request, or replace one of the same name; `content-length` and
    /// `transfer-encoding` are left out, and so is `proxy-authorization` in a tunnel. A value that is
    /// a secret is kept out of errors, should a server send it back: one of 16 characters or more, or
    /// of a header that is named like one (`authorization`, `cookie`, or with `key`, `token`,
    /// `secret`, `auth`, `pass`, `session` and the like in it). Default: none.
    pub extra_headers: ExtraHeaders,
    /// Statuses that are final although they would be retried otherwise. Default: none.
    pub non_retryable_status_codes: Vec<u16>,
}

const DEFAULT_TIMEOUT: Duration = Duration::from_hours(1);

impl Default for Preference {
    fn default() -> Self {
        Self {
            max_concurrent_requests: 128,
            batch_size: 128,
            max_chars_per_request: None,
            max_tokens_per_request: None,
            max_bytes_per_request: None,
            split_refused: true,
            timeout: DEFAULT_TIMEOUT,
            total_timeout: None,
            hedge_delay: None,
            hedge_budget_pct: 0.10,
            retry_budget_pct: 0.05,
            max_retries: 5,
            initial_backoff: Duration::from_millis(125),
            max_retry_after: Duration::from_mins(2),
            requests_per_minute: None,
            tokens_per_minute: None,
            count_tokens: None,
            on_error: OnError::Raise,
            on_progress: None,
            cancel_token: None,
            api_key: None,
            extra_headers: ExtraHeaders::default(),
            non_retryable_status_codes: Vec::new(),
        }
    }
}

/// A preference whose every value is known to be in range.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub window: usize,
    pub limits: Limits,
    pub timeout: Duration,
    pub total_timeout: Option<Duration>,
    pub hedge: Option<HedgePlan>,
    pub retry: Arc<dyn RetryRules>,
    pub retry_budget_share: f64,
    pub rates: Rates,
    pub count_tokens: Option<CountTokens>,
    pub on_error: OnError,
    pub split_refused: bool,
}

impl Preference {
    /// Checks every value, as a call with it does.
    ///
    /// # Errors
    ///
    /// When one is out of range, or contradicts another.
    pub fn validate(&self) -> Result<()> {
        self.check().map(drop)
    }

    /// Checks every value.
    pub(crate) fn check(&self) -> Result<Checked> {
        at_most(
            "max_concurrent_requests",
            self.max_concurrent_requests,
            1024,
        )?;
        at_most("batch_size", self.batch_size, 1024)?;
        if self.batch_size < 16 && self.max_concurrent_requests > 512 {
            return Err(Error::config(format!(
                "max_concurrent_requests must be less than 512 when batch_size is less than 16 \
                 (at most 512; got {} with a batch_size of {})",
                self.max_concurrent_requests, self.batch_size
            )));
        }
        if let Some(chars) = self.max_chars_per_request {
            within("max_chars_per_request", chars, 50, 256_000)?;
        }
        if let Some(tokens) = self.max_tokens_per_request {
            within("max_tokens_per_request", tokens, 1, 10_000_000)?;
        }
        if let Some(bytes) = self.max_bytes_per_request {
            within("max_bytes_per_request", bytes, 1024, 1_000_000_000)?;
        }
        seconds_within("timeout_s", self.timeout, 0.1, 3600.0)?;
        let timeout = self.check_total_timeout()?;
        share("hedge_budget_pct", self.hedge_budget_pct)?;
        share("retry_budget_pct", self.retry_budget_pct)?;
        if self.max_retries > 6 {
            return Err(Error::config(format!(
                "max_retries cannot exceed 6 (got {})",
                self.max_retries
            )));
        }
        let backoff = self.initial_backoff.as_millis();
        if !(50..=45_000).contains(&backoff) {
            return Err(Error::config(format!(
                "initial_backoff_ms must be between 50 and 45000 milliseconds (got {backoff})"
            )));
        }
        seconds_within("max_retry_after_s", self.max_retry_after, 0.0, 3600.0)?;
        Ok(Checked {
            window: self.max_concurrent_requests,
            limits: self.limits(),
            timeout,
            total_timeout: self.total_timeout,
            hedge: self.check_hedge()?,
            retry: Arc::new(RetryPolicy {
                max_retries: self.max_retries,
                initial_backoff: self.initial_backoff,
                non_retryable: self.non_retryable_status_codes.as_slice().into(),
                max_retry_after: self.max_retry_after,
                patience: timeout,
            }),
            retry_budget_share: self.retry_budget_pct,
            rates: Rates {
                requests_per_minute: per_minute("requests_per_minute", self.requests_per_minute)?,
                tokens_per_minute: per_minute("tokens_per_minute", self.tokens_per_minute)?,
            },
            count_tokens: self.count_tokens.clone(),
            on_error: self.on_error,
            split_refused: self.split_refused,
        })
    }

    /// What bounds one request.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            batch_size: self.batch_size,
            max_chars: self.max_chars_per_request,
            max_tokens: self.max_tokens_per_request,
            max_bytes: self.max_bytes_per_request,
        }
    }

    /// The attempt's timeout. A total timeout alone also bounds each request.
    fn check_total_timeout(&self) -> Result<Duration> {
        let Some(total) = self.total_timeout else {
            return Ok(self.timeout);
        };
        if total.is_zero() {
            return Err(Error::config("total_timeout_s must be greater than 0"));
        }
        if self.timeout != DEFAULT_TIMEOUT && total < self.timeout {
            return Err(Error::config(format!(
                "total_timeout_s must be at least timeout_s (got {} s and {} s)",
                total.as_secs_f64(),
                self.timeout.as_secs_f64()
            )));
        }
        Ok(self.timeout.min(total))
    }

    fn check_hedge(&self) -> Result<Option<HedgePlan>> {
        let Some(delay) = self.hedge_delay else {
            return Ok(None);
        };
        match delay {
            HedgeDelay::Fixed(delay) => self.check_fixed_delay(delay)?,
            HedgeDelay::Quantile(share) if share > 0.0 && share < 1.0 => {}
            HedgeDelay::Quantile(share) => {
                return Err(Error::config(format!(
                    "hedge_delay as a quantile must be above 0 and below 1 (got {share})"
                )));
            }
        }
        Ok(Some(HedgePlan {
            delay,
            budget_share: self.hedge_budget_pct,
        }))
    }

    fn check_fixed_delay(&self, delay: Duration) -> Result<()> {
        seconds_within("hedge_delay", delay, HEDGE_MARGIN.as_secs_f64(), 3600.0)?;
        if delay + HEDGE_MARGIN >= self.timeout {
            return Err(Error::config(format!(
                "hedge_delay must be below timeout_s - {} (got {} s with a timeout of {} s)",
                HEDGE_MARGIN.as_secs_f64(),
                delay.as_secs_f64(),
                self.timeout.as_secs_f64()
            )));
        }
        Ok(())
    }
}

fn at_most(field: &str, value: usize, most: usize) -> Result<()> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::config(format!(
        "{field} must be greater than 0 and less than or equal to {most} (got {value})"
    )))
}

fn within(field: &str, value: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::config(format!(
        "{field} must be between {least} and {most} (got {value})"
    )))
}

fn seconds_within(field: &str, value: Duration, least: f64, most: f64) -> Result<()> {
    let seconds = value.as_secs_f64();
    if (least..=most).contains(&seconds) {
        return Ok(());
    }
    Err(Error::config(format!(
        "{field} must be between {least} and {most} seconds (got {seconds})"
    )))
}

/// The most that a minute may be said to allow.
const MOST_PER_MINUTE: u64 = 1_000_000_000_000;

fn per_minute(field: &str, value: Option<u64>) -> Result<Option<f64>> {
    if value.is_none_or(|value| (1..=MOST_PER_MINUTE).contains(&value)) {
        #[allow(clippy::cast_precision_loss, reason = "it is below 2^52")]
        return Ok(value.map(|value| value as f64));
    }
    Err(Error::config(format!(
        "{field} must be between 1 and {MOST_PER_MINUTE} (got {})",
        value.unwrap_or_default()
    )))
}

fn share(field: &str, value: f64) -> Result<()> {
    if value < 0.0 {
        return Err(Error::config(format!(
            "{field} cannot be negative (got {value})"
        )));
    }
    // Written so that NaN is refused as well.
    if !(0.0..=3.0).contains(&value) {
        return Err(Error::config(format!(
            "{field} cannot exceed 3 (300%) (got {value})"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
