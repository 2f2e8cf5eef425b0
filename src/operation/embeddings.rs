//! Embeddings joined: the rows of all requests, in one matrix.

use super::{Gather, Part, RequestRecord};
use crate::actor::ReplyPort;
use crate::decode::Usage;
use crate::error::Error;
use std::fmt;
use std::time::Duration;

/// Joins the rows of an operation into one matrix.
pub(super) struct EmbedGather {
    reply: ReplyPort<Result<Embeddings, Error>>,
    result: Embeddings,
}

impl EmbedGather {
    pub(super) fn new(inputs: usize, reply: ReplyPort<Result<Embeddings, Error>>) -> Self {
        let result = Embeddings {
            rows: inputs,
            ..Embeddings::default()
        };
        Self { reply, result }
    }
}

impl Gather for EmbedGather {
    fn planned(&mut self, requests: usize) {
        self.result.requests = vec![RequestRecord::default(); requests];
    }

    fn accept(&mut self, request: usize, part: Part, record: RequestRecord) -> Result<(), String> {
        let Part::Rows(rows) = part;
        let result = &mut self.result;
        if result.dimensions == 0 {
            result.dimensions = rows.dimensions;
            result.model = rows.model.unwrap_or_default();
        }
        if rows.dimensions != result.dimensions {
            return Err(format!(
                "embeddings of {} dimensions, where another request of the same operation gave {}",
                rows.dimensions, result.dimensions
            ));
        }
        if rows.rows == result.rows {
            // The only request: its rows are the matrix.
            result.values = rows.values;
        } else {
            if result.values.is_empty() {
                result.values = zeroed_matrix(result.rows, result.dimensions)?;
            }
            let start = record.inputs.start * result.dimensions;
            result.values[start..start + rows.values.len()].copy_from_slice(&rows.values);
        }
        result.usage.prompt_tokens += rows.usage.prompt_tokens;
        result.usage.total_tokens += rows.usage.total_tokens;
        result.requests[request] = record;
        Ok(())
    }

    fn finish(self: Box<Self>, end: Result<Duration, Error>) {
        let mut result = self.result;
        self.reply.send(end.map(|total_time| {
            result.total_time = total_time;
            result
        }));
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }
}

/// A server decides on the dimensions, so a matrix that no memory can hold is its fault. It is
/// tried for first: zeroed memory is lazily given, and its lack would end the process.
fn zeroed_matrix(rows: usize, dimensions: usize) -> Result<Vec<f32>, String> {
    let too_large = || format!("{rows} rows of {dimensions} dimensions do not fit in memory");
    let length = rows.checked_mul(dimensions).ok_or_else(too_large)?;
    let mut trial = Vec::<f32>::new();
    trial.try_reserve_exact(length).map_err(|_| too_large())?;
    drop(trial);
    Ok(vec![0.0; length])
}

/// Embeddings: one matrix of float32, inputs x dimensions, in input order.
#[derive(Clone, Default)]
pub struct Embeddings {
    values: Vec<f32>,
    rows: usize,
    dimensions: usize,
    model: String,
    usage: Usage,
    requests: Vec<RequestRecord>,
    total_time: Duration,
}

impl Embeddings {
    /// How many rows there are: one an input.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Never true: a call without inputs is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The length of each row.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The embedding of input `index`.
    ///
    /// # Panics
    ///
    /// When there is no such input.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.dimensions..(index + 1) * self.dimensions]
    }

    /// The embeddings in input order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimensions.max(1))
    }

    /// The whole matrix, row after row.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }

    /// The whole matrix, row after row, given away.
    #[must_use]
    pub fn into_vec(self) -> Vec<f32> {
        self.values
    }

    /// The model, as the first answer named it.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The tokens that the server counted, over all requests.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// How each request went, in input order.
    #[must_use]
    pub fn requests(&self) -> &[RequestRecord] {
        &self.requests
    }

    /// From the call to its answer.
    #[must_use]
    pub fn total_time(&self) -> Duration {
        self.total_time
    }
}

impl fmt::Debug for Embeddings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embeddings")
            .field("rows", &self.rows)
            .field("dimensions", &self.dimensions)
            .field("model", &self.model)
            .field("usage", &self.usage)
            .field("requests", &self.requests.len())
            .field("total_time", &self.total_time)
            .finish_non_exhaustive()
    }
}
