//! The core's errors as Python's exceptions. The classes are Python's own: `hedgerow/exceptions.py`.

use crate::headers::joined;
use hedgerow::{Error, RequestError};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use std::collections::BTreeMap;

/// A request that failed for good.
///
/// Attributes:
///     start, end: the inputs that it carried, `end` not among them.
///     error: why it failed, as an exception.
#[pyclass(module = "hedgerow", frozen, get_all)]
pub(crate) struct FailedRequest {
    start: usize,
    end: usize,
    error: Py<PyAny>,
}

#[pymethods]
impl FailedRequest {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let error = self.error.bind(py).repr()?;
        let Self { start, end, .. } = self;
        Ok(format!(
            "FailedRequest(start={start}, end={end}, error={error})"
        ))
    }
}

impl FailedRequest {
    /// `offset` is the number of the first input of the call within its job.
    pub(crate) fn of(py: Python<'_>, failed: &RequestError, offset: usize) -> PyResult<Self> {
        Ok(Self {
            start: offset + failed.inputs.start,
            end: offset + failed.inputs.end,
            error: ErrorReport::of(&failed.error).exception(py, None)?,
        })
    }
}

/// What is told of an error. Taken out of it first, so that what it holds of the answer can be
/// moved out and not copied.
pub(crate) struct ErrorReport {
    kind: &'static str,
    text: String,
    status: Option<u16>,
    body: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    request_id: Option<String>,
}

impl ErrorReport {
    pub(crate) fn of(error: &Error) -> Self {
        Self {
            kind: error.kind(),
            text: error.to_string(),
            status: error.status(),
            body: error.body().map(str::to_owned),
            headers: error.headers().map(joined),
            request_id: error.request_id().map(str::to_owned),
        }
    }

    pub(crate) fn exception(
        &self,
        py: Python<'_>,
        partial: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        if self.kind == "config" {
            let error = PyValueError::new_err(self.text.clone());
            return Ok(error.value(py).clone().into_any().unbind());
        }
        let arguments = PyDict::new(py);
        arguments.set_item("kind", self.kind)?;
        arguments.set_item("text", &self.text)?;
        arguments.set_item("status", self.status)?;
        arguments.set_item("body", self.body.as_deref())?;
        arguments.set_item("headers", self.headers.as_ref())?;
        arguments.set_item("request_id", self.request_id.as_deref())?;
        arguments.set_item("partial", partial)?;
        let make = MAKE.import(py, "hedgerow.exceptions", "make")?;
        make.call((), Some(&arguments)).map(Bound::unbind)
    }
}

/// A value that the caller gave was refused.
pub(crate) fn bad_value(error: &Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A payload that cannot be written: both a `TypeError` and a `ValueError`.
pub(crate) fn bad_payload(py: Python<'_>, text: &str) -> PyErr {
    let class = py
        .import("hedgerow.exceptions")
        .and_then(|module| module.getattr("PayloadError"));
    match class.and_then(|class| class.call1((text,))) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// An error of a call that had not begun.
pub(crate) fn raise_plain(py: Python<'_>, error: &Error) -> PyErr {
    match ErrorReport::of(error).exception(py, None) {
        Ok(exception) => PyErr::from_value(exception.into_bound(py)),
        Err(error) => error,
    }
}

/// A call cannot be waited for in a child of the process that made it.
pub(crate) fn forked() -> PyErr {
    PyRuntimeError::new_err("the call was made by the process that this one was forked from")
}
