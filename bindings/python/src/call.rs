//! A call: what is asked, checked as far as Python's types go.

use crate::number::whole;
use crate::payloads::Payloads;
use crate::texts::{Texts, text};
use hedgerow::TruncationDirection;
use hedgerow::{BatchPost, Classify, Embed, EncodingFormat, Method, Preference, Rerank};
use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// What is asked of a client, once.
#[pyclass(module = "hedgerow._hedgerow", frozen)]
pub(crate) struct Call(Mutex<Option<Question>>);

/// What is asked, in the core's words.
pub(crate) enum Question {
    Embed(Embed),
    Rerank(Rerank),
    Classify(Classify),
    Post(BatchPost),
}

#[pymethods]
impl Call {
    /// Asks for embeddings. Without texts, it says what is asked of each batch of a stream.
    #[staticmethod]
    fn embed(
        texts: Option<&Bound<'_, Texts>>,
        model: &Bound<'_, PyAny>,
        encoding_format: Option<&str>,
        dimensions: Option<&Bound<'_, PyAny>>,
        user: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let texts = texts.map(|texts| texts.get().take()).unwrap_or_default();
        let mut call = Embed::new(texts, argument("model", model)?);
        if let Some(format) = encoding_format {
            call = call.encoding_format(encoding(format)?);
        }
        if let Some(dimensions) = dimensions {
            call = call.dimensions(whole("dimensions", dimensions)?);
        }
        if let Some(user) = user {
            call = call.user(argument("user", user)?);
        }
        Ok(Self::of(Question::Embed(call)))
    }

    #[staticmethod]
    #[allow(
        clippy::fn_params_excessive_bools,
        reason = "the server's own settings"
    )]
    fn rerank(
        query: &Bound<'_, PyAny>,
        texts: &Bound<'_, Texts>,
        raw_scores: bool,
        model: Option<&Bound<'_, PyAny>>,
        return_text: bool,
        truncate: bool,
        truncation_direction: &str,
    ) -> PyResult<Self> {
        let mut call = Rerank::new(argument("query", query)?, texts.get().take())
            .raw_scores(raw_scores)
            .return_text(return_text)
            .truncate(truncate)
            .truncation_direction(direction(truncation_direction)?);
        if let Some(model) = model {
            call = call.model(argument("model", model)?);
        }
        Ok(Self::of(Question::Rerank(call)))
    }

    #[staticmethod]
    fn classify(
        texts: &Bound<'_, Texts>,
        model: Option<&Bound<'_, PyAny>>,
        raw_scores: bool,
        truncate: bool,
        truncation_direction: &str,
    ) -> PyResult<Self> {
        let mut call = Classify::new(texts.get().take())
            .raw_scores(raw_scores)
            .truncate(truncate)
            .truncation_direction(direction(truncation_direction)?);
        if let Some(model) = model {
            call = call.model(argument("model", model)?);
        }
        Ok(Self::of(Question::Classify(call)))
    }

    #[staticmethod]
    fn post(
        path: &Bound<'_, PyAny>,
        payloads: &Bound<'_, Payloads>,
        custom_headers: Option<&Bound<'_, PyAny>>,
        method: Option<&str>,
    ) -> PyResult<Self> {
        let path = argument("url_path", path)?;
        let mut call = BatchPost::new(path, payloads.get().take());
        if let Some(headers) = custom_headers {
            for (name, value) in crate::preference::headers("custom_headers", headers)? {
                call = call.header(name, value);
            }
        }
        if let Some(method) = method {
            let method: hedgerow::Result<Method> = method.parse();
            call = call.method(method.map_err(|error| crate::exception::bad_value(&error))?);
        }
        Ok(Self::of(Question::Post(call)))
    }
}

impl Call {
    fn of(question: Question) -> Self {
        Self(Mutex::new(Some(question)))
    }

    /// The question, to be asked in the way of this preference.
    pub(crate) fn take(&self, preference: Preference) -> PyResult<Question> {
        let question = self.0.lock().take();
        let question =
            question.ok_or_else(|| PyRuntimeError::new_err("a call can be made once"))?;
        Ok(match question {
            Question::Embed(call) => Question::Embed(call.preference(preference)),
            Question::Rerank(call) => Question::Rerank(call.preference(preference)),
            Question::Classify(call) => Question::Classify(call.preference(preference)),
            Question::Post(call) => Question::Post(call.preference(preference)),
        })
    }
}

fn argument(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    text(value, || name.to_owned())
}

fn encoding(format: &str) -> PyResult<EncodingFormat> {
    match format {
        "float" => Ok(EncodingFormat::Float),
        "base64" => Ok(EncodingFormat::Base64),
        _ => Err(PyValueError::new_err(format!(
            "Encoding format must be 'float' or 'base64' (got {format:?})"
        ))),
    }
}

fn direction(direction: &str) -> PyResult<TruncationDirection> {
    match direction {
        "Left" | "left" => Ok(TruncationDirection::Left),
        "Right" | "right" => Ok(TruncationDirection::Right),
        _ => Err(PyValueError::new_err(format!(
            "truncation_direction must be 'Left' or 'Right' (got {direction:?})"
        ))),
    }
}
