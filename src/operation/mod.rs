//! What a call asks for: how its requests are written and read, and how their parts join.

mod embed;

mod embeddings;

mod head;

mod headers;

mod inputs;

pub use embed::{Embed, EncodingFormat};
pub use embeddings::Embeddings;
pub(crate) use head::{Endpoint, OWN_HEADERS, RequestHeader};
pub use headers::Headers;
pub use inputs::Inputs;

use crate::decode::{DecodeError, Rows};
use crate::error::Error;
use crate::transport::Head;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The side of an operation that Workers share: immutable, and asked for one request at a time.
pub(crate) trait Operation: Send + Sync {
    /// What all its requests have in common.
    fn head(&self) -> &Arc<Head>;

    /// How many inputs it has.
    fn inputs(&self) -> usize;

    /// The characters of one input.
    fn chars(&self, input: usize) -> usize;

    /// Whether the caller left the encoding of embeddings open, so that base64 may be tried.
    fn leaves_encoding_open(&self) -> bool;

    /// Writes the body of the request for `inputs`.
    fn body(&self, inputs: Range<usize>, try_base64: bool) -> Option<Bytes>;

    /// Reads an answer of status 2xx. May take the body out of its buffer.
    fn decode(&self, inputs: Range<usize>, body: &mut Vec<u8>) -> Result<Part, DecodeError>;
}

/// What one request gave, decoded.
#[derive(Debug)]
pub(crate) enum Part {
    /// Embeddings.
    Rows(Rows),
}

impl Part {
    /// Whether embeddings came as numbers in JSON.
    pub(crate) fn came_as_floats(&self) -> bool {
        let Self::Rows(rows) = self;
        !rows.base64
    }
}

/// The side of an operation that the Dispatcher owns: joins parts, and answers the caller.
pub(crate) trait Gather: Send {
    /// Told once, before the first part, how many requests there are.
    fn planned(&mut self, requests: usize);

    /// Puts a part where it belongs, or says why it does not fit the others.
    fn accept(&mut self, request: usize, part: Part, record: RequestRecord) -> Result<(), String>;

    /// Answers the caller.
    fn finish(self: Box<Self>, end: Result<Duration, Error>);

    /// Whether the caller has stopped waiting.
    fn is_abandoned(&self) -> bool;
}

/// How one request of an operation went.
#[derive(Debug, Clone, Default)]
pub struct RequestRecord {
    /// The inputs that it carried, by their index in the operation.
    pub inputs: Range<usize>,
    /// From its first attempt to its success, pauses included.
    pub time: Duration,
    /// The headers of the answer.
    pub headers: Headers,
    /// The attempts that were made, hedges included; at least 1.
    pub attempts: u32,
}
