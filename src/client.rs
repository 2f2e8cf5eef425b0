//! The async facade: turns a call into messages, on any runtime.

use crate::actor::{
    Cancel, Inspect, Job, MetricsSnapshot, OperationId, Progress, Reason, ReplyPort, System,
};
use crate::config::{ApiKey, BaseUrl};
use crate::error::{Error, Kind, Result};
use crate::operation::{Embed, Embeddings, Endpoint};
use actix::{Actor, Context, Handler, ResponseFuture};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use tokio::sync::oneshot;

/// Sends operations to an inference service. Cheap to clone; clones share one actor system.
///
/// It is used from any async runtime; [`BlockingClient`](crate::BlockingClient) is its twin for
/// threads. A program of actix's own can also start it as an actor and send it [`Embed`].
///
/// ```no_run
/// # async fn example() -> hedgerow::Result<()> {
/// use hedgerow::{Client, Embed};
///
/// let client = Client::builder("http://127.0.0.1:8000").api_key("sk-...").build()?;
/// let embeddings = client.embed(Embed::new(["one", "two"], "my-model")).await?;
/// assert_eq!(embeddings.len(), 2);
/// println!("{:?}", embeddings.row(0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    system: System,
    endpoint: Arc<Endpoint>,
}

impl Client {
    /// Begins a client of the service at `base_url`.
    pub fn builder(base_url: impl AsRef<str>) -> ClientBuilder {
        ClientBuilder {
            base_url: BaseUrl::parse(base_url.as_ref()),
            api_key: None,
            system: None,
        }
    }

    /// Asks for embeddings. The call is under way at once; dropping the returned future aborts it
    /// and closes its sockets.
    ///
    /// # Errors
    ///
    /// By the future: a bad setting ([`Error::is_config`]), or what became of the first request
    /// that failed for good.
    pub fn embed(&self, call: Embed) -> Pending<Embeddings> {
        let (port, receiver) = oneshot::channel();
        let job = call.into_job(&self.endpoint, ReplyPort::Async(port));
        let state = match job.and_then(|job| self.submit(job)) {
            Ok(id) => State::Waiting(id, receiver),
            Err(error) => State::Ended(Some(error)),
        };
        Pending {
            state,
            system: self.system.clone(),
        }
    }

    /// The actor system that carries out this client's operations.
    #[must_use]
    pub fn system(&self) -> &System {
        &self.system
    }

    /// What the client's actor system did since it started.
    ///
    /// # Errors
    ///
    /// When the system was shut down.
    pub async fn metrics(&self) -> Result<MetricsSnapshot> {
        self.system.metrics().await
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn submit(&self, job: Job) -> Result<OperationId> {
        self.system.submit(job)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.endpoint.base_url.as_str())
            .finish_non_exhaustive()
    }
}

/// For programs of actix's own: `let client = client.start()`, and send it [`Embed`].
impl Actor for Client {
    type Context = Context<Self>;
}

impl Handler<Embed> for Client {
    type Result = ResponseFuture<Result<Embeddings>>;

    fn handle(&mut self, call: Embed, _: &mut Self::Context) -> Self::Result {
        Box::pin(self.embed(call))
    }
}

/// Makes a [`Client`] or a [`BlockingClient`](crate::BlockingClient).
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    base_url: Result<BaseUrl>,
    api_key: Option<Result<ApiKey>>,
    system: Option<System>,
}

impl ClientBuilder {
    /// The bearer token of every request. Default: `BASETEN_API_KEY`, else `OPENAI_API_KEY` of
    /// the environment, else none.
    pub fn api_key(mut self, token: impl AsRef<str>) -> Self {
        self.api_key = Some(ApiKey::new(token));
        self
    }

    /// The actor system to use, with its connections; several clients can share one. Default: one
    /// of the client's own, with a Worker a core.
    pub fn system(mut self, system: System) -> Self {
        self.system = Some(system);
        self
    }

    /// Checks the settings and makes the client.
    ///
    /// # Errors
    ///
    /// When a setting is bad, or the client's own system cannot be started.
    pub fn build(self) -> Result<Client> {
        let base_url = self.base_url?;
        let api_key = match self.api_key {
            Some(key) => Some(key?),
            None => ApiKey::from_env()?,
        };
        let system = match self.system {
            Some(system) => system,
            None => System::builder().start()?,
        };
        Ok(Client {
            system,
            endpoint: Arc::new(Endpoint::new(base_url, api_key)),
        })
    }
}

/// The answer to a call that is under way. Dropping it aborts the call.
#[must_use = "dropping it aborts the call"]
pub struct Pending<T> {
    state: State<T>,
    system: System,
}

enum State<T> {
    Waiting(OperationId, oneshot::Receiver<Result<T>>),
    /// The call was refused before it began, or has been answered.
    Ended(Option<Error>),
}

impl<T> Pending<T> {
    /// How far the call is; `None` once it has ended.
    pub fn progress(&self) -> impl Future<Output = Option<Progress>> + Send + use<T> {
        let (port, receiver) = oneshot::channel();
        if let State::Waiting(id, _) = &self.state {
            let reply = ReplyPort::Async(port);
            self.system.inspect(Inspect { id: *id, reply });
        }
        async move { receiver.await.ok() }
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let answer = match &mut self.state {
            State::Waiting(_, receiver) => ready!(Pin::new(receiver).poll(cx)),
            State::Ended(refusal) => {
                let over = || Error::new(Kind::Internal("polled after its end".into()));
                return Poll::Ready(Err(refusal.take().unwrap_or_else(over)));
            }
        };
        self.state = State::Ended(None);
        // A port that is dropped unanswered belonged to a system that is no more.
        Poll::Ready(answer.unwrap_or_else(|_| Err(Error::new(Kind::Closed))))
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if let State::Waiting(id, _) = self.state {
            let reason = Reason::Abandoned;
            self.system.cancel(Cancel { id, reason });
        }
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = matches!(self.state, State::Waiting(..));
        f.debug_struct("Pending")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}
