//! The settings of a preference: each is read from Python, checked, and shown again here.

use crate::exception;
use crate::number::{kind, real, seconds, whole};
use crate::token::CancellationToken;
use hedgerow::{ApiKey, HedgeDelay, OnError, Preference};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::time::Duration;

/// The settings of a preference: the core's, and what of them is shown as it was given.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) core: Preference,
    total_timeout: Option<f64>,
    hedge_delay: Option<Delay>,
    pub(super) cancel_token: Option<Py<CancellationToken>>,
    pub(super) api_key: Option<String>,
    pub(super) count_tokens: Option<Py<PyAny>>,
    pin_initial_endpoint_once: bool,
    pub(super) pickle_api_key: bool,
}

/// A hedge delay, as it was given.
#[derive(Clone)]
enum Delay {
    Seconds(f64),
    Quantile(String),
}

impl Settings {
    pub(super) fn copy(&self, py: Python<'_>) -> Self {
        Self {
            core: self.core.clone(),
            total_timeout: self.total_timeout,
            hedge_delay: self.hedge_delay.clone(),
            cancel_token: self.cancel_token.as_ref().map(|it| it.clone_ref(py)),
            api_key: self.api_key.clone(),
            count_tokens: self.count_tokens.as_ref().map(|it| it.clone_ref(py)),
            pin_initial_endpoint_once: self.pin_initial_endpoint_once,
            pickle_api_key: self.pickle_api_key,
        }
    }

    /// Checks one setting, by itself, and takes it.
    pub(super) fn set(&mut self, field: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let alone = |change: &dyn Fn(&mut Preference)| {
            let mut alone = Preference::default();
            change(&mut alone);
            alone
                .validate()
                .map_err(|error| exception::bad_value(&error))
        };
        match field {
            "max_concurrent_requests" => {
                let number = whole(field, value)?;
                alone(&|it| it.max_concurrent_requests = number)?;
                self.core.max_concurrent_requests = number;
            }
            "batch_size" => {
                let number = whole(field, value)?;
                alone(&|it| it.batch_size = number)?;
                self.core.batch_size = number;
            }
            "max_chars_per_request" => {
                let number = optional(value, |value| whole(field, value))?;
                alone(&|it| it.max_chars_per_request = number)?;
                self.core.max_chars_per_request = number;
            }
            "timeout_s" => {
                let time = seconds(field, value)?;
                alone(&|it| it.timeout = time)?;
                self.core.timeout = time;
            }
            "total_timeout_s" => {
                let time = optional(value, |value| seconds(field, value))?;
                alone(&|it| it.total_timeout = time)?;
                self.core.total_timeout = time;
                self.total_timeout = time.map(|time| time.as_secs_f64());
            }
            "hedge_delay" => {
                let delay = optional(value, hedge_delay)?;
                let (given, core) = delay.unzip();
                alone(&|it| it.hedge_delay = core)?;
                self.core.hedge_delay = core;
                self.hedge_delay = given;
            }
            "hedge_budget_pct" => {
                let share = real(field, value)?;
                alone(&|it| it.hedge_budget_pct = share)?;
                self.core.hedge_budget_pct = share;
            }
            "retry_budget_pct" => {
                let share = real(field, value)?;
                alone(&|it| it.retry_budget_pct = share)?;
                self.core.retry_budget_pct = share;
            }
            "max_retries" => {
                let number = whole(field, value)?;
                alone(&|it| it.max_retries = number)?;
                self.core.max_retries = number;
            }
            "initial_backoff_ms" => {
                let pause = Duration::from_millis(whole(field, value)?);
                alone(&|it| it.initial_backoff = pause)?;
                self.core.initial_backoff = pause;
            }
            "cancel_token" => self.cancel_token = token(value)?,
            "primary_api_key_override" => {
                let key: Option<String> = optional(value, |value| text(field, value))?;
                let checked = key.as_ref().map(ApiKey::new).transpose();
                self.core.api_key = checked.map_err(|error| exception::bad_value(&error))?;
                self.api_key = key;
            }
            "extra_headers" => {
                let headers = optional(value, |value| headers(field, value))?;
                self.core.extra_headers = headers.unwrap_or_default().into_iter().collect();
            }
            "non_retryable_status_codes" => {
                let codes = optional(value, |value| statuses(field, value))?;
                self.core.non_retryable_status_codes = codes.unwrap_or_default();
            }
            "max_retry_after_s" => {
                let most = seconds(field, value)?;
                alone(&|it| it.max_retry_after = most)?;
                self.core.max_retry_after = most;
            }
            "max_tokens_per_request" => {
                let number = optional(value, |value| whole(field, value))?;
                alone(&|it| it.max_tokens_per_request = number)?;
                self.core.max_tokens_per_request = number;
            }
            "max_bytes_per_request" => {
                let number = optional(value, |value| whole(field, value))?;
                alone(&|it| it.max_bytes_per_request = number)?;
                self.core.max_bytes_per_request = number;
            }
            "split_refused" => self.core.split_refused = value.is_truthy()?,
            "requests_per_minute" => {
                let rate = optional(value, |value| whole(field, value))?;
                alone(&|it| it.requests_per_minute = rate)?;
                self.core.requests_per_minute = rate;
            }
            "tokens_per_minute" => {
                let rate = optional(value, |value| whole(field, value))?;
                alone(&|it| it.tokens_per_minute = rate)?;
                self.core.tokens_per_minute = rate;
            }
            "count_tokens" => self.count_tokens = optional(value, |value| function(field, value))?,
            "on_error" => self.core.on_error = on_error(value)?,
            "pin_initial_endpoint_once" => self.pin_initial_endpoint_once = value.is_truthy()?,
            "pickle_api_key" => self.pickle_api_key = value.is_truthy()?,
            _ => return Err(PyTypeError::new_err(format!("there is no setting {field}"))),
        }
        Ok(())
    }

    pub(super) fn get<'py>(&self, py: Python<'py>, field: &str) -> PyResult<Bound<'py, PyAny>> {
        let core = &self.core;
        match field {
            "max_concurrent_requests" => core.max_concurrent_requests.into_bound_py_any(py),
            "batch_size" => core.batch_size.into_bound_py_any(py),
            "max_chars_per_request" => core.max_chars_per_request.into_bound_py_any(py),
            "pin_initial_endpoint_once" => self.pin_initial_endpoint_once.into_bound_py_any(py),
            "timeout_s" => core.timeout.as_secs_f64().into_bound_py_any(py),
            "hedge_delay" => match &self.hedge_delay {
                None => Ok(py.None().into_bound(py)),
                Some(Delay::Seconds(seconds)) => seconds.into_bound_py_any(py),
                Some(Delay::Quantile(name)) => name.into_bound_py_any(py),
            },
            "total_timeout_s" => self.total_timeout.into_bound_py_any(py),
            "hedge_budget_pct" => core.hedge_budget_pct.into_bound_py_any(py),
            "retry_budget_pct" => core.retry_budget_pct.into_bound_py_any(py),
            "max_retries" => core.max_retries.into_bound_py_any(py),
            "initial_backoff_ms" => core.initial_backoff.as_millis().into_bound_py_any(py),
            "cancel_token" => {
                let token = self.cancel_token.as_ref().map(|it| it.clone_ref(py));
                token.into_bound_py_any(py)
            }
            "primary_api_key_override" => self.api_key.as_ref().into_bound_py_any(py),
            "extra_headers" if core.extra_headers.is_empty() => Ok(py.None().into_bound(py)),
            "extra_headers" => {
                let headers = PyDict::new(py);
                for (name, value) in core.extra_headers.iter() {
                    headers.set_item(name, value)?;
                }
                Ok(headers.into_any())
            }
            "non_retryable_status_codes" => {
                let codes = core.non_retryable_status_codes.iter().copied();
                codes
                    .collect::<std::collections::BTreeSet<u16>>()
                    .into_bound_py_any(py)
            }
            "max_retry_after_s" => core.max_retry_after.as_secs_f64().into_bound_py_any(py),
            "max_tokens_per_request" => core.max_tokens_per_request.into_bound_py_any(py),
            "max_bytes_per_request" => core.max_bytes_per_request.into_bound_py_any(py),
            "split_refused" => core.split_refused.into_bound_py_any(py),
            "requests_per_minute" => core.requests_per_minute.into_bound_py_any(py),
            "tokens_per_minute" => core.tokens_per_minute.into_bound_py_any(py),
            "count_tokens" => {
                let function = self.count_tokens.as_ref().map(|it| it.clone_ref(py));
                function.into_bound_py_any(py)
            }
            "on_error" => match core.on_error {
                OnError::Raise => "raise".into_bound_py_any(py),
                OnError::Return => "return".into_bound_py_any(py),
            },
            "pickle_api_key" => self.pickle_api_key.into_bound_py_any(py),
            _ => Err(PyTypeError::new_err(format!("there is no setting {field}"))),
        }
    }

    pub(super) fn check(&self) -> PyResult<()> {
        self.core
            .validate()
            .map_err(|error| exception::bad_value(&error))
    }
}

fn optional<'py, T>(
    value: &Bound<'py, PyAny>,
    read: impl FnOnce(&Bound<'py, PyAny>) -> PyResult<T>,
) -> PyResult<Option<T>> {
    (!value.is_none()).then(|| read(value)).transpose()
}

fn text(field: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    let kind = kind(value);
    value
        .extract()
        .map_err(|_| PyTypeError::new_err(format!("{field} must be a str, not {kind}")))
}

fn function(field: &str, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    if value.is_callable() {
        return Ok(value.clone().unbind());
    }
    let kind = kind(value);
    Err(PyTypeError::new_err(format!(
        "{field} must be a function, not {kind}"
    )))
}

fn token(value: &Bound<'_, PyAny>) -> PyResult<Option<Py<CancellationToken>>> {
    let kind = kind(value);
    let none = |_| {
        PyTypeError::new_err(format!(
            "cancel_token must be a CancellationToken, not {kind}"
        ))
    };
    value.extract().map_err(none)
}

/// Names and values of headers, from a dict.
pub(crate) fn headers(field: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let Ok(headers) = value.cast::<PyDict>() else {
        let kind = kind(value);
        return Err(PyTypeError::new_err(format!(
            "{field} must be a dict, not {kind}"
        )));
    };
    let pairs = headers.items();
    let pairs = pairs.iter().map(|pair| {
        // The value may be a key: it is not shown.
        pair.extract()
            .map_err(|_| PyTypeError::new_err(format!("{field} must be a dict of str to str")))
    });
    pairs.collect()
}

fn statuses(field: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<u16>> {
    let mut codes = Vec::new();
    for code in value.try_iter()? {
        let code = code?;
        let number: u16 = whole(field, &code)?;
        if !(100..600).contains(&number) {
            return Err(PyValueError::new_err(format!(
                "{field} must hold statuses between 100 and 599 (got {number})"
            )));
        }
        codes.push(number);
    }
    codes.sort_unstable();
    codes.dedup();
    Ok(codes)
}

/// A number of seconds, or a quantile such as `p95`.
fn hedge_delay(value: &Bound<'_, PyAny>) -> PyResult<(Delay, HedgeDelay)> {
    let Ok(name) = value.cast::<PyString>() else {
        let time = seconds("hedge_delay", value)?;
        return Ok((Delay::Seconds(time.as_secs_f64()), HedgeDelay::Fixed(time)));
    };
    let name = name.to_cow()?;
    match HedgeDelay::percentile(&name) {
        Some(delay) => Ok((Delay::Quantile(name.into_owned()), delay)),
        None => Err(PyValueError::new_err(format!(
            "hedge_delay must be seconds, or a quantile above \"p0\" and below \"p100\" such as \
             \"p95\" (got {name:?})"
        ))),
    }
}

fn on_error(value: &Bound<'_, PyAny>) -> PyResult<OnError> {
    match value.extract::<String>().as_deref() {
        Ok("raise") => Ok(OnError::Raise),
        Ok("return") => Ok(OnError::Return),
        _ => Err(PyValueError::new_err(format!(
            "on_error must be \"raise\" or \"return\" (got {})",
            value.repr()?
        ))),
    }
}
