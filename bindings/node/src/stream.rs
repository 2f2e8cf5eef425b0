//! Long jobs: batches of embeddings over inputs that JavaScript feeds as they are asked for.
//!
//! `lib/stream.js` polls; the stream's waker makes the bridge say when to do so again.

use crate::answer::{AnyAnswer, Land, failed};
use crate::bridge::Bridge;
use crate::failure::Failure;
use crate::signal::Signal;
use crate::texts::Texts;
use futures_util::Stream;
use hedgerow::{Client, Embed, EmbedStream, Embeddings};
use napi_derive::napi;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The batches of a long job.
#[napi]
pub(crate) struct BatchStream {
    call: u32,
    signal: Arc<Signal>,
    /// `None` once it was closed.
    core: Option<EmbedStream<Inputs>>,
    feed: Arc<Mutex<Feed>>,
}

/// What the stream and JavaScript share.
#[derive(Default)]
struct Feed {
    /// Texts that were fed and are not in a batch yet.
    fed: VecDeque<String>,
    ended: bool,
    /// More texts were asked for than there are.
    hungry: bool,
}

/// What a poll found.
#[napi(object, object_from_js = false)]
#[derive(Default)]
pub(crate) struct Found {
    /// A batch, and the number of its first input.
    pub answer: Option<AnyAnswer>,
    pub start: f64,
    pub failure: Option<Failure>,
    /// What had finished when it failed.
    pub partial: Option<AnyAnswer>,
    /// There are no more batches.
    pub ended: bool,
    /// Texts are to be fed, or the end.
    pub hungry: bool,
}

#[napi]
impl BatchStream {
    /// Its number at the bridge.
    #[napi(getter)]
    pub fn call(&self) -> u32 {
        self.call
    }

    /// Looks for a batch, and sends what was fed.
    #[napi]
    pub fn poll(&mut self) -> Found {
        let ended = Found {
            ended: true,
            ..Found::default()
        };
        let Some(core) = &mut self.core else {
            return ended;
        };
        let waker = self.signal.waker(self.call);
        let polled = Pin::new(core).poll_next(&mut Context::from_waker(&waker));
        let hungry = self.feed.lock().hungry;
        match polled {
            Poll::Pending => Found {
                hungry,
                ..Found::default()
            },
            Poll::Ready(None) => ended,
            Poll::Ready(Some(Err(error))) => {
                let (failure, partial) = failed::<Embeddings>(error);
                Found {
                    failure: Some(failure),
                    partial: Some(partial),
                    ..Found::default()
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 inputs")]
            Poll::Ready(Some(Ok(batch))) => Found {
                start: batch.inputs.start as f64,
                answer: Some(batch.embeddings.land()),
                hungry,
                ..Found::default()
            },
        }
    }

    /// Gives it texts. A poll has to follow.
    #[napi]
    pub fn feed(&self, texts: &mut Texts) {
        let mut feed = self.feed.lock();
        feed.fed.extend(texts.take());
        feed.hungry = false;
    }

    /// There are no more texts. A poll has to follow.
    #[napi]
    pub fn end(&self) {
        let mut feed = self.feed.lock();
        feed.ended = true;
        feed.hungry = false;
    }

    /// Aborts what is in flight.
    #[napi]
    pub fn close(&mut self) {
        self.core = None;
    }
}

impl BatchStream {
    pub(crate) fn new(bridge: &Bridge, client: &Client, call: Embed, in_order: bool) -> Self {
        let feed = Arc::new(Mutex::new(Feed::default()));
        let core = client.embed_stream(Inputs(Arc::clone(&feed)), call);
        Self {
            call: bridge.number(),
            signal: Arc::clone(bridge.signal()),
            core: Some(if in_order { core.in_order() } else { core }),
            feed,
        }
    }
}

/// The inputs, as the core takes them.
struct Inputs(Arc<Mutex<Feed>>);

impl Stream for Inputs {
    type Item = String;

    /// Wakes nobody later: who feeds it polls it.
    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<String>> {
        let mut feed = self.0.lock();
        if let Some(text) = feed.fed.pop_front() {
            return Poll::Ready(Some(text));
        }
        if feed.ended {
            return Poll::Ready(None);
        }
        feed.hungry = true;
        Poll::Pending
    }
}
