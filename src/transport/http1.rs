//! HTTP/1.1 over awc, with what that library leaves open closed here.
//!
//! Closed: no redirect is followed (a key never travels to another host); its own timeout, its
//! limit of connections and its body limit are off, since Workers keep all three; a body that ends
//! early is an error. What it misreads in heads is put right below it, in `stream.rs`.

use super::connect::Connector;
use super::{Body, Head, Request, Response, TlsSettings, Transport, TransportError};
use crate::error::Result as Checked;
use crate::operation::Headers;
use actix_http::HttpMessage;
use awc::error::{ConnectError, SendRequestError};
use awc::http::header as awc_header;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use http::{HeaderName, HeaderValue, Method};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Frozen heads that are kept; a program has a handful of endpoints.
const MOST_FROZEN: usize = 64;
/// A kept-alive connection is not used again after so long: below the 60 s after which common
/// load balancers close it.
const IDLE: Duration = Duration::from_secs(55);
/// A connection is replaced after so long, so that a change of address is noticed.
const LIFETIME: Duration = Duration::from_mins(10);

/// What an HTTP/1.1 transport is made from.
#[derive(Debug, Clone)]
pub struct Http1Settings {
    /// The longest that opening a connection may take, names and TLS included. Default 4 s.
    pub connect_timeout: Duration,
    /// Which servers are trusted.
    pub tls: TlsSettings,
}

impl Default for Http1Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(4),
            tls: TlsSettings::default(),
        }
    }
}

impl Http1Settings {
    /// A factory that makes one transport a Worker, all with the same TLS configuration.
    ///
    /// # Errors
    ///
    /// When the TLS settings cannot be used.
    pub fn factory(&self) -> Checked<super::TransportFactory> {
        let tls = self.tls.build()?;
        let connect_timeout = self.connect_timeout;
        Ok(Arc::new(move || {
            Rc::new(Http1::new(connect_timeout, Arc::clone(&tls)))
        }))
    }
}

/// The transport of one Worker.
pub struct Http1 {
    pools: Rc<RefCell<Rc<Pools>>>,
}

impl fmt::Debug for Http1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1").finish_non_exhaustive()
    }
}

impl Http1 {
    fn new(connect_timeout: Duration, tls: Arc<rustls::ClientConfig>) -> Self {
        let pools = Pools::new(Connector::default(), connect_timeout, tls);
        Self {
            pools: Rc::new(RefCell::new(Rc::new(pools))),
        }
    }
}

/// Kept connections, a client of the library's for each scheme: it tells them apart by host and
/// port alone, and takes both kinds for plain, since TLS is made below it.
struct Pools {
    plain: awc::Client,
    secure: awc::Client,
    frozen: RefCell<FrozenHeads>,
    connector: Connector,
    connect_timeout: Duration,
    tls: Arc<rustls::ClientConfig>,
}

impl Pools {
    fn new(
        connector: Connector,
        connect_timeout: Duration,
        tls: Arc<rustls::ClientConfig>,
    ) -> Self {
        Self {
            plain: client(connector.clone(), connect_timeout),
            secure: client(connector.secure(Arc::clone(&tls)), connect_timeout),
            frozen: RefCell::default(),
            connector,
            connect_timeout,
            tls,
        }
    }

    /// Where a connection turned out to have died while it was idle, all idle ones are given up:
    /// what took one (a restart, a NAT that forgot) took the others, and a retry would meet them
    /// one after the other. Requests under way keep theirs.
    fn renew_if_stale(self: &Rc<Self>, current: &RefCell<Rc<Self>>) {
        let mut current = current.borrow_mut();
        if self.connector.met_stale() && Rc::ptr_eq(self, &current) {
            let (connector, tls) = (self.connector.renewed(), Arc::clone(&self.tls));
            *current = Rc::new(Self::new(connector, self.connect_timeout, tls));
        }
    }
}

fn client(connector: Connector, connect_timeout: Duration) -> awc::Client {
    let connector = awc::Connector::new()
        .connector(connector)
        .timeout(connect_timeout)
        .limit(0)
        .conn_keep_alive(IDLE)
        .conn_lifetime(LIFETIME);
    awc::Client::builder()
        .connector(connector)
        .disable_timeout()
        .disable_redirects()
        .no_default_headers()
        .finish()
}

impl Transport for Http1 {
    fn send(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, TransportError>> {
        let current = Rc::clone(&self.pools);
        async move {
            let is_head = request.head.method == Method::HEAD;
            let pools = Rc::clone(&*current.borrow());
            let head = pools.frozen.borrow_mut().get(&pools, &request.head)?;
            let mut extra = awc_header::HeaderMap::with_capacity(request.headers.len() + 1);
            for (name, value) in &request.headers {
                let (name, value) = converted(name, value)?;
                extra.insert(name, value);
            }
            let builder = head.extra_headers(extra);
            let sending = match request.body {
                Some(body) => builder.send_body(body),
                None => builder.send(),
            };
            let mut answer = sending.await.map_err(|cause| {
                pools.renew_if_stale(&current);
                from_awc(cause)
            })?;
            let status = answer.status().as_u16();
            let headers = Headers::from_pairs(
                answer
                    .headers()
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_bytes())),
            );
            let content_length = content_length(answer.headers());
            let bodiless = is_head || matches!(status, 204 | 304);
            let body = if bodiless {
                futures_util::stream::empty().boxed_local()
            } else {
                counted(content_length, &mut answer)?
            };
            Ok(Response {
                status,
                headers,
                content_length: content_length.filter(|_| !bodiless),
                body,
            })
        }
        .boxed_local()
    }
}

/// Heads in the form that the library sends fastest, by the identity of what they come from. The
/// `Arc` that is kept beside one keeps its address from being given to another.
#[derive(Default)]
struct FrozenHeads {
    heads: HashMap<usize, (Arc<Head>, awc::FrozenClientRequest)>,
}

impl FrozenHeads {
    fn get(
        &mut self,
        pools: &Pools,
        head: &Arc<Head>,
    ) -> Result<awc::FrozenClientRequest, TransportError> {
        let identity = Arc::as_ptr(head) as usize;
        if let Some((_, frozen)) = self.heads.get(&identity) {
            return Ok(frozen.clone());
        }
        let frozen = freeze(pools, head)?;
        if self.heads.len() >= MOST_FROZEN {
            self.heads.clear();
        }
        let entry = (Arc::clone(head), frozen.clone());
        self.heads.insert(identity, entry);
        Ok(frozen)
    }
}

fn freeze(pools: &Pools, head: &Head) -> Result<awc::FrozenClientRequest, TransportError> {
    let bad = |cause: String| TransportError::BadRequest(cause);
    let method = awc::http::Method::from_bytes(head.method.as_str().as_bytes())
        .map_err(|cause| bad(cause.to_string()))?;
    let mut request = match head.url.strip_prefix("https://") {
        Some(rest) => pools.secure.request(method, format!("http://{rest}")),
        None => pools.plain.request(method, &*head.url),
    };
    for (name, value) in &head.headers {
        request = request.insert_header(converted(name, value)?);
    }
    request.freeze().map_err(|cause| bad(cause.to_string()))
}

/// From the `http` crate that this crate speaks to the older one that awc speaks.
fn converted(
    name: &HeaderName,
    value: &HeaderValue,
) -> Result<(awc_header::HeaderName, awc_header::HeaderValue), TransportError> {
    let bad = |cause: String| TransportError::BadRequest(cause);
    let name = awc_header::HeaderName::from_bytes(name.as_str().as_bytes())
        .map_err(|cause| bad(cause.to_string()))?;
    let mut converted = awc_header::HeaderValue::from_bytes(value.as_bytes())
        .map_err(|cause| bad(cause.to_string()))?;
    converted.set_sensitive(value.is_sensitive());
    Ok((name, converted))
}

/// Wraps the library's body so that its length is checked.
fn counted(
    expected: Option<u64>,
    answer: &mut awc::ClientResponse,
) -> Result<Body, TransportError> {
    let framed = expected.is_some() || answer.headers().contains_key(awc_header::TRANSFER_ENCODING);
    if !framed && answer.version() == awc::http::Version::HTTP_11 {
        let cause = "it has neither content-length nor transfer-encoding";
        return Err(TransportError::Malformed(cause.to_owned()));
    }
    Ok(Box::pin(Counted {
        payload: answer.take_payload(),
        received: 0,
        expected,
    }))
}

fn content_length(headers: &awc_header::HeaderMap) -> Option<u64> {
    let value = headers.get(awc_header::CONTENT_LENGTH)?.to_str().ok()?;
    value.trim().parse().ok()
}

/// The library ends a body that was cut short as if it were whole: its bytes are counted.
struct Counted {
    payload: actix_http::Payload,
    received: u64,
    expected: Option<u64>,
}

impl Stream for Counted {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = match ready!(self.payload.poll_next_unpin(cx)) {
            Some(Ok(chunk)) => {
                self.received += chunk.len() as u64;
                Some(Ok(chunk))
            }
            Some(Err(cause)) => Some(Err(TransportError::Broken(cause.to_string()))),
            None => match self.expected {
                Some(expected) if self.received < expected => {
                    Some(Err(TransportError::Truncated {
                        received: self.received,
                        expected,
                    }))
                }
                _ => None,
            },
        };
        Poll::Ready(item)
    }
}

/// The library's errors are not `Send`, and name some breaks of a used connection as failures to
/// connect.
fn from_awc(error: SendRequestError) -> TransportError {
    match error {
        SendRequestError::Connect(ConnectError::Disconnected) => {
            TransportError::Broken("the server closed the connection before it answered".to_owned())
        }
        SendRequestError::Connect(ConnectError::Timeout) => {
            TransportError::Connect("connecting took too long (connect_timeout)".to_owned())
        }
        SendRequestError::Connect(ConnectError::Resolver(cause)) => {
            TransportError::Connect(cause.to_string())
        }
        SendRequestError::Connect(cause) => TransportError::Connect(cause.to_string()),
        SendRequestError::Send(cause) => TransportError::Broken(cause.to_string()),
        SendRequestError::Response(cause) => {
            use actix_http::error::ParseError;
            match cause {
                ParseError::Io(cause) => TransportError::Broken(cause.to_string()),
                // Whether the head was cut or is not HTTP cannot be told apart.
                other => TransportError::Malformed(other.to_string()),
            }
        }
        SendRequestError::Url(cause) => TransportError::BadRequest(cause.to_string()),
        SendRequestError::Http(cause) => TransportError::BadRequest(cause.to_string()),
        other => TransportError::Broken(other.to_string()),
    }
}
