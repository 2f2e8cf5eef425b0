//! What every answer says beside its data: times, headers, errors.

use super::data::{ResponseData, Source};
use crate::exception::FailedRequest;
use crate::headers::joined;
use hedgerow::{Answer, Headers, RequestError, RequestRecord};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList};
use std::sync::Arc;

/// Where the records of an answer are kept.
pub(crate) trait Recorded {
    fn read<R>(&self, look: impl FnOnce(&[RequestRecord], &[RequestError], f64) -> R) -> R;

    /// The number of the first input within its job.
    fn offset(&self) -> usize {
        0
    }
}

impl<T> Recorded for Answer<T> {
    fn read<R>(&self, look: impl FnOnce(&[RequestRecord], &[RequestError], f64) -> R) -> R {
        let time = self.total_time().as_secs_f64();
        look(self.requests(), self.errors(), time)
    }
}

/// The lists that are made of an answer's records when they are first looked at.
pub(crate) struct Record {
    times: PyOnceLock<Py<PyList>>,
    headers: PyOnceLock<Py<PyList>>,
    errors: PyOnceLock<Py<ResponseData>>,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            times: PyOnceLock::new(),
            headers: PyOnceLock::new(),
            errors: PyOnceLock::new(),
        }
    }

    pub(crate) fn total_time(answer: &impl Recorded) -> f64 {
        answer.read(|_, _, time| time)
    }

    /// Seconds, a number a request; NaN where it did not succeed.
    pub(crate) fn times(&self, py: Python<'_>, answer: &impl Recorded) -> PyResult<Py<PyList>> {
        let make = || {
            let times: Vec<f64> = answer.read(|requests, _, _| {
                let seconds = |request: &RequestRecord| match request.attempts {
                    0 => f64::NAN,
                    _ => request.time.as_secs_f64(),
                };
                requests.iter().map(seconds).collect()
            });
            PyList::new(py, times).map(Bound::unbind)
        };
        Ok(self.times.get_or_try_init(py, make)?.clone_ref(py))
    }

    /// A dict a request.
    pub(crate) fn all_headers(
        &self,
        py: Python<'_>,
        answer: &impl Recorded,
    ) -> PyResult<Py<PyList>> {
        let make = || {
            let all: Vec<Headers> = answer.read(|requests, _, _| {
                let requests = requests.iter();
                requests.map(|request| request.headers.clone()).collect()
            });
            let list = PyList::empty(py);
            for headers in &all {
                let dict = PyDict::new(py);
                for (name, value) in joined(headers) {
                    dict.set_item(name, value)?;
                }
                list.append(dict)?;
            }
            Ok::<_, PyErr>(list.unbind())
        };
        Ok(self.headers.get_or_try_init(py, make)?.clone_ref(py))
    }

    /// A `FailedRequest` for each request that failed, in the order of the inputs.
    pub(crate) fn errors(
        &self,
        py: Python<'_>,
        answer: &impl Recorded,
    ) -> PyResult<Py<ResponseData>> {
        let make = || {
            let errors = answer.read(|_, errors, _| errors.to_vec());
            let failures = Arc::new(Failures::new(errors, answer.offset()));
            ResponseData::of(py, Source::Failures(failures))
        };
        Ok(self.errors.get_or_try_init(py, make)?.clone_ref(py))
    }
}

/// The requests that failed. There may be a million, and an exception takes its time: each is made
/// when it is looked at, and kept.
pub(super) struct Failures {
    /// In the order of the inputs.
    errors: Vec<RequestError>,
    made: Box<[PyOnceLock<Py<FailedRequest>>]>,
    /// The number of the first input of the call within its job.
    offset: usize,
}

impl Failures {
    fn new(mut errors: Vec<RequestError>, offset: usize) -> Self {
        errors.sort_by_key(|failed| failed.inputs.start);
        Self {
            made: errors.iter().map(|_| PyOnceLock::new()).collect(),
            errors,
            offset,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.errors.len()
    }

    pub(super) fn item(&self, py: Python<'_>, index: usize) -> PyResult<Py<PyAny>> {
        let make = || Py::new(py, FailedRequest::of(py, &self.errors[index], self.offset)?);
        let failed = self.made[index].get_or_try_init(py, make)?;
        Ok(failed.clone_ref(py).into_any())
    }
}

/// What every response has in the same words.
macro_rules! recorded {
    ($response:ty) => {
        #[pymethods]
        impl $response {
            /// Seconds from the call to its answer.
            #[getter]
            fn total_time(&self) -> f64 {
                Record::total_time(self.answer())
            }

            /// Seconds from each request's first attempt to its success, a number a request; NaN
            /// where it failed.
            #[getter]
            fn individual_request_times(&self, py: Python<'_>) -> PyResult<Py<PyList>> {
                self.record.times(py, self.answer())
            }

            /// The same as `individual_request_times`, under its older name.
            #[getter]
            fn individual_batch_request_times(&self, py: Python<'_>) -> PyResult<Py<PyList>> {
                self.record.times(py, self.answer())
            }

            /// The headers of each request's answer, names in lower case; {} where it failed.
            #[getter]
            fn response_headers(&self, py: Python<'_>) -> PyResult<Py<PyList>> {
                self.record.all_headers(py, self.answer())
            }

            /// The requests that failed, in input order, made as they are looked at; empty unless the
            /// preference has `on_error="return"`, or this is an exception's `partial`.
            #[getter]
            fn errors(&self, py: Python<'_>) -> PyResult<Py<ResponseData>> {
                self.record.errors(py, self.answer())
            }
        }
    };
}
pub(super) use recorded;
