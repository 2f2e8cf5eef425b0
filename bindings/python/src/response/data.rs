//! `response.data` and `response.errors`: sequences that make their items as they are looked at.

use super::record::Failures;
use super::{BatchPostResponse, ClassificationResponse, OpenAIEmbeddingsResponse, RerankResponse};
use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::slice::PySliceIndices;
use pyo3::types::{PyList, PySlice};
use std::sync::Arc;

/// The data of a response, or its errors: a sequence whose items are made as they are looked at.
///
/// It can be indexed, sliced, iterated and compared as a list can; `list(data)` makes one.
#[pyclass(module = "hedgerow", frozen, sequence)]
pub(crate) struct ResponseData(pub(super) Source);

/// Whose data it is.
pub(super) enum Source {
    Embeddings(Py<OpenAIEmbeddingsResponse>),
    Ranking(Py<RerankResponse>),
    Classes(Py<ClassificationResponse>),
    Posts(Py<BatchPostResponse>),
    Failures(Arc<Failures>),
}

impl Source {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Embeddings(it) => Self::Embeddings(it.clone_ref(py)),
            Self::Ranking(it) => Self::Ranking(it.clone_ref(py)),
            Self::Classes(it) => Self::Classes(it.clone_ref(py)),
            Self::Posts(it) => Self::Posts(it.clone_ref(py)),
            Self::Failures(it) => Self::Failures(Arc::clone(it)),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Embeddings(it) => it.get().len(),
            Self::Ranking(it) => it.get().len(),
            Self::Classes(it) => it.get().len(),
            Self::Posts(it) => it.get().len(),
            Self::Failures(it) => it.len(),
        }
    }

    fn item(&self, py: Python<'_>, index: usize) -> PyResult<Py<PyAny>> {
        match self {
            Self::Embeddings(it) => OpenAIEmbeddingsResponse::item(it.bind(py), index),
            Self::Ranking(it) => it.get().item(py, index),
            Self::Classes(it) => it.get().item(py, index),
            Self::Posts(it) => it.get().item(py, index),
            Self::Failures(it) => it.item(py, index),
        }
    }
}

#[pymethods]
impl ResponseData {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __getitem__(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        if let Ok(slice) = key.cast::<PySlice>() {
            return Ok(self.slice(slice)?.into_any());
        }
        let index: isize = match key.extract() {
            Ok(index) => index,
            Err(_) if key.hasattr("__index__")? => return Err(self.out_of_range()),
            Err(_) => {
                let kind = crate::number::kind(key);
                let text = format!("indices must be integers or slices, not {kind}");
                return Err(PyTypeError::new_err(text));
            }
        };
        let length = self.0.len();
        let place = if index < 0 {
            length.checked_add_signed(index)
        } else {
            usize::try_from(index).ok().filter(|index| *index < length)
        };
        let place = place.ok_or_else(|| self.out_of_range())?;
        self.0.item(py, place)
    }

    fn __iter__(&self, py: Python<'_>) -> ResponseIterator {
        self.iterate(py, false)
    }

    fn __reversed__(&self, py: Python<'_>) -> ResponseIterator {
        self.iterate(py, true)
    }

    fn __contains__(&self, py: Python<'_>, item: &Bound<'_, PyAny>) -> PyResult<bool> {
        for index in 0..self.0.len() {
            if self.0.item(py, index)?.bind(py).eq(item)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The first place of an equal item.
    #[pyo3(signature = (item, /))]
    fn index(&self, py: Python<'_>, item: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.list(py)?.call_method1("index", (item,))?.extract()
    }

    /// How many items are equal to this one.
    #[pyo3(signature = (item, /))]
    fn count(&self, py: Python<'_>, item: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.list(py)?.call_method1("count", (item,))?.extract()
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let own = self.list(py)?;
        match other.cast::<Self>() {
            Ok(other) => own.eq(other.get().list(py)?),
            Err(_) => own.eq(other),
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        const SHOWN: usize = 3;
        let length = self.0.len();
        let mut shown = Vec::new();
        for index in 0..length.min(SHOWN) {
            shown.push(self.0.item(py, index)?.bind(py).repr()?.to_string());
        }
        if length > SHOWN {
            shown.push(format!("... {length} in all"));
        }
        Ok(format!("[{}]", shown.join(", ")))
    }
}

impl ResponseData {
    pub(super) fn of(py: Python<'_>, source: Source) -> PyResult<Py<Self>> {
        Py::new(py, Self(source))
    }

    fn out_of_range(&self) -> PyErr {
        let length = self.0.len();
        PyIndexError::new_err(format!("index out of range (there are {length} items)"))
    }

    fn slice(&self, slice: &Bound<'_, PySlice>) -> PyResult<Py<PyList>> {
        let py = slice.py();
        let length = isize::try_from(self.0.len())?;
        let PySliceIndices {
            start,
            step,
            slicelength,
            ..
        } = slice.indices(length)?;
        let list = PyList::empty(py);
        let mut place = start;
        for _ in 0..slicelength {
            list.append(self.0.item(py, usize::try_from(place)?)?)?;
            place += step;
        }
        Ok(list.unbind())
    }

    fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for index in 0..self.0.len() {
            list.append(self.0.item(py, index)?)?;
        }
        Ok(list)
    }

    fn iterate(&self, py: Python<'_>, reversed: bool) -> ResponseIterator {
        ResponseIterator {
            source: self.0.clone_ref(py),
            given: 0,
            reversed,
        }
    }
}

/// Goes through the data of a response.
#[pyclass(module = "hedgerow._hedgerow")]
pub(crate) struct ResponseIterator {
    source: Source,
    given: usize,
    reversed: bool,
}

#[pymethods]
impl ResponseIterator {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __length_hint__(&self) -> usize {
        self.source.len() - self.given
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let length = self.source.len();
        if self.given == length {
            return Ok(None);
        }
        let index = if self.reversed {
            length - 1 - self.given
        } else {
            self.given
        };
        self.given += 1;
        self.source.item(py, index).map(Some)
    }
}
