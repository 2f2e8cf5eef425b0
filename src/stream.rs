//! Long jobs: batches of embeddings as they finish, over inputs that come one at a time.
//!
//! Only a window of batches is held in memory, however many inputs there are: no further input is
//! taken while as many batches as may be in flight are under way or wait to be taken.

use crate::actor::{Series, System};
use crate::caller::ReplyPort;
use crate::error::{Error, Kind, Result, Scope};
use crate::operation::{Call, Embed, Embeddings, Endpoint};
use crate::pending::Pending;
use crate::policy::split::{Cutter, Limits};
use crate::policy::timers::later;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesOrdered, FuturesUnordered, Stream, StreamExt};
use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A batch of a long job that has finished.
#[derive(Debug)]
pub struct Batch {
    /// The inputs that it carried, counted over the whole job.
    pub inputs: Range<usize>,
    /// Their embeddings, in the order of the inputs.
    pub embeddings: Embeddings,
}

/// The batches of a long job, as a stream; made by
/// [`Client::embed_stream`](crate::Client::embed_stream).
///
/// It ends after the last batch, or after the first error. At its total timeout it takes no more
/// inputs; where some may be left then, the end is that error, after what was in flight. Dropping it
/// aborts what is in flight.
pub struct EmbedStream<S> {
    system: System,
    endpoint: Arc<Endpoint>,
    call: Embed,
    inputs: Option<Pin<Box<S>>>,
    /// The batch that is being filled.
    filling: Vec<String>,
    cutter: Cutter,
    limits: Limits,
    /// The first input that belongs to no batch yet.
    next: usize,
    flying: Flying,
    window: usize,
    /// The total timeout is that of the whole job.
    deadline: Option<Instant>,
    /// Why it ends before its inputs do, once nothing is in flight any more.
    error: Option<Error>,
    /// Dropped after what is in flight.
    series: Series,
}

type PendingBatch = BoxFuture<'static, Result<Batch>>;

/// Batches in flight, and those that have finished and were not taken.
enum Flying {
    AsFinished(FuturesUnordered<PendingBatch>),
    InOrder(FuturesOrdered<PendingBatch>),
}

impl Flying {
    fn len(&self) -> usize {
        match self {
            Self::AsFinished(batches) => batches.len(),
            Self::InOrder(batches) => batches.len(),
        }
    }

    fn push(&mut self, batch: PendingBatch) {
        match self {
            Self::AsFinished(batches) => batches.push(batch),
            Self::InOrder(batches) => batches.push_back(batch),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch>>> {
        match self {
            Self::AsFinished(batches) => batches.poll_next_unpin(cx),
            Self::InOrder(batches) => batches.poll_next_unpin(cx),
        }
    }
}

impl<S: Stream<Item: Into<String>>> EmbedStream<S> {
    pub(crate) fn new(system: System, endpoint: Arc<Endpoint>, mut call: Embed, inputs: S) -> Self {
        let preference = call.preference_mut();
        let error = preference.check().err();
        let mut limits = preference.limits();
        let window = preference.max_concurrent_requests;
        let total = preference.total_timeout;
        // Each batch is a call of its own, of one request that is cut already.
        preference.max_concurrent_requests = 1;
        preference.max_chars_per_request = None;
        preference.max_tokens_per_request = None;
        preference.max_bytes_per_request = None;
        let frame = call.frame_bytes();
        limits.max_bytes = limits.max_bytes.map(|most| most.saturating_sub(frame));
        let series = Series::new(&system);
        Self {
            system,
            endpoint,
            call,
            inputs: error.is_none().then(|| Box::pin(inputs)),
            filling: Vec::new(),
            cutter: Cutter::new(limits),
            limits,
            next: 0,
            flying: Flying::AsFinished(FuturesUnordered::new()),
            window,
            deadline: total.map(|total| later(Instant::now(), total)),
            error,
            series,
        }
    }

    /// Gives the batches in the order of their inputs. Default: as they finish.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.flying = Flying::InOrder(FuturesOrdered::new());
        self
    }

    /// Takes no more inputs once the deadline has passed.
    fn stop_if_late(&mut self) {
        let is_late = self.deadline.is_some_and(|at| Instant::now() >= at);
        if is_late && self.inputs.take().is_some() {
            self.filling.clear();
            self.error = Some(Error::new(Kind::Timeout {
                scope: Scope::Operation,
                after: self.call.preference_mut().total_timeout.unwrap_or_default(),
            }));
        }
    }

    /// Takes inputs and sends batches while the window has room.
    fn fill(&mut self, cx: &mut Context<'_>) {
        while self.flying.len() < self.window {
            let Some(inputs) = &mut self.inputs else {
                return;
            };
            match inputs.as_mut().poll_next(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(input)) => {
                    let input: String = input.into();
                    if self
                        .cutter
                        .cuts_before(|| Embed::weigh(&input, &self.limits))
                    {
                        self.send();
                    }
                    self.filling.push(input);
                    if self.cutter.cuts_after() {
                        self.send();
                    }
                }
                Poll::Ready(None) => {
                    self.inputs = None;
                    if !self.filling.is_empty() {
                        self.send();
                    }
                }
            }
        }
    }

    /// Sends the batch that was filled, as a call of one request.
    fn send(&mut self) {
        let texts = std::mem::take(&mut self.filling);
        let inputs = self.next..self.next + texts.len();
        self.next = inputs.end;
        let (port, answer) = oneshot::channel();
        let call = self.call.clone().inputs(texts);
        let job = call.into_job(&self.endpoint, ReplyPort::Async(port));
        let job = job.map(|mut job| {
            job.deadline = self.deadline;
            job.series = Some(self.series.id());
            job
        });
        let pending = Pending::new(&self.system, job, answer);
        let batch = pending.map(|answer| answer.map(|embeddings| Batch { inputs, embeddings }));
        self.flying.push(batch.boxed());
    }
}

impl<S: Stream<Item: Into<String>>> Stream for EmbedStream<S> {
    type Item = Result<Batch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        this.stop_if_late();
        this.fill(cx);
        if this.flying.len() == 0 {
            return match this.error.take() {
                None if this.inputs.is_some() => Poll::Pending,
                error => Poll::Ready(error.map(Err)),
            };
        }
        let ended = ready!(this.flying.poll(cx));
        if let Some(Err(_)) = &ended {
            // The first error is the end; what is in flight is aborted.
            this.inputs = None;
            this.error = None;
            this.flying = Flying::AsFinished(FuturesUnordered::new());
        }
        Poll::Ready(ended)
    }
}

impl<S> fmt::Debug for EmbedStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbedStream")
            .field("in_flight", &self.flying.len())
            .field("sent", &self.next)
            .finish_non_exhaustive()
    }
}
