//! Python objects, straight to JSON.

use crate::exception;
use crate::number::kind;
use bytes::Bytes;
use hedgerow::Payload;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyMemoryView,
    PyString, PyTuple, PyType,
};
use std::fmt::Write as _;

/// Deeper nesting is refused: it is a reference to itself, or would be refused by servers.
const DEEPEST: usize = 256;

/// What is longer keeps the buffer that it was written into.
const LONG: usize = 1 << 16;

/// Writes one payload after another through one buffer.
#[derive(Default)]
pub(crate) struct Writer {
    buffer: Vec<u8>,
    /// Where in the payload the writer is, for errors.
    path: Vec<Step>,
}

enum Step {
    Item(usize),
    Key(String),
    Field(String),
}

impl Writer {
    /// The bytes of one payload. Bytes are taken as they are: they are written already.
    pub(crate) fn payload(
        &mut self,
        value: &Bound<'_, PyAny>,
        place: impl Fn() -> String,
    ) -> PyResult<Payload> {
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return Ok(Payload::raw(Bytes::copy_from_slice(bytes.as_bytes())));
        }
        if value.is_instance_of::<PyByteArray>() || value.is_instance_of::<PyMemoryView>() {
            let bytes = value.py().get_type::<PyBytes>().call1((value,))?;
            let bytes = bytes.cast_into::<PyBytes>()?;
            return Ok(Payload::raw(Bytes::copy_from_slice(bytes.as_bytes())));
        }
        self.text(value, place)?;
        if self.buffer.len() > LONG {
            return Ok(Payload::raw(std::mem::take(&mut self.buffer)));
        }
        Ok(Payload::raw(Bytes::copy_from_slice(&self.buffer)))
    }

    /// The JSON of one value, until the next is written.
    pub(crate) fn text(
        &mut self,
        value: &Bound<'_, PyAny>,
        place: impl Fn() -> String,
    ) -> PyResult<&[u8]> {
        self.buffer.clear();
        self.path.clear();
        match self.value(value, 0) {
            Ok(()) => Ok(&self.buffer),
            Err(problem) => Err(self.explain(value.py(), problem, &place())),
        }
    }

    fn value(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> Result<(), Problem> {
        if depth > DEEPEST {
            return Err(Problem::TooDeep);
        }
        if let Ok(text) = value.cast::<PyString>() {
            self.string(text)
        } else if let Ok(truth) = value.cast::<PyBool>() {
            let text: &[u8] = if truth.is_true() { b"true" } else { b"false" };
            self.buffer.extend_from_slice(text);
            Ok(())
        } else if let Ok(number) = value.cast::<PyInt>() {
            self.integer(number)
        } else if let Ok(number) = value.cast::<PyFloat>() {
            self.float(number.value())
        } else if value.is_none() {
            self.buffer.extend_from_slice(b"null");
            Ok(())
        } else if let Ok(dict) = value.cast::<PyDict>() {
            self.dict(dict, depth)
        } else if let Ok(list) = value.cast::<PyList>() {
            self.items(list.iter(), depth)
        } else if let Ok(tuple) = value.cast::<PyTuple>() {
            self.items(tuple.iter(), depth)
        } else {
            self.object(value, depth)
        }
    }

    fn string(&mut self, text: &Bound<'_, PyString>) -> Result<(), Problem> {
        let text = text.to_str().map_err(|_| Problem::Surrogate)?;
        // Writing into memory cannot fail.
        let _ = serde_json::to_writer(&mut self.buffer, text);
        Ok(())
    }

    fn integer(&mut self, number: &Bound<'_, PyInt>) -> Result<(), Problem> {
        if let Ok(number) = number.extract::<i64>() {
            let _ = serde_json::to_writer(&mut self.buffer, &number);
            return Ok(());
        }
        // A big one, as Python writes it; `int` leaves subclasses' own texts aside.
        let plain = number.py().get_type::<PyInt>().call1((number,))?;
        self.buffer
            .extend_from_slice(plain.str()?.to_cow()?.as_bytes());
        Ok(())
    }

    fn float(&mut self, number: f64) -> Result<(), Problem> {
        if !number.is_finite() {
            return Err(Problem::NotFinite(number));
        }
        let _ = serde_json::to_writer(&mut self.buffer, &number);
        Ok(())
    }

    fn dict(&mut self, dict: &Bound<'_, PyDict>, depth: usize) -> Result<(), Problem> {
        let count = dict.len();
        let mut first = true;
        self.buffer.push(b'{');
        let mut entries = dict.iter();
        loop {
            // Dumping a value runs code that may change the dict.
            if dict.len() != count {
                return Err(Problem::Changed);
            }
            let Some((key, value)) = entries.next() else {
                break;
            };
            self.member(&key, &value, &mut first, depth)?;
        }
        self.buffer.push(b'}');
        Ok(())
    }

    fn member(
        &mut self,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        first: &mut bool,
        depth: usize,
    ) -> Result<(), Problem> {
        if !std::mem::take(first) {
            self.buffer.push(b',');
        }
        self.key(key)?;
        self.buffer.push(b':');
        let before = self.path.len();
        self.value(value, depth + 1).inspect_err(|_| {
            let key = key.repr().map_or_else(|_| "?".into(), |it| it.to_string());
            self.path.insert(before, Step::Key(key));
        })
    }

    /// A key, as the `json` module writes it.
    fn key(&mut self, key: &Bound<'_, PyAny>) -> Result<(), Problem> {
        if let Ok(text) = key.cast::<PyString>() {
            return self.string(text);
        }
        let plain =
            key.is_instance_of::<PyInt>() || key.is_instance_of::<PyFloat>() || key.is_none();
        if !plain {
            return Err(Problem::Key(kind(key)));
        }
        self.buffer.push(b'"');
        self.value(key, 0)?;
        self.buffer.push(b'"');
        Ok(())
    }

    fn items<'py>(
        &mut self,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        depth: usize,
    ) -> Result<(), Problem> {
        self.buffer.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.buffer.push(b',');
            }
            let before = self.path.len();
            self.value(&item, depth + 1)
                .inspect_err(|_| self.path.insert(before, Step::Item(index)))?;
        }
        self.buffer.push(b']');
        Ok(())
    }

    /// Anything that is not of a type that JSON has a form for.
    fn object(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> Result<(), Problem> {
        let py = value.py();
        let class = value.get_type();
        if value.is_instance_of::<PyType>() {
            return Err(Problem::Unknown(kind(value)));
        }
        // Pydantic 2, and 1.
        for (dump, mark) in [
            ("model_dump_json", "model_fields"),
            ("json", "__fields_set__"),
        ] {
            if class.hasattr(dump)? && (class.hasattr(mark)? || class.hasattr("__fields__")?) {
                let text = value.call_method0(dump)?;
                let text = text.cast_into::<PyString>().map_err(PyErr::from)?;
                let text = text.to_str().map_err(|_| Problem::Surrogate)?;
                self.buffer.extend_from_slice(text.as_bytes());
                return Ok(());
            }
        }
        if class.hasattr("__dataclass_fields__")? {
            return self.dataclass(value, depth);
        }
        let module = class.getattr("__module__")?;
        if module.eq("numpy")? && class.hasattr("tolist")? {
            let plain = value.call_method0("tolist")?;
            // Some, such as long doubles, stay as they are.
            if !plain.get_type().is(&class) {
                return self.value(&plain, depth + 1);
            }
        }
        if let Ok(mapping) = value.cast::<PyMapping>() {
            let dict = PyDict::new(py);
            dict.update(mapping)?;
            return self.dict(&dict, depth);
        }
        Err(Problem::Unknown(kind(value)))
    }

    fn dataclass(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> Result<(), Problem> {
        static FIELDS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let fields = FIELDS.import(value.py(), "dataclasses", "fields")?;
        self.buffer.push(b'{');
        for (position, field) in fields.call1((value,))?.try_iter()?.enumerate() {
            if position > 0 {
                self.buffer.push(b',');
            }
            let name = field?.getattr("name")?;
            let name = name.cast_into::<PyString>().map_err(PyErr::from)?;
            self.string(&name)?;
            self.buffer.push(b':');
            let held = value.getattr(&name)?;
            let before = self.path.len();
            self.value(&held, depth + 1)
                .inspect_err(|_| self.path.insert(before, Step::Field(name.to_string())))?;
        }
        self.buffer.push(b'}');
        Ok(())
    }

    /// The exception for a problem, which says where it is.
    fn explain(&mut self, py: Python<'_>, problem: Problem, place: &str) -> PyErr {
        const SHOWN: usize = 16;
        let mut place = place.to_owned();
        for step in self.path.iter().take(SHOWN) {
            let _ = match step {
                Step::Item(index) => write!(place, "[{index}]"),
                Step::Key(key) => write!(place, "[{key}]"),
                Step::Field(name) => write!(place, ".{name}"),
            };
        }
        if self.path.len() > SHOWN {
            place.push_str("...");
        }
        let text = match problem {
            Problem::Raised(error) => return error,
            Problem::Changed => {
                let text = format!("{place} changed while it was read");
                return PyRuntimeError::new_err(text);
            }
            Problem::NotFinite(number) => {
                format!("{place} is {number}, which JSON cannot hold")
            }
            Problem::Unknown(kind) => {
                format!("{place} is of type {kind}, which JSON cannot hold")
            }
            Problem::Key(kind) => {
                format!("{place} has a key of type {kind}, which JSON cannot hold")
            }
            Problem::TooDeep => {
                format!("{place} is nested deeper than {DEEPEST} levels (does it hold itself?)")
            }
            Problem::Surrogate => {
                format!("{place} holds a lone surrogate, which UTF-8 cannot hold")
            }
        };
        exception::bad_payload(py, &text)
    }
}

/// Why a payload cannot be written.
enum Problem {
    Raised(PyErr),
    NotFinite(f64),
    Unknown(String),
    Key(String),
    TooDeep,
    Surrogate,
    Changed,
}

impl From<PyErr> for Problem {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}
