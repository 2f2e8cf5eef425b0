//! The settings of a call, on their way to the core, which checks them. Their types were checked
//! by `lib/preference.js`.

use crate::failure::refused;
use crate::token::Token;
use hedgerow::{ApiKey, HedgeDelay, OnError, Preference};
use napi::bindgen_prelude::ClassInstance;
use napi::{Error, Result, Status};
use napi_derive::napi;
use std::time::Duration;

/// The settings that were given, under the names that JavaScript has for them.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub(crate) struct Settings {
    pub max_concurrent_requests: Option<u32>,
    pub batch_size: Option<u32>,
    pub max_chars_per_request: Option<u32>,
    pub timeout_s: Option<f64>,
    pub hedge_delay: Option<f64>,
    /// In place of a delay: a share of the call's own requests.
    pub hedge_quantile: Option<f64>,
    pub total_timeout_s: Option<f64>,
    pub hedge_budget_pct: Option<f64>,
    pub retry_budget_pct: Option<f64>,
    pub max_retries: Option<u32>,
    pub initial_backoff_ms: Option<u32>,
    pub primary_api_key_override: Option<String>,
    /// Names and values, by turns.
    pub extra_headers: Option<Vec<String>>,
    pub non_retryable_status_codes: Option<Vec<u16>>,
    pub max_retry_after_s: Option<f64>,
    pub max_tokens_per_request: Option<u32>,
    pub max_bytes_per_request: Option<u32>,
    pub split_refused: Option<bool>,
    pub requests_per_minute: Option<f64>,
    pub tokens_per_minute: Option<f64>,
    pub return_errors: Option<bool>,
}

impl Settings {
    pub(crate) fn into_preference(
        self,
        token: Option<&ClassInstance<'_, Token>>,
    ) -> Result<Preference> {
        let mut preference = Preference::default();
        put(
            &mut preference.max_concurrent_requests,
            self.max_concurrent_requests.map(size),
        );
        put(&mut preference.batch_size, self.batch_size.map(size));
        preference.max_chars_per_request = self.max_chars_per_request.map(size);
        put(
            &mut preference.timeout,
            seconds("timeout_s", self.timeout_s)?,
        );
        preference.total_timeout = seconds("total_timeout_s", self.total_timeout_s)?;
        let delay = seconds("hedge_delay", self.hedge_delay)?;
        let quantile = self.hedge_quantile.map(HedgeDelay::Quantile);
        preference.hedge_delay = delay.map(HedgeDelay::Fixed).or(quantile);
        put(&mut preference.hedge_budget_pct, self.hedge_budget_pct);
        put(&mut preference.retry_budget_pct, self.retry_budget_pct);
        put(&mut preference.max_retries, self.max_retries);
        let backoff = self.initial_backoff_ms.map(u64::from);
        put(
            &mut preference.initial_backoff,
            backoff.map(Duration::from_millis),
        );
        let key = self.primary_api_key_override.map(ApiKey::new);
        preference.api_key = key.transpose().map_err(|error| refused(&error))?;
        preference.extra_headers = in_pairs(self.extra_headers).collect();
        put(
            &mut preference.non_retryable_status_codes,
            self.non_retryable_status_codes,
        );
        put(
            &mut preference.max_retry_after,
            seconds("max_retry_after_s", self.max_retry_after_s)?,
        );
        preference.max_tokens_per_request = self.max_tokens_per_request.map(size);
        preference.max_bytes_per_request = self.max_bytes_per_request.map(size);
        put(&mut preference.split_refused, self.split_refused);
        preference.requests_per_minute = self.requests_per_minute.map(rate);
        preference.tokens_per_minute = self.tokens_per_minute.map(rate);
        if self.return_errors == Some(true) {
            preference.on_error = OnError::Return;
        }
        preference.cancel_token = token.map(|token| token.0.clone());
        Ok(preference)
    }
}

/// Checks settings as a call with them does.
#[napi]
pub fn check_settings(settings: Settings) -> Result<()> {
    let preference = settings.into_preference(None)?;
    preference.validate().map_err(|error| refused(&error))
}

fn put<T>(field: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *field = value;
    }
}

fn size(number: u32) -> usize {
    number as usize
}

/// What `lib/preference.js` lets pass is a whole number, and no larger than a double holds.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it was checked"
)]
fn rate(number: f64) -> u64 {
    number as u64
}

fn seconds(field: &str, given: Option<f64>) -> Result<Option<Duration>> {
    let read = |seconds| {
        Duration::try_from_secs_f64(seconds).map_err(|cause| {
            Error::new(
                Status::InvalidArg,
                format!("{field}: {cause} (got {seconds})"),
            )
        })
    };
    given.map(read).transpose()
}

/// Names and values that come by turns.
pub(crate) fn in_pairs(flat: Option<Vec<String>>) -> impl Iterator<Item = (String, String)> {
    let mut flat = flat.unwrap_or_default().into_iter();
    std::iter::from_fn(move || Some((flat.next()?, flat.next()?)))
}
