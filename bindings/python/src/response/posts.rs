//! `BatchPostResponse`.

use super::data::{ResponseData, Source};
use super::into_response::IntoResponse;
use super::record::{Record, recorded};
use crate::message_pack;
use hedgerow::{PostAnswer, PostAnswers};
use jiter::{PythonParse, StringCacheMode};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList, PyString};

/// The answer to `batch_post`: an object a payload, in their order; None where its request failed.
#[pyclass(module = "hedgerow", frozen)]
pub(crate) struct BatchPostResponse {
    answer: PostAnswers,
    /// The objects that were looked at.
    objects: Box<[PyOnceLock<Py<PyAny>>]>,
    record: Record,
}

#[pymethods]
impl BatchPostResponse {
    /// A sequence of objects, read from JSON or MessagePack when they are first looked at; text
    /// that is neither is a str, and anything else bytes.
    #[getter]
    fn data(slf: Py<Self>, py: Python<'_>) -> PyResult<Py<ResponseData>> {
        ResponseData::of(py, Source::Posts(slf))
    }

    /// The body of one answer, decompressed and otherwise as it came; None where it failed.
    fn content<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let answer = self.answer.get(index);
        let answer = answer.ok_or_else(|| {
            pyo3::exceptions::PyIndexError::new_err("there is no payload of this index")
        })?;
        let bytes = |answer: &PostAnswer| PyBytes::new(py, answer.bytes());
        Ok(answer.as_ref().map(bytes))
    }

    fn __len__(&self) -> usize {
        self.len()
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.getattr("data")?.call_method0("__iter__")
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let data = slf.getattr("data")?.repr()?;
        Ok(format!("BatchPostResponse(data={data})"))
    }
}

recorded!(BatchPostResponse);

impl BatchPostResponse {
    fn answer(&self) -> &PostAnswers {
        &self.answer
    }

    pub(super) fn len(&self) -> usize {
        self.answer.len()
    }

    pub(super) fn item(&self, py: Python<'_>, index: usize) -> PyResult<Py<PyAny>> {
        let Some(answer) = &self.answer[index] else {
            return Ok(py.None());
        };
        let object = self.objects[index].get_or_try_init(py, || read(py, answer))?;
        Ok(object.clone_ref(py))
    }
}

fn read(py: Python<'_>, answer: &PostAnswer) -> PyResult<Py<PyAny>> {
    let bytes = answer.bytes();
    if answer.is_message_pack() {
        let object = message_pack::read(py, bytes);
        return object.map(Bound::unbind).map_err(PyValueError::new_err);
    }
    let parser = PythonParse {
        allow_inf_nan: true,
        cache_mode: StringCacheMode::Keys,
        ..PythonParse::default()
    };
    if let Ok(object) = parser.python_parse(py, bytes) {
        return Ok(object.unbind());
    }
    // Python's own reader takes some that no other does, such as lone surrogates.
    let own = py
        .import("json")?
        .call_method1("loads", (PyBytes::new(py, bytes),));
    match (own, std::str::from_utf8(bytes)) {
        (Ok(object), _) => Ok(object.unbind()),
        (Err(error), _) if answer.is_json() => Err(error),
        (Err(_), Ok(text)) => Ok(PyString::new(py, text).into_any().unbind()),
        (Err(_), Err(_)) => Ok(PyBytes::new(py, bytes).into_any().unbind()),
    }
}

impl IntoResponse for PostAnswers {
    fn into_response(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let response = BatchPostResponse {
            objects: (0..self.len()).map(|_| PyOnceLock::new()).collect(),
            answer: self,
            record: Record::new(),
        };
        Ok(Py::new(py, response)?.into_any())
    }
}
