//! What can go wrong, as one opaque type with predicates.
//!
//! `Display` prints one level; the cause is reached by `source()`. No text holds an API key.

use crate::headers::Headers;
use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of an operation, or of one of its requests. Cheap to clone.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    /// Method and URL of the request that failed.
    request: Option<Box<str>>,
    request_id: Option<Box<str>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    /// The answer as far as it was when the call failed.
    partial: Option<Arc<dyn Any + Send + Sync>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// A value that the caller gave is out of range.
    Config(Box<str>),
    /// The server answered with a status that is not a success.
    Status {
        code: u16,
        headers: Headers,
        body: Box<str>,
        /// Where it sends the request, which was not followed.
        location: Option<Box<str>>,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
        /// Why it was not asked again: it asks for longer than this.
        too_long: Option<Duration>,
    },
    /// A request, or the whole operation, took too long.
    Timeout { scope: Scope, after: Duration },
    /// No connection could be made.
    Connect(Box<str>),
    /// The connection broke, or the answer ended early.
    Network(Box<str>),
    /// The answer is whole, and is not what was asked for.
    Answer(Box<str>),
    /// The caller's token was cancelled.
    Cancelled,
    /// The actor system has been shut down.
    Closed,
    /// As many operations are under way as the system takes in.
    Overloaded { most: usize },
    /// `BlockingClient` was called where it would stop an async runtime.
    InsideRuntime,
    /// A service was waited for, and was not ready in time.
    #[cfg(feature = "bench")]
    NotReady(Box<str>),
    /// A fault of this crate's own.
    Internal(Box<str>),
}

/// What ran out of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// One attempt of a request.
    Request,
    /// The operation as a whole.
    Operation,
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self(Arc::new(Inner {
            kind,
            request: None,
            request_id: None,
            source: None,
            partial: None,
        }))
    }

    /// A bad setting: `text` names the field, the value and the range.
    pub(crate) fn config(text: impl Into<Box<str>>) -> Self {
        Self::new(Kind::Config(text.into()))
    }

    /// `told` names the request that failed: its method and URL, without any key.
    pub(crate) fn with_request(mut self, told: Box<str>) -> Self {
        self.edit().request = Some(told);
        self
    }

    pub(crate) fn with_request_id(mut self, id: &str) -> Self {
        self.edit().request_id = Some(id.into());
        self
    }

    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.edit().source = Some(Arc::new(source));
        self
    }

    pub(crate) fn with_partial(mut self, partial: impl Any + Send + Sync) -> Self {
        self.edit().partial = Some(Arc::new(partial));
        self
    }

    /// What had finished when the call failed: an answer of the type that the call would have
    /// given, with the requests that failed in its `errors()`. `None` where the call failed before
    /// it began.
    ///
    /// ```no_run
    /// # fn example(client: hedgerow::BlockingClient, call: hedgerow::Embed) {
    /// use hedgerow::Embeddings;
    ///
    /// if let Err(error) = client.embed(call) {
    ///     if let Some(partial) = error.partial::<Embeddings>() {
    ///         let done = partial.requests().iter().filter(|request| request.attempts > 0);
    ///         println!("{} requests had finished", done.count());
    ///     }
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn partial<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.partial.as_deref()?.downcast_ref()
    }

    /// [`partial`](Self::partial), taken out. `None` also where a clone of the error still has it.
    #[must_use]
    pub fn into_partial<T: Any + Send + Sync>(mut self) -> Option<T> {
        let partial = self.edit().partial.take()?;
        Arc::into_inner(partial.downcast().ok()?)
    }

    fn edit(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }

    /// What kind of failure it is, in a word, for those who have a class or a counter a kind:
    /// `config`, `status`, `timeout`, `connect`, `network`, `answer`, `cancelled`, `closed`,
    /// `overloaded`, `inside_runtime` or `internal`. The predicates say the same.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.0.kind {
            Kind::Config(_) => "config",
            Kind::Status { .. } => "status",
            Kind::Timeout { .. } => "timeout",
            #[cfg(feature = "bench")]
            Kind::NotReady(_) => "timeout",
            Kind::Connect(_) => "connect",
            Kind::Network(_) => "network",
            Kind::Answer(_) => "answer",
            Kind::Cancelled => "cancelled",
            Kind::Closed => "closed",
            Kind::Overloaded { .. } => "overloaded",
            Kind::InsideRuntime => "inside_runtime",
            Kind::Internal(_) => "internal",
        }
    }

    /// A value that the caller gave was refused; nothing was sent.
    #[must_use]
    pub fn is_config(&self) -> bool {
        matches!(self.0.kind, Kind::Config(_))
    }

    /// A request, the whole operation, or the wait for a service, ran out of time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match self.0.kind {
            Kind::Timeout { .. } => true,
            #[cfg(feature = "bench")]
            Kind::NotReady(_) => true,
            _ => false,
        }
    }

    /// No connection could be made: no such host, refused, or a failed TLS handshake.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(self.0.kind, Kind::Connect(_))
    }

    /// The connection broke while a request was under way, or the answer ended early.
    #[must_use]
    pub fn is_network(&self) -> bool {
        matches!(self.0.kind, Kind::Network(_))
    }

    /// The server's answer was whole, but not what was asked for.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        matches!(self.0.kind, Kind::Answer(_))
    }

    /// The operation was cancelled by its token.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.kind, Kind::Cancelled)
    }

    /// The actor system was shut down before the operation ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.0.kind, Kind::Closed)
    }

    /// The actor system has as many operations under way as it takes in
    /// ([`SystemBuilder::max_operations`](crate::SystemBuilder::max_operations)). Nothing was sent.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        matches!(self.0.kind, Kind::Overloaded { .. })
    }

    /// A blocking call was made on a thread that an async runtime needs.
    #[must_use]
    pub fn is_inside_runtime(&self) -> bool {
        matches!(self.0.kind, Kind::InsideRuntime)
    }

    /// The HTTP status, where the server's answer was the failure.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.0.kind {
            Kind::Status { code, .. } => Some(code),
            _ => None,
        }
    }

    /// The body of the answer that was the failure (at most its first 64 KiB, as text). The error's own
    /// text has the first 1,000 characters of it.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        match &self.0.kind {
            Kind::Status { body, .. } => Some(body),
            _ => None,
        }
    }

    /// The headers of the answer that was the failure.
    #[must_use]
    pub fn headers(&self) -> Option<&Headers> {
        match &self.0.kind {
            Kind::Status { headers, .. } => Some(headers),
            _ => None,
        }
    }

    /// How long the server asks to be left alone, where its answer was the failure and says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.0.kind {
            Kind::Status { retry_after, .. } => retry_after,
            _ => None,
        }
    }

    /// The `x-baseten-customer-request-id` of the attempt that failed, for the server's logs.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }
}

/// So many characters are told of a text that others may have written. A server may send a whole
/// request back; [`Error::body`] has it.
const MOST_TOLD: usize = 1000;

/// A text, or its beginning.
struct Beginning<'a>(&'a str);

impl fmt::Display for Beginning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MOST_TOLD) {
            None => f.write_str(self.0),
            Some((end, _)) => write!(f, "{}…", &self.0[..end]),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(request) = &self.0.request {
            write!(f, "{request}: ")?;
        }
        match &self.0.kind {
            Kind::Config(text) => f.write_str(text)?,
            Kind::Status {
                code,
                body,
                location,
                retry_after,
                too_long,
                ..
            } => {
                let reason = http::StatusCode::from_u16(*code)
                    .ok()
                    .and_then(|status| status.canonical_reason())
                    .unwrap_or("Unknown Status");
                write!(f, "the server answered {code} {reason}")?;
                if let Some(location) = location {
                    write!(f, " to {}, which is not followed", Beginning(location))?;
                }
                if let (Some(asked), Some(most)) = (retry_after, too_long) {
                    let (asked, most) = (asked.as_secs_f64(), most.as_secs_f64());
                    write!(
                        f,
                        ", and asks for a pause of {asked} s, longer than {most} s \
                         (max_retry_after_s)"
                    )?;
                }
                if !body.is_empty() {
                    write!(f, ": {}", Beginning(body))?;
                }
            }
            Kind::Timeout { scope, after } => {
                let what = match scope {
                    Scope::Request => "a request (timeout_s)",
                    Scope::Operation => "the whole operation (total_timeout_s)",
                };
                write!(
                    f,
                    "local timeout: {what} took longer than {} s",
                    after.as_secs_f64()
                )?;
            }
            Kind::Connect(cause) => {
                write!(f, "no connection (Connect): {}", Beginning(cause))?;
            }
            Kind::Network(cause) => write!(f, "the connection broke: {}", Beginning(cause))?,
            Kind::Answer(cause) => {
                write!(
                    f,
                    "the answer is not what was asked for: {}",
                    Beginning(cause)
                )?;
            }
            Kind::Cancelled => f.write_str("the operation was cancelled")?,
            Kind::Closed => f.write_str("the actor system has been shut down")?,
            Kind::Overloaded { most } => write!(
                f,
                "{most} operations are under way, and the actor system takes in no more: wait for \
                 some to end, or put more inputs into each"
            )?,
            Kind::InsideRuntime => f.write_str(
                "BlockingClient was called on a thread of an async runtime, which it would stop; \
                 use Client there, or move the call to a thread of its own (spawn_blocking)",
            )?,
            #[cfg(feature = "bench")]
            Kind::NotReady(text) => f.write_str(text)?,
            Kind::Internal(cause) => write!(f, "internal error: {cause}")?,
        }
        match &self.0.request_id {
            Some(id) => write!(f, ". Request ID: {id}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.0.kind);
        if let Some(request) = &self.0.request {
            debug.field("request", request);
        }
        if let Some(id) = &self.0.request_id {
            debug.field("request_id", id);
        }
        if let Some(source) = &self.0.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}
