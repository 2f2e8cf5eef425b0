//! The blocking facade: the calling thread waits for the answer to its message.

use crate::actor::{MetricsSnapshot, Submitted, System};
use crate::caller::{Cancel, Progress, Reason, ReplyPort, refuse_inside_runtime, wait};
use crate::client::{Client, ClientBuilder};
use crate::config::OnProgress;
use crate::error::{Error, Kind, Result};
use crate::operation::{
    BatchPost, Call, Classifications, Classify, Embed, Embeddings, PostAnswers, Ranking, Rerank,
};
use crate::stream::{Batch, EmbedStream};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use futures_util::StreamExt;
use futures_util::stream::Iter;
use std::fmt;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// [`Client`] for threads: every call waits for its answer. Any number of threads can share one.
///
/// A call on a thread that an async runtime needs gives an error
/// ([`Error::is_inside_runtime`]) rather than stopping that runtime.
///
/// ```no_run
/// # fn example() -> hedgerow::Result<()> {
/// use hedgerow::{BlockingClient, Client, Embed};
///
/// let client = BlockingClient::new(Client::builder("http://127.0.0.1:8000").build()?);
/// let embeddings = client.embed(Embed::new(["one", "two"], "my-model"))?;
/// assert_eq!(embeddings.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct BlockingClient {
    client: Client,
}

impl BlockingClient {
    /// A blocking facade of `client`; both can be used side by side.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Begins a client of the service at `base_url`; see [`Client::builder`].
    pub fn builder(base_url: impl AsRef<str>) -> ClientBuilder {
        Client::builder(base_url)
    }

    /// Asks for embeddings and waits for them.
    ///
    /// # Errors
    ///
    /// As [`Client::embed`], and [`Error::is_inside_runtime`].
    pub fn embed(&self, call: Embed) -> Result<Embeddings> {
        self.call(call)
    }

    /// Scores texts by how well they answer a query, and waits for the scores.
    ///
    /// # Errors
    ///
    /// As [`embed`](Self::embed).
    pub fn rerank(&self, call: Rerank) -> Result<Ranking> {
        self.call(call)
    }

    /// Classifies texts, and waits for their classes.
    ///
    /// # Errors
    ///
    /// As [`embed`](Self::embed).
    pub fn classify(&self, call: Classify) -> Result<Classifications> {
        self.call(call)
    }

    /// Sends each payload in a request of its own, and waits for the answers.
    ///
    /// # Errors
    ///
    /// As [`embed`](Self::embed).
    pub fn post(&self, call: BatchPost) -> Result<PostAnswers> {
        self.call(call)
    }

    /// Sets a call under way, to be waited for in steps: a thread that has other duties meanwhile
    /// (signals, say) waits a little at a time. Dropping what is returned aborts the call.
    ///
    /// ```no_run
    /// # fn example(client: hedgerow::BlockingClient, told_to_stop: fn() -> bool) -> hedgerow::Result<()> {
    /// use hedgerow::Embed;
    /// use std::time::{Duration, Instant};
    ///
    /// let mut waiting = client.begin_embed(Embed::new(["one", "two"], "my-model"))?;
    /// let embeddings = loop {
    ///     if let Some(answer) = waiting.wait_for(Duration::from_millis(50)) {
    ///         break answer?;
    ///     }
    ///     if told_to_stop() {
    ///         return Ok(());
    ///     }
    /// };
    /// # drop(embeddings);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When a setting is bad ([`is_config`](Error::is_config)), or the token was cancelled before.
    pub fn begin_embed(&self, call: Embed) -> Result<Waiting<Embeddings>> {
        self.begin(call)
    }

    /// [`rerank`](Self::rerank), to be waited for in steps; see [`begin_embed`](Self::begin_embed).
    ///
    /// # Errors
    ///
    /// As [`begin_embed`](Self::begin_embed).
    pub fn begin_rerank(&self, call: Rerank) -> Result<Waiting<Ranking>> {
        self.begin(call)
    }

    /// [`classify`](Self::classify), to be waited for in steps; see
    /// [`begin_embed`](Self::begin_embed).
    ///
    /// # Errors
    ///
    /// As [`begin_embed`](Self::begin_embed).
    pub fn begin_classify(&self, call: Classify) -> Result<Waiting<Classifications>> {
        self.begin(call)
    }

    /// [`post`](Self::post), to be waited for in steps; see [`begin_embed`](Self::begin_embed).
    ///
    /// # Errors
    ///
    /// As [`begin_embed`](Self::begin_embed).
    pub fn begin_post(&self, call: BatchPost) -> Result<Waiting<PostAnswers>> {
        self.begin(call)
    }

    fn call<C: Call>(&self, call: C) -> Result<C::Answer> {
        refuse_inside_runtime()?;
        self.begin(call)?.wait()
    }

    fn begin<C: Call>(&self, call: C) -> Result<Waiting<C::Answer>> {
        let (port, answer) = bounded(1);
        let mut job = call.into_job(self.client.endpoint(), ReplyPort::Blocking(port))?;
        let listener = job.listen();
        let system = self.client.system().clone();
        let submitted = Some(system.submit(job)?);
        Ok(Waiting {
            submitted,
            answer,
            listener,
            system,
        })
    }

    /// Asks for the embeddings of any number of inputs, and gives them batch by batch; see
    /// [`Client::embed_stream`]. Each step of the iterator waits for a batch.
    ///
    /// ```no_run
    /// # fn example(client: hedgerow::BlockingClient) -> hedgerow::Result<()> {
    /// use hedgerow::Embed;
    /// use std::io::BufRead;
    ///
    /// let lines = std::io::stdin().lock().lines().map_while(Result::ok);
    /// for batch in client.embed_iter(lines, Embed::template("my-model")) {
    ///     let batch = batch?;
    ///     println!("{:?}: {} rows", batch.inputs, batch.embeddings.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn embed_iter<I>(&self, inputs: I, call: Embed) -> EmbedIter<I::IntoIter>
    where
        I: IntoIterator<Item: Into<String>>,
    {
        let inputs = futures_util::stream::iter(inputs);
        EmbedIter {
            batches: self.client.embed_stream(inputs, call),
        }
    }

    /// What the client's actor system did since it started.
    ///
    /// # Errors
    ///
    /// When the system was shut down, and [`Error::is_inside_runtime`].
    pub fn metrics(&self) -> Result<MetricsSnapshot> {
        refuse_inside_runtime()?;
        let (port, answer) = bounded(1);
        let system = self.client.system();
        system.snapshot(ReplyPort::Blocking(port));
        wait(&answer)
    }

    /// The async facade of the same client.
    #[must_use]
    pub fn as_async(&self) -> &Client {
        &self.client
    }
}

/// The batches of a long job, one after another; made by [`BlockingClient::embed_iter`].
///
/// On a thread that an async runtime needs, its item is an error
/// ([`Error::is_inside_runtime`]).
#[derive(Debug)]
pub struct EmbedIter<I> {
    batches: EmbedStream<Iter<I>>,
}

impl<I: Iterator<Item: Into<String>>> EmbedIter<I> {
    /// Gives the batches in the order of their inputs. Default: as they finish.
    #[must_use]
    pub fn in_order(self) -> Self {
        let batches = self.batches.in_order();
        Self { batches }
    }
}

impl<I: Iterator<Item: Into<String>>> Iterator for EmbedIter<I> {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        match refuse_inside_runtime() {
            Ok(()) => futures_executor::block_on(self.batches.next()),
            Err(error) => Some(Err(error)),
        }
    }
}

/// A call that is under way, as a thread waits for it; made by [`BlockingClient::begin_embed`] and
/// its like. Dropping it aborts the call.
#[must_use = "dropping it aborts the call"]
pub struct Waiting<T> {
    /// `None` once the call has been answered.
    submitted: Option<Submitted>,
    answer: Receiver<Result<T>>,
    listener: Option<(OnProgress, watch::Receiver<Progress>)>,
    system: System,
}

impl<T> Waiting<T> {
    /// Waits for the answer.
    ///
    /// # Errors
    ///
    /// As the call that it is of, and [`Error::is_inside_runtime`].
    pub fn wait(mut self) -> Result<T> {
        loop {
            if let Some(answer) = self.wait_for(Duration::MAX) {
                return answer;
            }
        }
    }

    /// Waits for the answer, but no longer than that; `None` where it has not come. The function
    /// that wants to be told of progress ([`Preference::on_progress`](crate::Preference)) is called
    /// meanwhile.
    pub fn wait_for(&mut self, longest: Duration) -> Option<Result<T>> {
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        if let Err(error) = refuse_inside_runtime() {
            return Some(Err(error));
        }
        let began = Instant::now();
        loop {
            let left = longest.saturating_sub(began.elapsed());
            let step = match &self.listener {
                Some(_) => left.min(LOOK_EVERY),
                None => left,
            };
            let received = self.answer.recv_timeout(step);
            self.tell();
            match received {
                Ok(answer) => {
                    self.submitted = None;
                    return Some(answer);
                }
                // The port was dropped unanswered: it belonged to a system that is no more.
                Err(RecvTimeoutError::Disconnected) => return Some(Err(Error::new(Kind::Closed))),
                Err(RecvTimeoutError::Timeout) if step == left => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Calls the caller's function if there is news.
    fn tell(&mut self) {
        if let Some((callback, progress)) = &mut self.listener
            && progress.has_changed().unwrap_or(true)
        {
            let latest = *progress.borrow_and_update();
            callback.call(latest);
        }
    }

    /// Ends the call: its sockets are closed, and it is answered with an error that
    /// [`is_cancelled`](Error::is_cancelled), with what had finished inside it.
    pub fn cancel(&self) {
        self.end(Reason::Cancelled);
    }

    fn end(&self, reason: Reason) {
        if let Some(Submitted { id, .. }) = self.submitted {
            self.system.cancel(Cancel { id, reason });
        }
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        self.end(Reason::Abandoned);
    }
}

impl<T> fmt::Debug for Waiting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("waiting", &self.submitted.is_some())
            .finish_non_exhaustive()
    }
}
