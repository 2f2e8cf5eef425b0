//! What calls and actors both speak of: an operation as it is handed over, and what its requests
//! give.
//!
//! A call makes a [`Job`] of itself (`operation/`); the actors carry it out, and know of it nothing
//! but the two traits here: [`Operation`], which Workers share, and [`Gather`], which the Dispatcher
//! owns.

mod part;

mod post_answer;

mod record;

pub(crate) use part::Part;
pub use post_answer::PostAnswer;
pub use record::{RequestError, RequestRecord};

use crate::caller::{CancellationToken, OperationId, Progress, Registration};
use crate::config::{Checked, OnProgress, Preference};
use crate::decode::DecodeError;
use crate::error::Error;
use crate::headers::Headers;
use crate::policy::pieces::Requests;
use crate::policy::split::{Limits, Weight};
use crate::transport::Head;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// An operation as it is handed over to the actors, with its caller's ports.
pub(crate) struct Job {
    pub operation: Arc<dyn Operation>,
    pub gather: Box<dyn Gather>,
    pub settings: Arc<Checked>,
    /// When the total timeout is over, where it does not begin with the operation.
    pub deadline: Option<Instant>,
    /// The stream whose batch it is: they share what was learned of when to hedge.
    pub series: Option<OperationId>,
    /// What ends it, and others that have the same one, until it is handed over.
    pub cancel_token: Option<CancellationToken>,
    /// Its place with that token, from then to its end.
    pub registration: Option<Registration>,
    /// What its caller wants to be told of progress by, until the facade has taken it.
    on_progress: Option<OnProgress>,
    /// Where its progress is told.
    pub progress: Option<watch::Sender<Progress>>,
}

impl Job {
    /// A job of checked settings, with the ports that `preference` names.
    pub(crate) fn new(
        operation: Arc<dyn Operation>,
        gather: Box<dyn Gather>,
        settings: Arc<Checked>,
        preference: &Preference,
    ) -> Self {
        Self {
            cancel_token: preference.cancel_token.clone(),
            on_progress: preference.on_progress.clone(),
            ..Self::without_ports(operation, gather, settings)
        }
    }

    /// A job that nobody listens to but `gather`.
    pub(crate) fn without_ports(
        operation: Arc<dyn Operation>,
        gather: Box<dyn Gather>,
        settings: Arc<Checked>,
    ) -> Self {
        Self {
            operation,
            gather,
            settings,
            deadline: None,
            series: None,
            cancel_token: None,
            registration: None,
            on_progress: None,
            progress: None,
        }
    }

    /// Connects it to the function that its caller wants to be told of progress by, if there is
    /// one.
    pub(crate) fn listen(&mut self) -> Option<(OnProgress, watch::Receiver<Progress>)> {
        let callback = self.on_progress.take()?;
        let (sender, receiver) = watch::channel(Progress::default());
        self.progress = Some(sender);
        Some((callback, receiver))
    }
}

/// The side of an operation that Workers share: immutable, and asked for one request at a time.
pub(crate) trait Operation: Send + Sync {
    /// What all its requests have in common.
    fn head(&self) -> &Arc<Head>;

    /// How many inputs it has.
    fn inputs(&self) -> usize;

    /// Whether a request of several inputs may be cut into requests of fewer, when a server refuses
    /// it. Not where a request is what the caller made it.
    fn can_be_cut(&self) -> bool {
        false
    }

    /// What one input weighs, as far as `limits` ask for it. Those that are never cut weigh nothing.
    fn weigh(&self, _input: usize, _limits: &Limits) -> Weight {
        Weight::default()
    }

    /// The bytes of a body beside its inputs.
    fn frame_bytes(&self) -> usize {
        0
    }

    /// The tokens of the texts of a request, as `count` finds them one by one. It is asked only where
    /// a rate of tokens is known; what is not sent at such a rate counts none.
    fn tokens(&self, _inputs: Range<usize>, _count: &dyn Fn(&str) -> usize) -> usize {
        0
    }

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

    /// Reads an answer as [`decode`](Self::decode) does, some MiB in a few milliseconds, or gives up
    /// without a verdict. Most operations have no such reader.
    fn scan(
        &self,
        _inputs: Range<usize>,
        _headers: &Headers,
        _body: &[u8],
    ) -> Option<Result<Part, DecodeError>> {
        None
    }

    /// Who follows an attempt that begins now, and reads its answer in place of
    /// [`decode`](Self::decode). Most have nobody.
    fn observer(&self) -> Option<Box<dyn Observer>> {
        None
    }

    /// Whether its attempts carry headers of their own: an id, and how long they may take.
    fn has_own_headers(&self) -> bool {
        true
    }
}

/// Follows one attempt, on the thread that reads its socket, from its start to its answer.
pub(crate) trait Observer {
    /// The head of an answer is there.
    fn head_came(&mut self);

    /// A piece of the body came off the socket, before any of it is looked at; with it the body, as
    /// sent, is so many bytes long.
    fn piece_came(&mut self, length: usize);

    /// Reads an answer of status 2xx, as [`Operation::decode`].
    fn decode(self: Box<Self>, headers: &Headers, body: &mut Vec<u8>) -> Result<Part, DecodeError>;
}

/// The side of an operation that the Dispatcher owns: joins parts, and answers the caller.
pub(crate) trait Gather: Send {
    /// Told once, before the first part, how many requests there are. Those that come of cutting
    /// have the numbers after them.
    fn planned(&mut self, requests: usize);

    /// Puts a part where it belongs, or says why it does not fit the others.
    fn accept(&mut self, request: usize, part: Part, record: RequestRecord) -> Result<(), String>;

    /// A request failed for good, after so many attempts.
    fn failed(&mut self, failed: RequestError, attempts: u32);

    /// The operation ends before requests did of which so many attempts had been made.
    fn cut_off(&mut self, _attempts: u32) {}

    /// Answers the caller. There are no requests where it ends before it was planned.
    fn finish(self: Box<Self>, end: End, requests: Option<&Requests>, total_time: Duration);

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
