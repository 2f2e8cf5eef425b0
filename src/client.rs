//! The async facade: turns a call into messages, on any runtime.

use crate::actor::{MetricsSnapshot, System};
use crate::caller::ReplyPort;
use crate::config::{ApiKey, BaseUrl};
use crate::error::{Error, Result};
use crate::operation::{
    BatchPost, Call, Classifications, Classify, Embed, Embeddings, Endpoint, PostAnswers, Ranking,
    Rerank,
};
use crate::pending::Pending;
use crate::stream::EmbedStream;
use crate::transport::HttpSettings;
use actix::dev::{MessageResponse, OneshotSender};
use actix::{Actor, Context, Handler, Message};
use futures_util::Stream;
use futures_util::future::{self, Either, LocalBoxFuture};
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Sends operations to an inference service. Cheap to clone; clones share one actor system.
///
/// It is used from any async runtime; [`BlockingClient`](crate::BlockingClient) is its twin for
/// threads. A program of actix's own can also start it as an actor and send it the calls.
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
            api_key: KeySetting::Environment,
            system: None,
            http: None,
        }
    }

    /// Asks for embeddings. The call is under way at once; dropping the returned future aborts it
    /// and closes its sockets.
    ///
    /// # Errors
    ///
    /// By the future: a bad setting ([`is_config`](crate::Error::is_config)), or what became of the
    /// first request that failed for good.
    pub fn embed(&self, call: Embed) -> Pending<Embeddings> {
        self.call(call)
    }

    /// Scores texts by how well they answer a query; otherwise as [`embed`](Self::embed).
    ///
    /// # Errors
    ///
    /// As [`embed`](Self::embed).
    pub fn rerank(&self, call: Rerank) -> Pending<Ranking> {
        self.call(call)
    }

    /// Classifies texts; otherwise as [`embed`](Self::embed).
    ///
    /// # Errors
    ///
    /// As [`embed`](Self::embed).
    pub fn classify(&self, call: Classify) -> Pending<Classifications> {
        self.call(call)
    }

    /// Sends each payload in a request of its own; otherwise as [`embed`](Self::embed).
    ///
    /// # Errors
    ///
    /// As [`embed`](Self::embed).
    pub fn post(&self, call: BatchPost) -> Pending<PostAnswers> {
        self.call(call)
    }

    fn call<C: Call>(&self, call: C) -> Pending<C::Answer> {
        let (port, answer) = oneshot::channel();
        let job = call.into_job(&self.endpoint, ReplyPort::Async(port));
        Pending::new(&self.system, job, answer)
    }

    /// Asks for the embeddings of any number of inputs, as a stream of batches as they finish.
    /// Only a window of batches is in memory. `call` says what is asked ([`Embed::template`]); its
    /// own inputs are not looked at. An iterator becomes a stream by `futures_util::stream::iter`.
    ///
    /// Each batch is a call of its own to the budgets; the total timeout and the token are those
    /// of the whole job. The first error ends the stream, unless the preference says
    /// [`OnError::Return`](crate::OnError::Return): then failures are in the batches' `errors()`.
    ///
    /// ```no_run
    /// # async fn example(client: hedgerow::Client) -> hedgerow::Result<()> {
    /// use futures_util::StreamExt;
    /// use hedgerow::Embed;
    ///
    /// let lines = (0..10_000_000).map(|number| format!("line {number}"));
    /// let lines = futures_util::stream::iter(lines);
    /// let mut batches = client.embed_stream(lines, Embed::template("my-model")).in_order();
    /// while let Some(batch) = batches.next().await {
    ///     let batch = batch?;
    ///     println!("{:?}: {} rows", batch.inputs, batch.embeddings.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn embed_stream<S>(&self, inputs: S, call: Embed) -> EmbedStream<S>
    where
        S: Stream<Item: Into<String>>,
    {
        EmbedStream::new(
            self.system.clone(),
            Arc::clone(&self.endpoint),
            call,
            inputs,
        )
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
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.endpoint.base_url.as_str())
            .finish_non_exhaustive()
    }
}

/// For programs of actix's own: `let client = client.start()`, and send it [`Embed`], [`Rerank`],
/// [`Classify`] or [`BatchPost`]. A sender that stops waiting for the answer aborts its call.
impl Actor for Client {
    type Context = Context<Self>;
}

impl<C: Call> Handler<C> for Client {
    type Result = WhileAwaited<C::Result>;

    fn handle(&mut self, call: C, _: &mut Self::Context) -> Self::Result {
        WhileAwaited(Box::pin(self.call(call)))
    }
}

/// The answer to a message, which is worked on while its sender waits for it. A message that was
/// sent without waiting (`do_send`) is carried out to its end.
pub struct WhileAwaited<R>(LocalBoxFuture<'static, R>);

impl<A, M> MessageResponse<A, M> for WhileAwaited<M::Result>
where
    A: Actor,
    M: Message<Result: Send>,
{
    fn handle(self, _: &mut A::Context, sender: Option<OneshotSender<M::Result>>) {
        actix_rt::spawn(async move {
            let Some(mut sender) = sender else {
                drop(self.0.await);
                return;
            };
            let answer = {
                let gone = pin!(sender.closed());
                match future::select(self.0, gone).await {
                    Either::Left((answer, _)) => answer,
                    Either::Right(_) => return,
                }
            };
            drop(sender.send(answer));
        });
    }
}

impl<R> fmt::Debug for WhileAwaited<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WhileAwaited(..)")
    }
}

/// Makes a [`Client`] or a [`BlockingClient`](crate::BlockingClient).
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    base_url: Result<BaseUrl>,
    api_key: KeySetting,
    system: Option<System>,
    http: Option<HttpSettings>,
}

/// Where the key is from.
#[derive(Debug, Clone)]
enum KeySetting {
    Environment,
    None,
    Given(Result<ApiKey>),
}

impl ClientBuilder {
    /// The bearer token of every request. Default: `BASETEN_API_KEY`, else `OPENAI_API_KEY` of
    /// the environment, else none.
    pub fn api_key(mut self, token: impl AsRef<str>) -> Self {
        self.api_key = KeySetting::Given(ApiKey::new(token));
        self
    }

    /// Sends no key, whatever the environment has: for a server that asks for none, and is not to
    /// see that of another. A call may have a key of its own all the same
    /// ([`Preference::api_key`](crate::Preference::api_key)).
    pub fn without_api_key(mut self) -> Self {
        self.api_key = KeySetting::None;
        self
    }

    /// The actor system to use, with its connections; several clients can share one. Default: one
    /// of the client's own, with a Worker a core.
    pub fn system(mut self, system: System) -> Self {
        self.system = Some(system);
        self
    }

    /// How the connections of a system of the client's own are made: version of HTTP, proxy, TLS.
    /// Default: HTTP/1.1, and the proxy of the environment.
    ///
    /// ```no_run
    /// # fn example() -> hedgerow::Result<()> {
    /// use hedgerow::Client;
    /// use hedgerow::transport::{HttpSettings, HttpVersion, Proxy};
    ///
    /// let client = Client::builder("https://inference.example.com")
    ///     .http(HttpSettings {
    ///         version: HttpVersion::Http2,
    ///         proxy: Proxy::At("http://user:password@proxy.example.com:3128".into()),
    ///         ..HttpSettings::default()
    ///     })
    ///     .build()?;
    /// # drop(client);
    /// # Ok(())
    /// # }
    /// ```
    pub fn http(mut self, settings: HttpSettings) -> Self {
        self.http = Some(settings);
        self
    }

    /// Checks the base URL and the key, and starts nothing.
    ///
    /// # Errors
    ///
    /// When one is bad.
    pub fn validate(&self) -> Result<()> {
        self.base_url.as_ref().map_err(Error::clone)?;
        match &self.api_key {
            KeySetting::Given(Err(refused)) => Err(refused.clone()),
            _ => Ok(()),
        }
    }

    /// Checks the settings and makes the client.
    ///
    /// # Errors
    ///
    /// When a setting is bad, a system is given and settings of HTTP beside it, or the client's own
    /// system cannot be started.
    pub fn build(self) -> Result<Client> {
        let base_url = self.base_url?;
        let api_key = match self.api_key {
            KeySetting::Given(key) => Some(key?),
            KeySetting::None => None,
            KeySetting::Environment => ApiKey::from_env()?,
        };
        let system = match (self.system, self.http) {
            (Some(_), Some(_)) => {
                return Err(Error::config(
                    "a client takes a system, or HTTP settings for one of its own, and not both",
                ));
            }
            (Some(system), None) => system,
            (None, http) => System::builder().http(http.unwrap_or_default()).start()?,
        };
        Ok(Client {
            system,
            endpoint: Arc::new(Endpoint::new(base_url, api_key)),
        })
    }
}
