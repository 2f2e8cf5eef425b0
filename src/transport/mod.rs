//! How one HTTP exchange is made. The only place that names an HTTP library.
//!
//! A Worker owns one transport; what it hands back holds no reference to the library's types.

mod body;

mod client;

mod own;

mod site;

mod http1;

mod http2;

mod connect;

mod proxy;

mod socket;

mod stale;

mod tls;

pub(crate) mod decompress;

pub use body::{Body, ReadBody};
pub(crate) use body::{read_beginning, read_body};
pub use client::{HttpSettings, HttpVersion};
pub(crate) use http1::plain as http1_plain;
pub use own::OwnHeaders;
pub(crate) use own::Trace;
pub use proxy::Proxy;
pub use stale::Stale;
pub use tls::TlsSettings;

use crate::operation::Headers;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http::header::{CONTENT_LENGTH, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Method};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// Makes HTTP exchanges. Each Worker has one of its own, on its own thread.
///
/// Dropping the future, or the body, must close the connection at once (HTTP/1.1) or reset the
/// stream (HTTP/2): that is how attempts are cancelled and time out.
pub trait Transport {
    /// Sends a request; the future ends when the head of the answer is there.
    fn send(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, TransportError>>;
}

/// Makes a transport on the thread of the Worker that will own it.
pub type TransportFactory = Arc<dyn Fn() -> Rc<dyn Transport> + Send + Sync>;

/// What all requests of an operation have in common.
pub struct Head {
    /// The HTTP method.
    pub method: Method,
    /// The absolute URL.
    pub url: Box<str>,
    /// Its scheme, host and port: what the endpoint is known by.
    pub origin: Arc<str>,
    /// Each name once. Those that hold a key or another secret are marked as sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Head {
    /// The headers that are sent. Where the body ends, the caller does not say: two lengths are how
    /// requests are smuggled. What the caller says to a proxy is not for the server at the end of
    /// a tunnel.
    fn sent_headers(&self, tunnelled: bool) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        self.headers.iter().filter(move |(name, _)| {
            let for_proxy = tunnelled && *name == PROXY_AUTHORIZATION;
            !for_proxy && *name != CONTENT_LENGTH && *name != TRANSFER_ENCODING
        })
    }

    /// `text` without the keys that these headers carry: a server may send them back in an error.
    pub(crate) fn without_key(&self, text: &str) -> Box<str> {
        let keys = self
            .headers
            .iter()
            .filter(|(_, value)| value.is_sensitive())
            .filter_map(|(_, value)| value.to_str().ok());
        let mut text = text.to_owned();
        for value in keys {
            redact_value(&mut text, value);
        }
        text.into_boxed_str()
    }
}

/// Takes the value of a header out of `text`, also without its scheme, such as "Bearer", and the
/// parts that it has, such as those of a cookie.
pub(crate) fn redact_value(text: &mut String, value: &str) {
    /// Shorter parts are found all over a text.
    const SHORTEST_PART: usize = 8;
    const SEPARATORS: [char; 3] = [' ', ';', ','];
    redact(text, value);
    let mut secret = value;
    if let Some((first, rest)) = value.split_once(' ') {
        redact(text, rest);
        if !first.contains(['=', ';', ',']) {
            secret = rest;
        }
    }
    for part in secret.split(SEPARATORS) {
        if part.len() < SHORTEST_PART && part != value {
            continue;
        }
        redact(text, part);
        if let Some((_, named)) = part.split_once('=') {
            redact(text, named.trim_matches(['"', '=']));
        }
    }
}

/// Takes `key` out of `text`, also where the text was cut within it.
fn redact(text: &mut String, key: &str) {
    /// Shorter ones are no secret, and would be found all over a text.
    const SHORTEST: usize = 4;
    const INSTEAD: &str = "***";
    if key.len() < SHORTEST {
        return;
    }
    if text.contains(key) {
        *text = text.replace(key, INSTEAD);
    }
    let end = text.trim_end_matches('…').len();
    let cut = (SHORTEST..key.len())
        .rev()
        .find(|most| text[..end].ends_with(&key[..*most]));
    if let Some(length) = cut {
        text.replace_range(end - length..end, INSTEAD);
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers of the caller's may hold keys under any name, and so may a query: none is shown.
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("Head")
            .field("method", &self.method)
            .field("url", &url)
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
    /// The connection broke before the answer was complete.
    Broken(String),
    /// A connection that had been kept for the request ended before any byte of an answer came:
    /// most often its server was closing it just then. The request may be sent again, once, over
    /// a [`fresh`](Request::fresh) one.
    Stale(Stale),
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
    /// The answer is not HTTP, or not decompressible.
    Malformed(String),
    /// The request could not be written as HTTP.
    BadRequest(String),
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(cause) | Self::Broken(cause) | Self::BadRequest(cause) => {
                f.write_str(cause)
            }
            Self::Stale(stale) => stale.fmt(f),
            Self::Truncated { received, expected } => {
                write!(f, "the body ended after {received} of {expected} bytes")
            }
            Self::TooLarge { limit } => write!(
                f,
                "the body is larger than the limit of {limit} bytes (max_response_bytes)"
            ),
            Self::Malformed(cause) => write!(f, "the answer cannot be read: {cause}"),
        }
    }
}

impl std::error::Error for TransportError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_out_of_a_text_whole_or_cut() {
        let header = |name, value| {
            let mut value = HeaderValue::from_static(value);
            value.set_sensitive(true);
            (HeaderName::from_static(name), value)
        };
        let head = Head {
            method: Method::POST,
            url: "http://h".into(),
            origin: "http://h".into(),
            headers: vec![
                header("authorization", "bearer sk-12345678"),
                header("x-other", "abcdefgh"),
                header("x-short", "1"),
                header("cookie", "id=0123456789; theme=dark; token=\"zyxwvut\""),
                header("x-one", "sid=qrstuvw"),
                header("x-dense", "a=13579bdf;b=2468ace0,c=1"),
                (
                    HeaderName::from_static("x-mode"),
                    HeaderValue::from_static("fast"),
                ),
            ],
        };
        for (text, expected) in [
            ("no key 1", "no key 1"),
            ("bad sk-12345678, bearer sk-12345678", "bad ***, ***"),
            ("abcdefgh: 1 abcdefgh", "***: 1 ***"),
            ("cut in sk-1234…", "cut in ***…"),
            ("cut in bearer sk", "cut in ***"),
            ("cut in abcdefg", "cut in ***"),
            ("0123456789, zyxwvut, qrstuvw", "***, ***, ***"),
            ("13579bdf and 2468ace0", "*** and ***"),
            ("not so fast", "not so fast"),
        ] {
            assert_eq!(&*head.without_key(text), expected);
        }
    }
}
