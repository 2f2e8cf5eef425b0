//! What one request gives.

use super::PostAnswer;
use crate::decode::{Class, Rows, Scored};
use std::any::Any;

/// What one request gave, decoded.
#[derive(Debug)]
pub(crate) enum Part {
    /// Embeddings.
    Rows(Rows),
    /// The scores of texts, in their order.
    Scores(Vec<Scored>),
    /// The classes of each input.
    Classes(Vec<Vec<Class>>),
    /// The answer to one payload.
    Post(PostAnswer),
    /// Whatever an operation that is not one of this crate's clients reads off an answer: known to
    /// the one that reads it and the one that gathers it.
    #[cfg_attr(
        not(feature = "bench"),
        expect(dead_code, reason = "the harness alone has such operations")
    )]
    Other(Box<dyn Any + Send>),
}

impl Part {
    /// Whether embeddings came as numbers in JSON.
    pub(crate) fn came_as_floats(&self) -> bool {
        matches!(self, Self::Rows(rows) if !rows.base64)
    }

    /// What is said where a part of another kind was expected, which no server can bring about.
    pub(crate) fn is_no(&self, expected: &str) -> String {
        format!("a part that is no {expected}: {self:?}")
    }
}
