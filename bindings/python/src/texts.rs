//! Lists of str, taken out of Python a little at a time.

use crate::number::kind;
use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList, PyString, PyTuple};
use std::time::{Duration, Instant};

/// The longest that one step may hold the interpreter.
const STEP: Duration = Duration::from_millis(1);
/// The clock is looked at once in so many items.
const LOOK_EVERY: usize = 128;

/// A list of str on its way to a call. `pull()` takes some, and says whether all are taken.
#[pyclass(module = "hedgerow._hedgerow", frozen)]
pub(crate) struct Texts {
    source: Items,
    texts: Mutex<Vec<String>>,
}

#[pymethods]
impl Texts {
    #[new]
    fn new(name: &str, source: &Bound<'_, PyAny>) -> PyResult<Self> {
        let source = Items::of(name, source)?;
        let texts = Mutex::new(Vec::with_capacity(source.count));
        Ok(Self { source, texts })
    }

    /// Takes what fits into a millisecond. True when all are taken.
    fn pull(&self, py: Python<'_>) -> PyResult<bool> {
        let mut texts = std::mem::take(&mut *self.texts.lock());
        let done = self.source.step(py, texts.len(), |index, item| {
            texts.push(self.text(index, &item)?);
            Ok(())
        });
        *self.texts.lock() = texts;
        done
    }
}

impl Texts {
    fn text(&self, index: usize, item: &Bound<'_, PyAny>) -> PyResult<String> {
        text(item, || format!("{}[{index}]", self.source.name))
    }

    /// All texts, given away.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.texts.lock())
    }
}

/// A str as UTF-8. `place` says where it stands, for errors.
pub(crate) fn text(item: &Bound<'_, PyAny>, place: impl Fn() -> String) -> PyResult<String> {
    let Ok(text) = item.cast::<PyString>() else {
        let text = format!("{} must be a str, not {}", place(), kind(item));
        return Err(PyTypeError::new_err(text));
    };
    match text.to_str() {
        Ok(text) => Ok(text.to_owned()),
        Err(cause) => {
            let error = PyValueError::new_err(format!(
                "{} holds a lone surrogate, which UTF-8 cannot hold",
                place()
            ));
            error.set_cause(item.py(), Some(cause));
            Err(error)
        }
    }
}

/// The items of a list or a tuple; of anything else that can be iterated, as a list.
pub(crate) struct Items {
    name: String,
    source: Source,
    count: usize,
}

enum Source {
    List(Py<PyList>),
    Tuple(Py<PyTuple>),
}

impl Items {
    pub(crate) fn of(name: &str, source: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (count, source) = if let Ok(list) = source.cast::<PyList>() {
            (list.len(), Source::List(list.clone().unbind()))
        } else if let Ok(tuple) = source.cast::<PyTuple>() {
            (tuple.len(), Source::Tuple(tuple.clone().unbind()))
        } else if is_one_value(source) {
            let kind = kind(source);
            let text = format!("{name} must be a list, not {kind}");
            return Err(PyTypeError::new_err(text));
        } else {
            let list = source.py().get_type::<PyList>().call1((source,))?;
            let list = list.cast_into::<PyList>()?;
            (list.len(), Source::List(list.unbind()))
        };
        let name = name.to_owned();
        Ok(Self {
            name,
            source,
            count,
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Hands items to `take`, from `start` on, for as long as a step may last. True when all are
    /// taken.
    pub(crate) fn step(
        &self,
        py: Python<'_>,
        start: usize,
        mut take: impl FnMut(usize, Bound<'_, PyAny>) -> PyResult<()>,
    ) -> PyResult<bool> {
        let began = Instant::now();
        for index in start..self.count {
            let item = match &self.source {
                Source::List(list) => list.bind(py).get_item(index),
                Source::Tuple(tuple) => tuple.bind(py).get_item(index),
            };
            let item = item.map_err(|_| {
                PyRuntimeError::new_err(format!("{} changed while it was read", self.name))
            })?;
            take(index, item)?;
            if index % LOOK_EVERY == LOOK_EVERY - 1 && began.elapsed() > STEP {
                return Ok(index + 1 == self.count);
            }
        }
        Ok(true)
    }
}

/// Whether something that can be iterated is meant as one value: a list is wanted around it.
fn is_one_value(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyByteArray>()
        || value.is_instance_of::<PyDict>()
        || value.try_iter().is_err()
}
