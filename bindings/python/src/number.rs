//! Numbers of settings: from any Python number that fits, with errors that name the field.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use std::time::Duration;

/// What is allowed, in the words that the core also uses.
fn range(field: &str) -> &'static str {
    match field {
        "max_concurrent_requests" | "batch_size" => {
            "must be greater than 0 and less than or equal to 1024"
        }
        "max_chars_per_request" => "must be between 50 and 256000",
        "timeout_s" => "must be between 0.1 and 3600 seconds",
        "hedge_delay" => "must be between 0.045 and 3600 seconds",
        "max_retry_after_s" => "must be between 0 and 3600 seconds",
        "max_tokens_per_request" => "must be between 1 and 10000000",
        "max_bytes_per_request" => "must be between 1024 and 1000000000",
        "requests_per_minute" | "tokens_per_minute" => "must be between 1 and 1000000000000",
        "max_retries" => "cannot be negative, and cannot exceed 6",
        "initial_backoff_ms" => "must be between 50 and 45000 milliseconds",
        "non_retryable_status_codes" => "must hold statuses between 100 and 599",
        _ => "must be greater than 0",
    }
}

fn refused(field: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let shown = value
        .repr()
        .map_or_else(|_| "?".into(), |it| it.to_string());
    PyValueError::new_err(format!("{field} {} (got {shown})", range(field)))
}

/// A whole number, also NumPy's.
pub(crate) fn whole<T: TryFrom<i128>>(field: &str, value: &Bound<'_, PyAny>) -> PyResult<T> {
    let index = value
        .call_method0("__index__")
        .map_err(|_| no_number(field, "a whole number", value))?;
    let number: Result<i128, _> = index.extract();
    let number = number.ok().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| refused(field, value))
}

/// A number, also a whole one or NumPy's.
pub(crate) fn real(field: &str, value: &Bound<'_, PyAny>) -> PyResult<f64> {
    value
        .extract()
        .map_err(|_| no_number(field, "a number", value))
}

/// A number of seconds.
pub(crate) fn seconds(field: &str, value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let seconds = real(field, value)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| refused(field, value))
}

fn no_number(field: &str, wanted: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let kind = kind(value);
    PyTypeError::new_err(format!("{field} must be {wanted}, not {kind}"))
}

/// The name of a value's type.
pub(crate) fn kind(value: &Bound<'_, PyAny>) -> String {
    let name = value.get_type().name();
    name.map_or_else(|_| "?".into(), |name| name.to_string())
}
