//! `ClassificationResponse`.

use super::data::{ResponseData, Source};
use super::into_response::IntoResponse;
use super::record::{Record, recorded};
use hedgerow::{Class, Classifications};
use pyo3::prelude::*;
use pyo3::types::PyList;

/// A class of an input.
///
/// Attributes:
///     label: its name.
///     score: how well it fits: a probability, or raw, as was asked for; NaN where the server has
///         none.
#[pyclass(module = "hedgerow", frozen, get_all, eq)]
#[derive(PartialEq)]
pub(crate) struct ClassificationResult {
    label: String,
    score: f64,
}

#[pymethods]
impl ClassificationResult {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let label = pyo3::types::PyString::new(py, &self.label).repr()?;
        let score = self.score;
        Ok(format!(
            "ClassificationResult(label={label}, score={score})"
        ))
    }
}

impl From<&Class> for ClassificationResult {
    fn from(class: &Class) -> Self {
        Self {
            label: class.label.clone(),
            score: class.score,
        }
    }
}

/// The answer to `classify`: for each input its classes, in input order; none where its request
/// failed.
#[pyclass(module = "hedgerow", frozen)]
pub(crate) struct ClassificationResponse {
    answer: Classifications,
    record: Record,
}

#[pymethods]
impl ClassificationResponse {
    /// "list".
    #[getter]
    fn object(&self) -> &'static str {
        "list"
    }

    /// A sequence of lists of ClassificationResult, a list an input.
    #[getter]
    fn data(slf: Py<Self>, py: Python<'_>) -> PyResult<Py<ResponseData>> {
        ResponseData::of(py, Source::Classes(slf))
    }

    fn __len__(&self) -> usize {
        self.len()
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.getattr("data")?.call_method0("__iter__")
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let data = slf.getattr("data")?.repr()?;
        Ok(format!("ClassificationResponse(data={data})"))
    }
}

recorded!(ClassificationResponse);

impl ClassificationResponse {
    fn answer(&self) -> &Classifications {
        &self.answer
    }

    pub(super) fn len(&self) -> usize {
        self.answer.len()
    }

    pub(super) fn item(&self, py: Python<'_>, index: usize) -> PyResult<Py<PyAny>> {
        let classes = self.answer[index].iter().map(ClassificationResult::from);
        let classes: Vec<ClassificationResult> = classes.collect();
        Ok(PyList::new(py, classes)?.into_any().unbind())
    }
}

impl IntoResponse for Classifications {
    fn into_response(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let response = ClassificationResponse {
            answer: self,
            record: Record::new(),
        };
        Ok(Py::new(py, response)?.into_any())
    }
}
