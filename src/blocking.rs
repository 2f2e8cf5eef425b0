//! The blocking facade: the calling thread waits for the answer to its message.

use crate::actor::{MetricsSnapshot, ReplyPort};
use crate::client::{Client, ClientBuilder};
use crate::error::{Error, Kind, Result};
use crate::operation::{Embed, Embeddings};
use crossbeam_channel::{Receiver, bounded};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use tokio::runtime::Handle;

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
        refuse_inside_runtime()?;
        let (port, answer) = bounded(1);
        let job = call.into_job(self.client.endpoint(), ReplyPort::Blocking(port))?;
        self.client.submit(job)?;
        wait(&answer)?
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

/// A port that is dropped unanswered belonged to a system that is no more.
pub(crate) fn wait<T>(answer: &Receiver<T>) -> Result<T> {
    answer.recv().map_err(|_| Error::new(Kind::Closed))
}

/// Errs on a thread that is running an async task. A thread that a runtime keeps for blocking
/// work (`spawn_blocking`, `web::block`) is fine.
pub(crate) fn refuse_inside_runtime() -> Result<()> {
    if Handle::try_current().is_ok() && is_running_a_task() {
        return Err(Error::new(Kind::InsideRuntime));
    }
    Ok(())
}

/// Tokio limits how much a task may do before it yields, and does not limit blocking threads. A
/// task's allowance is spent here to see whether there is one: 128 polls at the time of writing.
/// The task, which is about to get an error, merely yields earlier.
fn is_running_a_task() -> bool {
    const MORE_THAN_ANY_ALLOWANCE: usize = 1024;
    let mut context = Context::from_waker(Waker::noop());
    (0..MORE_THAN_ANY_ALLOWANCE).any(|_| {
        let yielding = pin!(tokio::task::consume_budget());
        yielding.poll(&mut context).is_pending()
    })
}
