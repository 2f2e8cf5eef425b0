//! What a call asks for: how its requests are written and read, and how their parts join.

mod call;

mod texts;

mod embed;

mod embeddings;

mod rerank;

mod ranking;

mod secret;

mod classify;

mod scoring;

mod post;

mod payload;

mod answer;

mod head;

mod headers;

mod inputs;

mod memory;

pub(crate) use answer::Collect;
pub use answer::{Answer, Parts, RequestError, RequestRecord};
pub(crate) use call::Call;
pub use classify::{Classifications, Classify};
pub use embed::{Embed, EncodingFormat};
pub use embeddings::{Embeddings, Matrix};
pub(crate) use head::Endpoint;
pub use headers::Headers;
pub use inputs::Inputs;
pub use payload::{Payload, PostAnswer};
pub use post::{BatchPost, Method, PostAnswers};
pub use ranking::{Rank, Ranked, Ranking};
pub use rerank::Rerank;
pub use scoring::TruncationDirection;

use crate::decode::{Class, DecodeError, Rows, Scored};
use crate::error::Error;
use crate::policy::split::Plan;
use crate::transport::Head;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

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
    fn decode(
        &self,
        inputs: Range<usize>,
        headers: &Headers,
        body: &mut Vec<u8>,
    ) -> Result<Part, DecodeError>;

    /// Whether it wants to know when what came off the socket.
    fn wants_arrivals(&self) -> bool {
        false
    }

    /// [`decode`](Self::decode) for an operation that wants to know.
    fn decode_timed(
        &self,
        inputs: Range<usize>,
        headers: &Headers,
        body: &mut Vec<u8>,
        _: Arrivals,
    ) -> Result<Part, DecodeError> {
        self.decode(inputs, headers, body)
    }

    /// Whether its attempts carry headers of their own: an id, and how long they may take.
    fn has_own_headers(&self) -> bool {
        true
    }
}

/// When what came off the socket, of one attempt. Stamped as it is read, before any of it is
/// looked at.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "bench"),
    allow(dead_code, reason = "the harness reads them")
)]
pub(crate) struct Arrivals {
    /// The attempt began: a connection is taken, or opened.
    pub sent: Instant,
    /// The head of the answer was there.
    pub head: Instant,
    /// For each piece of the body, as sent, the length of the body with it, and when it came.
    pub pieces: Vec<(usize, Instant)>,
}

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
    /// What a benchmark reads off an answer.
    #[cfg(feature = "bench")]
    Measured(Box<crate::bench::Measured>),
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

/// The side of an operation that the Dispatcher owns: joins parts, and answers the caller.
pub(crate) trait Gather: Send {
    /// Told once, before the first part, how many requests there are.
    fn planned(&mut self, requests: usize);

    /// Puts a part where it belongs, or says why it does not fit the others.
    fn accept(&mut self, request: usize, part: Part, record: RequestRecord) -> Result<(), String>;

    /// A request failed for good, after so many attempts.
    fn failed(&mut self, failed: RequestError, attempts: u32);

    /// Answers the caller. There is no plan where it ends before it was planned.
    fn finish(self: Box<Self>, end: End, plan: Option<&Plan>, total_time: Duration);

    /// Whether the caller has stopped waiting.
    fn is_abandoned(&self) -> bool;
}

/// How an operation ends.
#[derive(Debug)]
pub(crate) enum End {
    /// Every request has ended; those that failed were told of.
    Done,
    /// The caller gets this error, with what finished inside it.
    Failed(Error),
    /// The caller gets what finished, and this error for each request that has not ended.
    CutShort(Error),
}
