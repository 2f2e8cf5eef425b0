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
    /// What had finished.
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
    /// Takes what had finished out of the error.
    pub(crate) fn of<A: IntoResponse>(py: Python<'_>, error: Error) -> PyResult<Self> {
        let report = ErrorReport::of(&error);
        let partial = error.into_partial::<A>();
        let partial = partial.map(|answer| answer.into_response(py)).transpose()?;
        Ok(Self {
            report,
            partial: Mutex::new(partial),
        })
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
