//! The settings of a run, one after the other out of the caller's dict. Each error names the key,
//! what would be right, and what was given; of what may be a secret it does not show the value.

use hedgerow::HedgeDelay;
use hedgerow::bench::{Stage, parse_span};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyInt, PyList, PyMapping, PyString, PyTuple};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// Every key there is.
const KEYS: [&str; 44] = [
    "api_key",
    "api_key_env",
    "arrival",
    "batch_size",
    "drain",
    "duration",
    "endpoint",
    "headers",
    "hedge_delay",
    "host",
    "http2",
    "input_sigma",
    "input_tokens",
    "input_vary",
    "jsonl",
    "kind",
    "max_in_flight",
    "max_retries",
    "model",
    "no_calibration",
    "output_tokens",
    "output_vary",
    "prefix_overlap",
    "progress",
    "prompts",
    "proxy",
    "rate",
    "ready_path",
    "records",
    "request_timeout_secs",
    "requests",
    "requests_per_user",
    "retry_delay_ms",
    "seed",
    "session_requests",
    "slo",
    "stages",
    "stream",
    "think_time",
    "user_stages",
    "users",
    "wait_ready",
    "warmup",
    "workers",
];

/// Keys whose values are in no error.
const SECRET: [&str; 2] = ["api_key", "proxy"];

/// Of keys that stand against each other, one at most can be given.
const CONFLICTS: [(&str, &[&str]); 8] = [
    ("jsonl", &["records", "input_tokens"]),
    ("records", &["input_tokens"]),
    (
        "requests_per_user",
        &["duration", "rate", "stages", "user_stages"],
    ),
    ("duration", &["stages", "user_stages"]),
    ("rate", &["users", "stages", "user_stages"]),
    ("stages", &["users", "user_stages"]),
    ("user_stages", &["users"]),
    ("input_vary", &["input_sigma"]),
];

/// Keys that say nothing without another.
const NEEDS: [(&str, &str); 6] = [
    ("input_vary", "input_tokens"),
    ("input_sigma", "input_tokens"),
    ("prefix_overlap", "input_tokens"),
    ("prompts", "input_tokens"),
    ("output_vary", "output_tokens"),
    ("ready_path", "wait_ready"),
];

/// Keys that say nothing where users make the load.
const OF_ARRIVALS: [&str; 4] = ["requests", "session_requests", "arrival", "max_in_flight"];

const SPAN: &str = "a number of seconds, or a text such as '500ms', '30s' or '5m', at most 30 days";

/// The settings that are not `None`.
pub(super) struct Settings<'py>(Bound<'py, PyDict>);

impl<'py> Settings<'py> {
    /// Takes a copy. Every key is one that there is, and goes with the others.
    pub(super) fn new(config: &Bound<'py, PyAny>) -> PyResult<Self> {
        let given = PyDict::new(config.py());
        let mapping = config.cast::<PyMapping>();
        given.update(mapping.map_err(|_| PyTypeError::new_err("config must be a dict"))?)?;
        let settings = Self(PyDict::new(config.py()));
        for (key, value) in &given {
            let name = key.extract::<String>().unwrap_or_default();
            if !KEYS.contains(&name.as_str()) {
                let keys = KEYS.join(", ");
                let text = format!("there is no key {} (keys are {keys})", key.repr()?);
                return Err(PyValueError::new_err(text));
            }
            if !value.is_none() {
                settings.0.set_item(key, value)?;
            }
        }
        settings.check_together()?;
        Ok(settings)
    }

    fn check_together(&self) -> PyResult<()> {
        for (key, others) in CONFLICTS {
            for other in others {
                if self.has(key)? && self.has(other)? {
                    let text = format!("{key} and {other} cannot both be given");
                    return Err(PyValueError::new_err(text));
                }
            }
        }
        for (key, other) in NEEDS {
            if self.has(key)? && !self.has(other)? {
                return Err(PyValueError::new_err(format!("{key} needs {other}")));
            }
        }
        let is_open = self.has("rate")? || self.has("stages")?;
        for key in OF_ARRIVALS {
            if !is_open && self.has(key)? {
                let text = format!("{key} is of arrivals: it needs rate or stages");
                return Err(PyValueError::new_err(text));
            }
        }
        Ok(())
    }

    pub(super) fn has(&self, key: &str) -> PyResult<bool> {
        self.0.contains(key)
    }

    pub(super) fn get(&self, key: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.get_item(key)
    }

    /// The error of a value that is not what it must be.
    pub(super) fn refused(&self, key: &str, wanted: &str) -> PyErr {
        match self.get(key) {
            Ok(Some(value)) => Self::bad(key, wanted, &value),
            Ok(None) => PyValueError::new_err(format!("{key} must be {wanted} (got None)")),
            Err(error) => error,
        }
    }

    pub(super) fn bad(place: &str, wanted: &str, value: &Bound<'_, PyAny>) -> PyErr {
        let shown = Self::shown(value);
        PyValueError::new_err(format!("{place} must be {wanted} (got {shown})"))
    }

    pub(super) fn shown(value: &Bound<'_, PyAny>) -> String {
        let shown = value.repr();
        shown.map_or_else(|_| "?".into(), |it| it.to_string())
    }

    /// A whole number, also NumPy's.
    pub(super) fn whole<T: TryFrom<u64>>(
        &self,
        key: &str,
        range: RangeInclusive<u64>,
    ) -> PyResult<Option<T>> {
        let Some(value) = self.get(key)? else {
            return Ok(None);
        };
        let number = if value.is_instance_of::<PyBool>() {
            None
        } else {
            let index = value.call_method0("__index__").ok();
            index.and_then(|index| index.extract::<u64>().ok())
        };
        let number = number.filter(|number| range.contains(number));
        let number = number.and_then(|number| T::try_from(number).ok());
        let wanted = || {
            format!(
                "a whole number between {} and {}",
                range.start(),
                range.end()
            )
        };
        number.map(Some).ok_or_else(|| self.refused(key, &wanted()))
    }

    /// A number, also a whole one or NumPy's.
    pub(super) fn real(&self, key: &str, range: RangeInclusive<f64>) -> PyResult<Option<f64>> {
        let Some(value) = self.get(key)? else {
            return Ok(None);
        };
        let number = number(&value).filter(|number| range.contains(number));
        let wanted = || format!("a number between {} and {}", range.start(), range.end());
        number.map(Some).ok_or_else(|| self.refused(key, &wanted()))
    }

    /// A span of time. Seconds, or what the flag takes.
    pub(super) fn span(&self, key: &str) -> PyResult<Option<Duration>> {
        let Some(value) = self.get(key)? else {
            return Ok(None);
        };
        let text = match number(&value) {
            Some(seconds) if seconds.is_finite() => Some(format!("{seconds}s")),
            Some(_) => None,
            None => value.extract().ok(),
        };
        let span = text.and_then(|text| parse_span(&text).ok());
        span.map(Some).ok_or_else(|| self.refused(key, SPAN))
    }

    /// A span above zero.
    pub(super) fn some_span(&self, key: &str) -> PyResult<Option<Duration>> {
        match self.span(key)? {
            Some(Duration::ZERO) => Err(self.refused(key, &format!("above 0: {SPAN}"))),
            span => Ok(span),
        }
    }

    /// A span of time, or what else the flag takes.
    pub(super) fn hedge_delay(&self, key: &str) -> PyResult<Option<HedgeDelay>> {
        let Some(value) = self.get(key)? else {
            return Ok(None);
        };
        match number(&value) {
            Some(seconds) => parse(key, &format!("{seconds}s")).map(Some),
            None => self.parsed(key),
        }
    }

    pub(super) fn text(&self, key: &str) -> PyResult<Option<String>> {
        let Some(value) = self.get(key)? else {
            return Ok(None);
        };
        let text = value.extract().ok();
        text.map(Some).ok_or_else(|| {
            if SECRET.contains(&key) {
                return PyValueError::new_err(format!("{key} must be a str"));
            }
            self.refused(key, "a str")
        })
    }

    pub(super) fn truth(&self, key: &str) -> PyResult<bool> {
        let Some(value) = self.get(key)? else {
            return Ok(false);
        };
        let truth = value.extract::<bool>();
        truth.map_err(|_| self.refused(key, "True or False"))
    }

    /// What has a text form of its own, such as `poisson`.
    pub(super) fn parsed<T>(&self, key: &str) -> PyResult<Option<T>>
    where
        T: FromStr<Err: Display>,
    {
        self.text(key)?.map(|text| parse(key, &text)).transpose()
    }

    /// Texts of a form of their own: a list of them, or one.
    pub(super) fn list<T>(&self, key: &str) -> PyResult<Vec<T>>
    where
        T: FromStr<Err: Display>,
    {
        let texts = self.texts(key)?;
        texts.iter().map(|text| parse(key, text)).collect()
    }

    /// Stages, as a list or with commas between them.
    pub(super) fn stages(&self, key: &str) -> PyResult<Vec<Stage>> {
        let texts = self.texts(key)?;
        let stages = texts.iter().flat_map(|text| text.split(','));
        let stages = stages.map(|text| parse(key, text));
        let stages: Vec<Stage> = stages.collect::<PyResult<_>>()?;
        if stages.is_empty() && self.has(key)? {
            return Err(self.refused(key, "at least one stage, such as '10:30s'"));
        }
        Ok(stages)
    }

    fn texts(&self, key: &str) -> PyResult<Vec<String>> {
        let Some(value) = self.get(key)? else {
            return Ok(Vec::new());
        };
        if value.is_instance_of::<PyString>() {
            return Ok(vec![value.extract()?]);
        }
        let is_list = value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>();
        let texts = is_list.then(|| value.extract().ok()).flatten();
        texts.ok_or_else(|| self.refused(key, "a list of str, or one"))
    }
}

fn parse<T: FromStr<Err: Display>>(key: &str, text: &str) -> PyResult<T> {
    let parsed = text.parse();
    parsed.map_err(|cause: T::Err| PyValueError::new_err(format!("{key}: {cause}")))
}

/// A number that is one: neither a truth value nor a text.
fn number(value: &Bound<'_, PyAny>) -> Option<f64> {
    if value.is_instance_of::<PyBool>() {
        return None;
    }
    if let Ok(whole) = value.cast::<PyInt>() {
        return whole.extract().ok();
    }
    value.extract().ok()
}
