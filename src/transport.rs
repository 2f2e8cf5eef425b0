//! How one HTTP exchange is made. The only place that names an HTTP library.
//!
//! A Worker owns one transport; what it hands back holds no reference to the library's types.

mod account;

mod body;

mod client;

mod trace;

mod site;

mod way;

mod target;

mod kept;

mod recent;

mod sweep;

mod neighbours;

mod addresses;

pub(crate) mod http1;

mod http2;

mod connect;

mod proxy;

mod socket;

mod stale;

mod redirect;

mod refusal;

mod rate;

mod secret;

mod tls;

// Requests beside the data path.
#[cfg(feature = "bench")]
mod control;

pub(crate) mod decompress;

pub use account::Account;
pub(crate) use body::read_body;
pub use body::{Body, ReadBody};
pub use client::{HttpSettings, HttpVersion};
#[cfg(feature = "bench")]
pub(crate) use control::{Control, ControlAnswer};
pub use proxy::Proxy;
pub(crate) use rate::report as rate_report;
pub(crate) use redirect::sends_on;
pub(crate) use refusal::{Refusal, retry_after};
pub use secret::is_secret;
pub(crate) use secret::{redacted, sensitive};
pub(crate) use stale::send;
pub use tls::TlsSettings;
pub use trace::OwnHeaders;
pub(crate) use trace::Trace;

use crate::error::{Error, Kind};
use crate::headers::Headers;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Method};
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Makes HTTP exchanges. Each Worker has one of its own, on its own thread.
///
/// Dropping the future, or the body, must close the connection at once (HTTP/1.1) or reset the
/// stream (HTTP/2): that is how attempts are cancelled and time out.
pub trait Transport {
    /// Sends a request; the future ends when the head of the answer is there.
    fn send(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, TransportError>>;

    /// What is sent for longer than that is connected. Default 4 s.
    fn longest_connect(&self) -> Duration {
        HttpSettings::default().connect_timeout
    }
}

/// Makes a transport on the thread of the Worker that will own it.
pub type TransportFactory = Arc<dyn Fn() -> Rc<dyn Transport> + Send + Sync>;

/// What all requests of an operation have in common.
pub struct Head {
    /// The HTTP method.
    pub method: Method,
    /// The absolute URL.
    pub url: Box<str>,
    /// Scheme, host, port and key: whom its server's limits are for.
    pub account: Arc<Account>,
    /// Each name once. Those that hold a key or another secret are marked as sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    uncoded: OnceLock<Arc<Self>>,
}

impl Head {
    /// What requests to this URL have in common.
    #[must_use]
    pub fn new(
        method: Method,
        url: impl Into<Box<str>>,
        account: Arc<Account>,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Self {
        Self {
            method,
            url: url.into(),
            account,
            headers,
            uncoded: OnceLock::new(),
        }
    }

    /// The same, asking for no coding: base64 of numbers hardly shrinks, and to pack and unpack it takes
    /// longer than to send it. Where the caller says which codings it takes, the head itself.
    pub(crate) fn uncoded(self: &Arc<Self>) -> &Arc<Self> {
        if let Some(uncoded) = self.uncoded.get() {
            return uncoded;
        }
        let mut headers = self.headers.iter();
        let asked = headers
            .position(|(name, value)| *name == ACCEPT_ENCODING && value == decompress::ACCEPTED);
        let Some(place) = asked else {
            return self;
        };
        self.uncoded.get_or_init(|| {
            let mut headers = self.headers.clone();
            headers[place].1 = HeaderValue::from_static("identity");
            let account = Arc::clone(&self.account);
            Arc::new(Self::new(self.method.clone(), &*self.url, account, headers))
        })
    }

    /// The headers that are sent. Where the body ends, the caller does not say: two lengths are how
    /// requests are smuggled. What the caller says to a proxy is not for the server at the end of
    /// a tunnel.
    fn sent_headers(&self, tunnelled: bool) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        self.headers.iter().filter(move |(name, _)| {
            let for_proxy = tunnelled && *name == PROXY_AUTHORIZATION;
            !for_proxy && *name != CONTENT_LENGTH && *name != TRANSFER_ENCODING
        })
    }
}

impl Head {
    /// The URL without its query, which may hold a key.
    fn shown_url(&self) -> &str {
        self.url.split(['?', '#']).next().unwrap_or_default()
    }

    /// Method and URL, as errors name a request.
    pub(crate) fn told(&self) -> Box<str> {
        self.without_key(&format!("{} {}", self.method, self.shown_url()))
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers of the caller's may hold keys under any name: none is shown.
        f.debug_struct("Head")
            .field("method", &self.method)
            .field("url", &self.shown_url())
            .finish_non_exhaustive()
    }
}

/// One request.
#[derive(Debug)]
pub struct Request {
    /// What it shares with others. A transport may keep what it derives from this, by identity.
    pub head: Arc<Head>,
    /// The headers of this attempt alone, if it has any.
    pub own: Option<OwnHeaders>,
    /// The body; `None` sends none.
    pub body: Option<Bytes>,
    /// Over HTTP/1.1 it goes over a connection that no request has used: it met one before that
    /// was [`Stale`](TransportError::Stale).
    pub fresh: bool,
    /// It is not made again where it fails on the network: whether its server had read it is worth
    /// waiting for.
    pub last_try: bool,
}

/// One answer, whose body is still to be read.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers, with lower-case names.
    pub headers: Headers,
    /// The announced length of the body as sent, in bytes, where there is one.
    pub content_length: Option<u64>,
    /// The body as sent: still compressed where `content-encoding` says so. It ends in an error
    /// when it was cut short.
    pub body: Body,
    /// What the transport sent of its own that no error may show: the key to a proxy, which may
    /// send it back.
    pub secret: Option<HeaderValue>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// Why an exchange failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection: no such host, refused, no TLS. Nothing was sent.
    Connect(String),
    /// No connection either: the server's certificate is not trusted, and will not be in a while.
    Untrusted(String),
    /// No connection, for want of what this process or its machine has for one: descriptors, local
    /// ports, memory. It says nothing of the host. Nothing was sent.
    Exhausted(String),
    /// The connection broke before the answer was complete.
    Broken(String),
    /// A connection that had been kept for the request ended before any byte of an answer came:
    /// most often its server was closing it just then.
    Stale {
        /// How it ended.
        cause: String,
        /// The server is known not to have read the request, which may be sent again, once, over a
        /// [`fresh`](Request::fresh) one.
        unread: bool,
    },
    /// The body ended before its announced length.
    Truncated {
        /// Bytes that came.
        received: u64,
        /// Bytes that `content-length` announced.
        expected: u64,
    },
    /// The body is longer than the limit.
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The answer has more codings than are undone, or unfolds further than any that is meant well.
    Overpacked(String),
    /// The answer is not HTTP, or not decompressible.
    Malformed(String),
    /// The request could not be written as HTTP.
    BadRequest(String),
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted(cause) => {
                write!(f, "this process can have no more connections: {cause}")
            }
            Self::Connect(cause)
            | Self::Untrusted(cause)
            | Self::Broken(cause)
            | Self::Stale { cause, .. }
            | Self::BadRequest(cause) => f.write_str(cause),
            Self::Truncated { received, expected } => {
                write!(f, "the body ended after {received} of {expected} bytes")
            }
            Self::TooLarge { limit } => write!(
                f,
                "the body is larger than the limit of {limit} bytes (max_response_bytes)"
            ),
            Self::Overpacked(cause) => write!(f, "the answer is not unpacked: {cause}"),
            Self::Malformed(cause) => write!(f, "the answer cannot be read: {cause}"),
        }
    }
}

impl std::error::Error for TransportError {}

/// As callers are told.
impl From<TransportError> for Kind {
    fn from(cause: TransportError) -> Self {
        let text = cause.to_string().into();
        match cause {
            TransportError::Connect(_)
            | TransportError::Exhausted(_)
            | TransportError::Untrusted(_) => Self::Connect(text),
            TransportError::TooLarge { .. } | TransportError::Overpacked(_) => Self::Answer(text),
            TransportError::BadRequest(_) => Self::Config(text),
            TransportError::Broken(_)
            | TransportError::Stale { .. }
            | TransportError::Truncated { .. }
            | TransportError::Malformed(_) => Self::Network(text),
        }
    }
}

impl From<TransportError> for Error {
    fn from(cause: TransportError) -> Self {
        Self::new(cause.into())
    }
}
