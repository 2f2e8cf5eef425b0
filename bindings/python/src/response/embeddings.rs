//! `OpenAIEmbeddingsResponse`: one matrix, the core's until NumPy wants it.

use super::data::{ResponseData, Source};
use super::into_response::IntoResponse;
use super::record::{Record, Recorded, recorded};
use hedgerow::{Batch, Embeddings, RequestError, RequestRecord, Usage};
use numpy::ndarray::Array2;
use numpy::{PyArray2, PyArrayMethods};
use parking_lot::Mutex;
use pyo3::exceptions::{PyImportError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;

/// Freeing more than this takes longer than an event loop may stand still.
const LARGE: usize = 16 << 20;

/// The answer to `embed`.
///
/// `numpy()` is the matrix, a row an input. `data` has an item for each input that succeeded, made
/// when it is looked at. `len(response)` and iteration are those of `data`.
#[pyclass(module = "hedgerow", frozen, subclass)]
pub(crate) struct OpenAIEmbeddingsResponse {
    matrix: Matrix,
    model: String,
    usage: Usage,
    rows: usize,
    dimensions: usize,
    succeeded: Succeeded,
    /// The number of the first input within its job.
    offset: usize,
    record: Record,
}

/// The numbers, at one of two places.
struct Matrix {
    answer: Mutex<Kept>,
    /// From the first call of `numpy()` on they are the array's.
    array: PyOnceLock<Py<PyArray2<f32>>>,
}

/// The answer with its numbers, or what is left of it without.
enum Kept {
    Whole(Embeddings),
    Records {
        requests: Vec<RequestRecord>,
        errors: Vec<RequestError>,
        total_time: f64,
    },
}

impl Matrix {
    fn row(&self, py: Python<'_>, row: usize, shape: [usize; 2]) -> PyResult<Vec<f32>> {
        if let Kept::Whole(embeddings) = &*self.answer.lock() {
            return Ok(embeddings.row(row).to_vec());
        }
        let array = self.array(py, shape)?.bind(py).readonly();
        let array = array.as_array();
        Ok(array.row(row).to_vec())
    }

    fn array(&self, py: Python<'_>, shape: [usize; 2]) -> PyResult<&Py<PyArray2<f32>>> {
        self.array.get_or_try_init(py, || {
            let values = self.answer.lock().take();
            let array = Array2::from_shape_vec(shape, values);
            let array = array.map_err(|cause| PyValueError::new_err(cause.to_string()))?;
            Ok(PyArray2::from_owned_array(py, array).unbind())
        })
    }
}

impl Kept {
    /// The numbers, given away.
    fn take(&mut self) -> Vec<f32> {
        let nothing = Self::Records {
            requests: Vec::new(),
            errors: Vec::new(),
            total_time: 0.0,
        };
        let embeddings = match std::mem::replace(self, nothing) {
            Self::Whole(embeddings) => embeddings,
            records @ Self::Records { .. } => {
                *self = records;
                return Vec::new();
            }
        };
        let parts = embeddings.into_parts();
        *self = Self::Records {
            requests: parts.requests,
            errors: parts.errors,
            total_time: parts.total_time.as_secs_f64(),
        };
        parts.data.into_vec()
    }
}

impl Drop for Matrix {
    fn drop(&mut self) {
        let numbers = match &*self.answer.lock() {
            Kept::Whole(embeddings) => embeddings.as_slice().len(),
            Kept::Records { .. } => 0,
        };
        if numbers * size_of::<f32>() > LARGE {
            let values = self.answer.lock().take();
            // Where there is no thread to be had, they are freed here.
            let _ = std::thread::Builder::new().spawn(move || drop(values));
        }
    }
}

/// Which rows have an embedding.
enum Succeeded {
    All(usize),
    Some(Vec<usize>),
}

impl Succeeded {
    fn of(embeddings: &Embeddings) -> Self {
        if embeddings.is_complete() {
            return Self::All(embeddings.len());
        }
        let requests = embeddings.requests().iter();
        let succeeded = requests.filter(|request| request.attempts > 0);
        Self::Some(
            succeeded
                .flat_map(|request| request.inputs.clone())
                .collect(),
        )
    }

    fn len(&self) -> usize {
        match self {
            Self::All(rows) => *rows,
            Self::Some(rows) => rows.len(),
        }
    }

    fn row(&self, index: usize) -> usize {
        match self {
            Self::All(_) => index,
            Self::Some(rows) => rows[index],
        }
    }
}

impl Recorded for OpenAIEmbeddingsResponse {
    fn read<R>(&self, look: impl FnOnce(&[RequestRecord], &[RequestError], f64) -> R) -> R {
        match &*self.matrix.answer.lock() {
            Kept::Whole(embeddings) => embeddings.read(look),
            Kept::Records {
                requests,
                errors,
                total_time,
            } => look(requests, errors, *total_time),
        }
    }

    fn offset(&self) -> usize {
        self.offset
    }
}

#[pymethods]
impl OpenAIEmbeddingsResponse {
    /// "list".
    #[getter]
    fn object(&self) -> &'static str {
        "list"
    }

    /// The model, as the server named it.
    #[getter]
    fn model(&self) -> &str {
        &self.model
    }

    /// The tokens that the server counted, over all requests.
    #[getter]
    fn usage(&self) -> OpenAIUsage {
        OpenAIUsage {
            prompt_tokens: self.usage.prompt_tokens,
            total_tokens: self.usage.total_tokens,
        }
    }

    /// A sequence of OpenAIEmbeddingData, in input order, without those that failed.
    #[getter]
    fn data(slf: Py<Self>, py: Python<'_>) -> PyResult<Py<ResponseData>> {
        ResponseData::of(py, Source::Embeddings(slf))
    }

    /// The matrix as a NumPy array: float32, shape (inputs, dimensions), in input order, NaN where
    /// a request failed.
    ///
    /// It is the response's own memory, and no copy: what is written into it shows in `data` too.
    ///
    /// Raises:
    ///     ImportError: without NumPy.
    fn numpy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        need_numpy(py)?;
        let array = self.matrix.array(py, self.shape())?;
        // A view, so that its shape can be changed without harm.
        array.bind(py).call_method0("view")
    }

    fn __len__(&self) -> usize {
        self.len()
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.getattr("data")?.call_method0("__iter__")
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let this = slf.get();
        let name = slf.get_type().name()?;
        let failed = this.read(|_, errors, _| errors.len());
        let failed = match failed {
            0 => String::new(),
            failed => format!(", {failed} requests failed"),
        };
        let model = pyo3::types::PyString::new(slf.py(), &this.model).repr()?;
        let Self {
            rows, dimensions, ..
        } = this;
        Ok(format!(
            "{name}({rows} x {dimensions}, model={model}{failed})"
        ))
    }
}

recorded!(OpenAIEmbeddingsResponse);

impl OpenAIEmbeddingsResponse {
    fn new(answer: Embeddings, offset: usize) -> Self {
        Self {
            model: answer.model().to_owned(),
            usage: answer.usage(),
            rows: answer.len(),
            dimensions: answer.dimensions(),
            succeeded: Succeeded::of(&answer),
            matrix: Matrix {
                answer: Mutex::new(Kept::Whole(answer)),
                array: PyOnceLock::new(),
            },
            offset,
            record: Record::new(),
        }
    }

    fn shape(&self) -> [usize; 2] {
        [self.rows, self.dimensions]
    }

    fn answer(&self) -> &Self {
        self
    }

    pub(super) fn len(&self) -> usize {
        self.succeeded.len()
    }

    pub(super) fn item(this: &Bound<'_, Self>, index: usize) -> PyResult<Py<PyAny>> {
        let row = this.get().succeeded.row(index);
        let data = OpenAIEmbeddingData {
            response: this.clone().unbind(),
            row,
        };
        Ok(Py::new(this.py(), data)?.into_any())
    }
}

/// One input's embedding.
#[pyclass(module = "hedgerow", frozen)]
pub(crate) struct OpenAIEmbeddingData {
    response: Py<OpenAIEmbeddingsResponse>,
    row: usize,
}

#[pymethods]
impl OpenAIEmbeddingData {
    /// "embedding".
    #[getter]
    fn object(&self) -> &'static str {
        "embedding"
    }

    /// The place of the input in the call, or in the whole job where it was a stream.
    #[getter]
    fn index(&self) -> usize {
        self.response.get().offset + self.row
    }

    /// The embedding as a list of float, made at each access.
    #[getter]
    fn embedding<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let response = self.response.get();
        let row = response.matrix.row(py, self.row, response.shape())?;
        PyList::new(py, row)
    }

    /// The embedding as a NumPy array: float32, shape (dimensions,), a view of the matrix.
    fn numpy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.response.get().numpy(py)?.get_item(self.row)
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Ok(other) = other.cast::<Self>() else {
            return Ok(false);
        };
        let other = other.get();
        Ok(self.index() == other.index() && self.embedding(py)?.eq(other.embedding(py)?)?)
    }

    fn __repr__(&self) -> String {
        let dimensions = self.response.get().dimensions;
        let index = self.index();
        format!("OpenAIEmbeddingData(index={index}, embedding=<{dimensions} floats>)")
    }
}

/// The tokens that a server counted.
///
/// Attributes:
///     prompt_tokens: tokens of the inputs.
///     total_tokens: tokens of inputs and outputs together.
#[pyclass(module = "hedgerow", frozen, get_all, eq)]
#[derive(PartialEq)]
pub(crate) struct OpenAIUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

#[pymethods]
impl OpenAIUsage {
    fn __repr__(&self) -> String {
        let Self {
            prompt_tokens,
            total_tokens,
        } = self;
        format!("OpenAIUsage(prompt_tokens={prompt_tokens}, total_tokens={total_tokens})")
    }
}

/// A batch of a stream: the answer to its inputs, and which of the job's inputs they are.
///
/// The indices in `data` and `errors` are those of the whole job.
#[pyclass(module = "hedgerow", frozen, extends = OpenAIEmbeddingsResponse)]
pub(crate) struct EmbedBatch;

#[pymethods]
impl EmbedBatch {
    /// The number of its first input, counted over the whole job.
    #[getter]
    fn start(slf: &Bound<'_, Self>) -> usize {
        slf.as_super().get().offset
    }

    /// The number after that of its last input.
    #[getter]
    fn end(slf: &Bound<'_, Self>) -> usize {
        let response = slf.as_super().get();
        response.offset + response.rows
    }
}

impl EmbedBatch {
    pub(crate) fn of(py: Python<'_>, batch: Batch) -> PyResult<Py<PyAny>> {
        let response = OpenAIEmbeddingsResponse::new(batch.embeddings, batch.inputs.start);
        let batch = PyClassInitializer::from(response).add_subclass(Self);
        Ok(Py::new(py, batch)?.into_any())
    }
}

impl IntoResponse for Embeddings {
    fn into_response(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let response = OpenAIEmbeddingsResponse::new(self, 0);
        Ok(Py::new(py, response)?.into_any())
    }
}

fn need_numpy(py: Python<'_>) -> PyResult<()> {
    py.import("numpy").map(drop).map_err(|cause| {
        let error = PyImportError::new_err("numpy() needs NumPy: pip install numpy");
        error.set_cause(py, Some(cause));
        error
    })
}
