//! Embeddings joined: the rows of all requests, in one matrix.

use super::answer::{Answer, Join};
use super::memory;
use crate::decode::Usage;
use crate::job::Part;
use std::fmt;
use std::ops::Range;

/// The answer to [`Embed`](crate::Embed).
pub type Embeddings = Answer<Matrix>;

/// One matrix of float32, inputs x dimensions, in input order.
#[derive(Clone, Default)]
pub struct Matrix {
    values: Vec<f32>,
    rows: usize,
    dimensions: usize,
    model: String,
    usage: Usage,
}

impl Matrix {
    pub(super) fn of_rows(rows: usize) -> Self {
        Self {
            rows,
            ..Self::default()
        }
    }

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

    /// The length of each row; 0 where no request succeeded.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The embedding of input `index`; NaN throughout where its request failed.
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

    fn place(&self, inputs: Range<usize>) -> Range<usize> {
        inputs.start * self.dimensions..inputs.end * self.dimensions
    }
}

impl Join for Matrix {
    fn join(&mut self, inputs: Range<usize>, part: Part) -> Result<(), String> {
        let Part::Rows(rows) = part else {
            return Err(part.is_no("embeddings"));
        };
        if self.dimensions == 0 {
            self.dimensions = rows.dimensions;
            self.model = rows.model.unwrap_or_default();
        }
        if rows.dimensions != self.dimensions {
            return Err(format!(
                "embeddings of {} dimensions, where another request of the same call gave {}",
                rows.dimensions, self.dimensions
            ));
        }
        // They are a server's numbers, which may be anything.
        let Usage {
            prompt_tokens,
            total_tokens,
        } = &mut self.usage;
        *prompt_tokens = prompt_tokens.saturating_add(rows.usage.prompt_tokens);
        *total_tokens = total_tokens.saturating_add(rows.usage.total_tokens);
        if rows.rows == self.rows {
            // The only request: its rows are the matrix.
            self.values = rows.values;
            return Ok(());
        }
        if self.values.is_empty() {
            self.values = memory::zeroed(self.rows, self.dimensions)?;
        }
        let place = self.place(inputs);
        self.values[place].copy_from_slice(&rows.values);
        Ok(())
    }

    fn leave_out(&mut self, inputs: Range<usize>) {
        if !self.values.is_empty() {
            let place = self.place(inputs);
            self.values[place].fill(f32::NAN);
        }
    }
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matrix")
            .field("rows", &self.rows)
            .field("dimensions", &self.dimensions)
            .field("model", &self.model)
            .field("usage", &self.usage)
            .finish_non_exhaustive()
    }
}
