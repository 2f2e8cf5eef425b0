//! Embeddings: one matrix, the core's until JavaScript wants it whole.

use super::record::{Record, Recorded, Shown};
use super::{Answer, Land};
use hedgerow::{Embeddings, RequestError, RequestRecord};
use napi::bindgen_prelude::{Float32Array, Uint32Array};
use napi_derive::napi;
use parking_lot::Mutex;
use std::sync::Arc;

/// Freeing more than this takes longer than an event loop may stand still.
const LARGE: usize = 16 << 20;

/// The answer to `embed`.
#[napi]
pub(crate) struct EmbeddingsAnswer {
    kept: Arc<Kept>,
    #[napi(readonly)]
    pub model: String,
    #[napi(readonly)]
    pub rows: u32,
    #[napi(readonly)]
    pub dimensions: u32,
    #[napi(readonly)]
    pub prompt_tokens: f64,
    #[napi(readonly)]
    pub total_tokens: f64,
}

#[napi]
impl EmbeddingsAnswer {
    /// The matrix, row after row, given away; it is no copy. A second call gives nothing.
    #[napi]
    pub fn matrix(&self) -> Float32Array {
        Float32Array::new(self.kept.0.lock().take())
    }

    /// The rows whose request succeeded; nothing where all did.
    #[napi]
    pub fn succeeded(&self) -> Option<Uint32Array> {
        let mut rows = None;
        self.kept.show(&mut |shown| {
            if shown.requests.iter().any(|request| request.attempts == 0) {
                let succeeded = shown.requests.iter().filter(|request| request.attempts > 0);
                let inputs = succeeded.flat_map(|request| request.inputs.clone());
                let inputs = inputs.filter_map(|input| u32::try_from(input).ok());
                rows = Some(Uint32Array::new(inputs.collect()));
            }
        });
        rows
    }

    #[napi]
    pub fn record(&self) -> Record {
        Record::of(&self.kept)
    }
}

impl Land for Embeddings {
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody is charged for 2^53 tokens"
    )]
    fn land(self) -> Answer {
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Answer::A(EmbeddingsAnswer {
            model: self.model().to_owned(),
            rows: count(self.len()),
            dimensions: count(self.dimensions()),
            prompt_tokens: self.usage().prompt_tokens as f64,
            total_tokens: self.usage().total_tokens as f64,
            kept: Arc::new(Kept(Mutex::new(Held::Whole(self)))),
        })
    }
}

/// The answer with its numbers, or what is left of it without.
struct Kept(Mutex<Held>);

enum Held {
    Whole(Embeddings),
    Records {
        requests: Vec<RequestRecord>,
        errors: Vec<RequestError>,
        total_time: f64,
    },
}

impl Held {
    /// The numbers, given away.
    fn take(&mut self) -> Vec<f32> {
        let Self::Whole(embeddings) = self else {
            return Vec::new();
        };
        let left = Self::Records {
            requests: embeddings.requests().to_vec(),
            errors: embeddings.errors().to_vec(),
            total_time: embeddings.total_time().as_secs_f64(),
        };
        match std::mem::replace(self, left) {
            Self::Whole(embeddings) => embeddings.into_data().into_vec(),
            Self::Records { .. } => Vec::new(),
        }
    }
}

impl Recorded for Kept {
    fn show(&self, look: &mut dyn FnMut(Shown<'_>)) {
        match &*self.0.lock() {
            Held::Whole(embeddings) => embeddings.show(look),
            Held::Records {
                requests,
                errors,
                total_time,
            } => look(Shown {
                requests,
                errors,
                total_time: *total_time,
            }),
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let held = self.0.get_mut();
        let numbers = match held {
            Held::Whole(embeddings) => embeddings.as_slice().len(),
            Held::Records { .. } => 0,
        };
        if numbers * size_of::<f32>() > LARGE {
            let values = held.take();
            std::thread::spawn(move || drop(values));
        }
    }
}
