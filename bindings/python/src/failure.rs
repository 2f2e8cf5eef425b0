//! A call that failed, and what had finished of it.

use crate::exception::ErrorReport;
use crate::response::IntoResponse;
use hedgerow::Error;
use parking_lot::Mutex;
use pyo3::prelude::*;

/// A call that failed, before it is an exception: making those may import `requests`, which takes
/// longer than an event loop may stand still.
#[pyclass(module = "hedgerow._hedgerow", frozen)]
pub(crate) struct Failure {
    report: ErrorReport,
    /// What had finished, until the exception has it.
    partial: Mutex<Option<Py<PyAny>>>,
}

#[pymethods]
impl Failure {
    /// The exception.
    fn exception(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let partial = self.partial.lock().take();
        self.report.exception(py, partial)
    }
}

impl Failure {
    /// Takes what had finished out of the error: an empty answer where nothing had.
    pub(crate) fn of<A: IntoResponse>(py: Python<'_>, error: Error) -> PyResult<Self> {
        let report = ErrorReport::of(&error);
        let partial = error.into_partial::<A>().unwrap_or_default();
        Ok(Self {
            report,
            partial: Mutex::new(Some(partial.into_response(py)?)),
        })
    }

    /// What a call that failed with `error` raises.
    pub(crate) fn raised<A: IntoResponse>(py: Python<'_>, error: Error) -> PyErr {
        match Self::of::<A>(py, error) {
            Ok(failure) => failure.raise(py),
            Err(other) => other,
        }
    }

    pub(crate) fn raise(&self, py: Python<'_>) -> PyErr {
        match self.exception(py) {
            Ok(exception) => PyErr::from_value(exception.into_bound(py)),
            Err(error) => error,
        }
    }
}

/// The object of an answer, or what stands for the failure.
pub(crate) fn respond<A: IntoResponse>(
    py: Python<'_>,
    answer: hedgerow::Result<A>,
) -> PyResult<Result<Py<PyAny>, Py<Failure>>> {
    match answer {
        Ok(answer) => Ok(Ok(answer.into_response(py)?)),
        Err(error) => {
            let failure = Failure::of::<A>(py, error)?;
            Ok(Err(Py::new(py, failure)?))
        }
    }
}
