//! `RequestProcessingPreference`: how the requests of a call are sent, as Python sees it.

mod counter;
mod settings;

pub(crate) use settings::headers;

use hedgerow::transport::is_secret;
use hedgerow::{OnProgress, Preference};
use parking_lot::RwLock;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use settings::Settings;

/// The names of all settings, in the order of the constructor.
const FIELDS: [&str; 24] = [
    "max_concurrent_requests",
    "batch_size",
    "max_chars_per_request",
    "pin_initial_endpoint_once",
    "timeout_s",
    "hedge_delay",
    "total_timeout_s",
    "hedge_budget_pct",
    "retry_budget_pct",
    "max_retries",
    "initial_backoff_ms",
    "cancel_token",
    "primary_api_key_override",
    "extra_headers",
    "non_retryable_status_codes",
    "max_retry_after_s",
    "max_tokens_per_request",
    "max_bytes_per_request",
    "split_refused",
    "requests_per_minute",
    "tokens_per_minute",
    "count_tokens",
    "on_error",
    "pickle_api_key",
];

/// How the requests of a call are sent. Every setting can be read and set; each is checked when it
/// is given, and all together when a call begins.
///
/// Args:
///     max_concurrent_requests: requests in flight at once, 1 to 1024, and at most 512 where
///         `batch_size` is below 16. Default 128.
///     batch_size: inputs a request, 1 to 1024. Default 128.
///     max_chars_per_request: characters (not bytes) a request, 50 to 256,000; an input longer
///         than that goes alone. Default None: no limit.
///     pin_initial_endpoint_once: plays no part yet. Default False.
///     timeout_s: seconds that one attempt may take, 0.1 to 3600. Default 3600.
///     hedge_delay: seconds after which a request that has not ended gets a second attempt, 0.045
///         to 3600 and below `timeout_s` - 0.045; or a quantile of the call's own requests, such
///         as "p95". Default None: no second attempts.
///     total_timeout_s: seconds that the whole call may take, at least `timeout_s` where that is
///         given. Default None: no limit.
///     hedge_budget_pct: second attempts as a share of the requests, 0 to 3. Default 0.10.
///     retry_budget_pct: retries after timeouts and network failures as a share of the requests,
///         0 to 3. Default 0.05.
///     max_retries: retries that one request may make, 0 to 6. Default 5.
///     initial_backoff_ms: milliseconds before the first retry, 50 to 45,000; four times longer
///         each retry, with jitter. Default 125.
///     cancel_token: a CancellationToken that ends the call. Default None.
///     primary_api_key_override: the key of this call in place of the client's. Default None.
///     extra_headers: headers that join each request, or replace one of the same name. Default
///         None.
///     non_retryable_status_codes: statuses that are final although they would be retried
///         otherwise. Default none.
///     max_retry_after_s: the longest pause that is made because a server asks for it, 0 to 3600
///         seconds; a call whose server asks for a longer one ends at once. Default 120.
///     max_tokens_per_request: tokens a request, 1 to 10,000,000, as they are estimated: never fewer
///         than there are. An input that has more goes alone. Default None: no limit.
///     max_bytes_per_request: bytes a request, 1,024 to 1,000,000,000: its body as it is sent. An
///         input that has more goes alone. Default None: no limit.
///     split_refused: whether a batch that is refused for one of its inputs is sent again in parts,
///         until that input is found and fails alone. Default True.
///     requests_per_minute: the most requests a minute that calls with this setting send to one
///         server with one key, all together, 1 to 10**12. Default None: what the server says of
///         itself in headers.
///     tokens_per_minute: the same for tokens of input.
///     count_tokens: a function that counts the tokens of a text, where a rate of them is known;
///         called on a thread of the client's, with the GIL, once a text. Where it raises, that is
///         printed and the text's bytes count. Default None: an estimate, rather too high than too
///         low.
///     on_error: "raise" (default): the first request that fails for good ends the call.
///         "return": the others go on, and the response's `errors` says what failed.
///     pickle_api_key: whether pickling includes `primary_api_key_override`, and the headers that
///         may hold a key: by their name, as `authorization` or `x-client-secret`, or by a value of
///         16 characters and more. Default False.
///
/// Raises:
///     ValueError: when a value is out of range.
///
/// Example:
///     >>> preference = RequestProcessingPreference(batch_size=32, timeout_s=20, hedge_delay="p95")
///     >>> preference.batch_size
///     32
#[pyclass(module = "hedgerow", frozen, subclass)]
pub(crate) struct RequestProcessingPreference(RwLock<Settings>);

#[pymethods]
impl RequestProcessingPreference {
    #[new]
    #[pyo3(signature = (
        max_concurrent_requests=None, batch_size=None, max_chars_per_request=None,
        pin_initial_endpoint_once=None, timeout_s=None, hedge_delay=None, total_timeout_s=None,
        hedge_budget_pct=None, retry_budget_pct=None, max_retries=None, initial_backoff_ms=None,
        cancel_token=None, primary_api_key_override=None, extra_headers=None,
        non_retryable_status_codes=None, *, max_retry_after_s=None,
        max_tokens_per_request=None, max_bytes_per_request=None, split_refused=None,
        requests_per_minute=None, tokens_per_minute=None, count_tokens=None,
        on_error=None, pickle_api_key=None
    ))]
    #[allow(clippy::too_many_arguments, reason = "they are keyword arguments")]
    fn new<'py>(
        max_concurrent_requests: Option<Bound<'py, PyAny>>,
        batch_size: Option<Bound<'py, PyAny>>,
        max_chars_per_request: Option<Bound<'py, PyAny>>,
        pin_initial_endpoint_once: Option<Bound<'py, PyAny>>,
        timeout_s: Option<Bound<'py, PyAny>>,
        hedge_delay: Option<Bound<'py, PyAny>>,
        total_timeout_s: Option<Bound<'py, PyAny>>,
        hedge_budget_pct: Option<Bound<'py, PyAny>>,
        retry_budget_pct: Option<Bound<'py, PyAny>>,
        max_retries: Option<Bound<'py, PyAny>>,
        initial_backoff_ms: Option<Bound<'py, PyAny>>,
        cancel_token: Option<Bound<'py, PyAny>>,
        primary_api_key_override: Option<Bound<'py, PyAny>>,
        extra_headers: Option<Bound<'py, PyAny>>,
        non_retryable_status_codes: Option<Bound<'py, PyAny>>,
        max_retry_after_s: Option<Bound<'py, PyAny>>,
        max_tokens_per_request: Option<Bound<'py, PyAny>>,
        max_bytes_per_request: Option<Bound<'py, PyAny>>,
        split_refused: Option<Bound<'py, PyAny>>,
        requests_per_minute: Option<Bound<'py, PyAny>>,
        tokens_per_minute: Option<Bound<'py, PyAny>>,
        count_tokens: Option<Bound<'py, PyAny>>,
        on_error: Option<Bound<'py, PyAny>>,
        pickle_api_key: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let values = [
            max_concurrent_requests,
            batch_size,
            max_chars_per_request,
            pin_initial_endpoint_once,
            timeout_s,
            hedge_delay,
            total_timeout_s,
            hedge_budget_pct,
            retry_budget_pct,
            max_retries,
            initial_backoff_ms,
            cancel_token,
            primary_api_key_override,
            extra_headers,
            non_retryable_status_codes,
            max_retry_after_s,
            max_tokens_per_request,
            max_bytes_per_request,
            split_refused,
            requests_per_minute,
            tokens_per_minute,
            count_tokens,
            on_error,
            pickle_api_key,
        ];
        let mut settings = Settings::default();
        for (field, value) in FIELDS.into_iter().zip(values) {
            if let Some(value) = value {
                settings.set(field, &value)?;
            }
        }
        settings.check()?;
        Ok(Self(RwLock::new(settings)))
    }

    /// A preference whose every setting has its default.
    #[classmethod]
    fn default<'py>(class: &Bound<'py, pyo3::types::PyType>) -> PyResult<Bound<'py, PyAny>> {
        class.call0()
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let py = slf.py();
        let settings = slf.get().0.read().copy(py);
        let mut shown = Vec::new();
        for field in FIELDS {
            let value = match field {
                "primary_api_key_override" if settings.api_key.is_some() => "'***'".to_owned(),
                // Their values may be keys.
                "extra_headers" if !settings.core.extra_headers.is_empty() => {
                    let names = settings.core.extra_headers.iter();
                    let names = names.map(|(name, _)| format!("'{name}': '***'"));
                    format!("{{{}}}", names.collect::<Vec<_>>().join(", "))
                }
                _ => settings.get(py, field)?.repr()?.to_string(),
            };
            shown.push(format!("{field}={value}"));
        }
        let name = slf.get_type().name()?;
        Ok(format!("{name}({})", shown.join(", ")))
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let Ok(other) = other.cast::<Self>() else {
            return Ok(py.NotImplemented());
        };
        let (one, other) = (self.0.read().copy(py), other.get().0.read().copy(py));
        for field in FIELDS {
            if !one.get(py, field)?.eq(other.get(py, field)?)? {
                return false.into_py_any(py);
            }
        }
        true.into_py_any(py)
    }

    fn __copy__(&self, py: Python<'_>) -> Self {
        Self(RwLock::new(self.0.read().copy(py)))
    }

    /// The token is shared by the copy: it is not a setting but a switch.
    fn __deepcopy__(&self, py: Python<'_>, _memo: &Bound<'_, PyAny>) -> Self {
        self.__copy__(py)
    }

    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let settings = self.0.read().copy(py);
        if settings.cancel_token.is_some() {
            return Err(PyTypeError::new_err(
                "a preference with a cancel_token cannot be pickled: a token cancels calls of its \
                 own process; set cancel_token to None first",
            ));
        }
        let arguments = PyDict::new(py);
        for field in FIELDS {
            arguments.set_item(field, settings.get(py, field)?)?;
        }
        if !settings.pickle_api_key {
            arguments.set_item("primary_api_key_override", py.None())?;
            let headers = PyDict::new(py);
            for (name, value) in settings.core.extra_headers.iter() {
                if !is_secret(&name.to_ascii_lowercase(), value) {
                    headers.set_item(name, value)?;
                }
            }
            arguments.set_item("extra_headers", headers)?;
        }
        Ok((PyTuple::empty(py), arguments))
    }
}

/// A property for each setting. Their checks and conversions are those of `Settings`.
macro_rules! properties {
    ($($field:ident, $set:ident, $doc:literal;)*) => {
        #[pymethods]
        impl RequestProcessingPreference {
            $(
                #[doc = $doc]
                #[getter]
                fn $field<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                    let settings = self.0.read().copy(py);
                    settings.get(py, stringify!($field))
                }

                #[setter]
                fn $set(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
                    let mut settings = self.0.read().copy(value.py());
                    settings.set(stringify!($field), value)?;
                    *self.0.write() = settings;
                    Ok(())
                }
            )*
        }
    };
}

properties! {
    max_concurrent_requests, set_max_concurrent_requests, "Requests in flight at once.";
    batch_size, set_batch_size, "Inputs a request.";
    max_chars_per_request, set_max_chars_per_request, "Characters a request, or None.";
    pin_initial_endpoint_once, set_pin_initial_endpoint_once, "Plays no part yet.";
    timeout_s, set_timeout_s, "Seconds that one attempt may take.";
    hedge_delay, set_hedge_delay, "Seconds or a quantile after which a second attempt is made, or None.";
    total_timeout_s, set_total_timeout_s, "Seconds that the whole call may take, or None.";
    hedge_budget_pct, set_hedge_budget_pct, "Second attempts as a share of the requests.";
    retry_budget_pct, set_retry_budget_pct, "Retries as a share of the requests.";
    max_retries, set_max_retries, "Retries that one request may make.";
    initial_backoff_ms, set_initial_backoff_ms, "Milliseconds before the first retry.";
    cancel_token, set_cancel_token, "The token that ends the call, or None.";
    primary_api_key_override, set_primary_api_key_override, "The key of the call, or None.";
    extra_headers, set_extra_headers, "Headers that join each request, or None.";
    non_retryable_status_codes, set_non_retryable_status_codes, "Statuses that are final.";
    max_retry_after_s, set_max_retry_after_s, "The longest pause that a server may ask for, in seconds.";
    max_tokens_per_request, set_max_tokens_per_request, "Tokens a request, or None.";
    max_bytes_per_request, set_max_bytes_per_request, "Bytes a request, or None.";
    split_refused, set_split_refused, "Whether a refused batch is cut to find the input to blame.";
    requests_per_minute, set_requests_per_minute, "The most requests a minute, or None.";
    tokens_per_minute, set_tokens_per_minute, "The most tokens of input a minute, or None.";
    count_tokens, set_count_tokens, "The function that counts the tokens of a text, or None.";
    on_error, set_on_error, "What a request that fails for good does: \"raise\" or \"return\".";
    pickle_api_key, set_pickle_api_key, "Whether pickling includes keys.";
}

/// What the core needs for a call, checked.
pub(crate) fn for_call(
    py: Python<'_>,
    preference: Option<&Bound<'_, RequestProcessingPreference>>,
    on_progress: Option<OnProgress>,
) -> Preference {
    let settings = preference.map(|it| it.get().0.read().copy(py));
    let settings = settings.unwrap_or_default();
    let mut core = settings.core;
    core.cancel_token = settings.cancel_token.map(|token| token.get().core());
    core.on_progress = on_progress;
    core.count_tokens = settings.count_tokens.map(counter::of);
    core
}
