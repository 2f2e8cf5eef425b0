//! Answers as Python objects. They keep the core's answer, and make objects of it as they are
//! looked at.

mod embeddings;

mod ranking;

mod classes;

mod posts;

mod data;

mod record;

pub(crate) use classes::{ClassificationResponse, ClassificationResult};
pub(crate) use data::{ResponseData, ResponseIterator};
pub(crate) use embeddings::{
    EmbedBatch, OpenAIEmbeddingData, OpenAIEmbeddingsResponse, OpenAIUsage,
};
pub(crate) use posts::BatchPostResponse;
pub(crate) use ranking::{RerankResponse, RerankResult};
pub(crate) use record::Record;

use crate::bridge::{Flight, Landing};
use crate::failure::Failure;
use crate::process::Owned;
use hedgerow::Pending;
use pyo3::prelude::*;
use std::future::{Future, poll_fn};
use std::pin::Pin;

/// An answer of the core that has a Python object.
pub(crate) trait IntoResponse: Send + Sync + 'static {
    fn into_response(self, py: Python<'_>) -> PyResult<Py<PyAny>>;
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

/// A call under way, that ends in the object of its answer or in a `Failure`.
pub(crate) fn landing<A: IntoResponse>(pending: Pending<A>) -> Flight {
    let mut pending = Owned::new(pending);
    Box::pin(poll_fn(move |context| {
        // The bridge polls nothing of its parent's.
        let Some(pending) = pending.get_mut() else {
            return std::task::Poll::Pending;
        };
        Pin::new(pending).poll(context).map(|answer| {
            let landing: Landing = Box::new(move |py| match respond(py, answer)? {
                Ok(response) => Ok(response),
                Err(failure) => Ok(failure.into_any()),
            });
            landing
        })
    }))
}
