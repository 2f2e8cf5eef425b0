//! `RerankResponse`.

use super::data::{ResponseData, Source};
use super::into_response::IntoResponse;
use super::record::{Record, recorded};
use hedgerow::{Rank, Ranking};
use pyo3::prelude::*;
use pyo3::types::PyList;

/// The score of one text.
///
/// Attributes:
///     index: the place of the text in the call.
///     score: how well it answers the query; NaN where the server has no score.
///     text: the text, if `return_text` was set; else None.
#[pyclass(module = "hedgerow", frozen, get_all, eq)]
#[derive(PartialEq)]
pub(crate) struct RerankResult {
    index: usize,
    score: f64,
    text: Option<String>,
}

#[pymethods]
impl RerankResult {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let text = match &self.text {
            Some(text) => format!(", text={}", pyo3::types::PyString::new(py, text).repr()?),
            None => String::new(),
        };
        let Self { index, score, .. } = self;
        Ok(format!("RerankResult(index={index}, score={score}{text})"))
    }
}

impl From<&Rank> for RerankResult {
    fn from(rank: &Rank) -> Self {
        Self {
            index: rank.index,
            score: rank.score,
            text: rank.text.clone(),
        }
    }
}

/// The answer to `rerank`: a score a text, in input order. Texts whose request failed are absent.
#[pyclass(module = "hedgerow", frozen)]
pub(crate) struct RerankResponse {
    answer: Ranking,
    record: Record,
}

#[pymethods]
impl RerankResponse {
    /// "list".
    #[getter]
    fn object(&self) -> &'static str {
        "list"
    }

    /// A sequence of RerankResult, in input order.
    #[getter]
    fn data(slf: Py<Self>, py: Python<'_>) -> PyResult<Py<ResponseData>> {
        ResponseData::of(py, Source::Ranking(slf))
    }

    /// A list of RerankResult, best first. Equals stay in input order, and NaN comes last.
    fn sorted(&self, py: Python<'_>) -> PyResult<Py<PyList>> {
        let ranks = self.answer.sorted();
        let ranks = ranks.into_iter().map(RerankResult::from);
        let ranks: Vec<RerankResult> = ranks.collect();
        PyList::new(py, ranks).map(Bound::unbind)
    }

    fn __len__(&self) -> usize {
        self.len()
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.getattr("data")?.call_method0("__iter__")
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Ok(format!(
            "RerankResponse(data={})",
            slf.getattr("data")?.repr()?
        ))
    }
}

recorded!(RerankResponse);

impl RerankResponse {
    fn answer(&self) -> &Ranking {
        &self.answer
    }

    pub(super) fn len(&self) -> usize {
        self.answer.len()
    }

    pub(super) fn item(&self, py: Python<'_>, index: usize) -> PyResult<Py<PyAny>> {
        let rank = RerankResult::from(&self.answer[index]);
        Ok(Py::new(py, rank)?.into_any())
    }
}

impl IntoResponse for Ranking {
    fn into_response(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let response = RerankResponse {
            answer: self,
            record: Record::new(),
        };
        Ok(Py::new(py, response)?.into_any())
    }
}
