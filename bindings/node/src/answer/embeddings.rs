//! Embeddings: one matrix, the core's until JavaScript wants it whole.

use super::record::{Record, Recorded, Shown};
use hedgerow::{Embeddings, Matrix, Parts};
use napi::Result;
use napi::bindgen_prelude::{Env, Float32Array, ObjectFinalize, Uint32Array};
use napi_derive::napi;
use parking_lot::Mutex;
use std::sync::Arc;

/// Freeing more than this takes longer than an event loop may stand still.
const LARGE: usize = 16 << 20;

/// The answer to `embed`.
#[napi(custom_finalize)]
pub(crate) struct EmbeddingsAnswer {
    kept: Arc<Kept>,
    /// Bytes that V8 was told of.
    told: i64,
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
    /// An answer in which nothing finished.
    #[napi(constructor)]
    pub fn new() -> Self {
        Embeddings::default().into()
    }

    /// Tells V8 what is held here, as it collects its garbage by what it knows of: so many bytes in
    /// all.
    #[napi]
    pub fn weigh(&mut self, env: Env) -> Result<i64> {
        let bytes = self.kept.0.data.lock().as_ref().map_or(0, bytes);
        self.tell(env, i64::try_from(bytes).unwrap_or(i64::MAX))
    }

    /// The matrix, row after row, given away; it is no copy. A second call gives nothing.
    #[napi]
    pub fn matrix(&mut self, env: Env) -> Result<Float32Array> {
        let matrix = self.kept.0.data.lock().take();
        let values = matrix.map(Matrix::into_vec);
        // V8 knows what its own arrays hold.
        self.tell(env, 0)?;
        Ok(Float32Array::new(values.unwrap_or_default()))
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

impl EmbeddingsAnswer {
    fn tell(&mut self, env: Env, bytes: i64) -> Result<i64> {
        let change = bytes - self.told;
        self.told = bytes;
        env.adjust_external_memory(change)
    }
}

impl ObjectFinalize for EmbeddingsAnswer {
    fn finalize(mut self, env: Env) -> Result<()> {
        self.tell(env, 0).map(drop)
    }
}

impl From<Embeddings> for EmbeddingsAnswer {
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody is charged for 2^53 tokens"
    )]
    fn from(embeddings: Embeddings) -> Self {
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            model: embeddings.model().to_owned(),
            rows: count(embeddings.len()),
            dimensions: count(embeddings.dimensions()),
            prompt_tokens: embeddings.usage().prompt_tokens as f64,
            total_tokens: embeddings.usage().total_tokens as f64,
            kept: Arc::new(Kept::of(embeddings)),
            told: 0,
        }
    }
}

/// The answer; without its matrix, once that was given away.
struct Kept(Parts<Mutex<Option<Matrix>>>);

impl Kept {
    fn of(embeddings: Embeddings) -> Self {
        let Parts {
            data,
            requests,
            errors,
            total_time,
        } = embeddings.into_parts();
        Self(Parts {
            data: Mutex::new(Some(data)),
            requests,
            errors,
            total_time,
        })
    }
}

impl Recorded for Kept {
    fn show(&self, look: &mut dyn FnMut(Shown<'_>)) {
        look(Shown {
            requests: &self.0.requests,
            errors: &self.0.errors,
            total_time: self.0.total_time.as_secs_f64(),
        });
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let large = |matrix: &mut Matrix| bytes(matrix) > LARGE;
        if let Some(matrix) = self.0.data.get_mut().take_if(large) {
            // Where there is no thread to be had, it is freed here.
            let _ = std::thread::Builder::new().spawn(move || drop(matrix));
        }
    }
}

fn bytes(matrix: &Matrix) -> usize {
    size_of_val(matrix.as_slice())
}
