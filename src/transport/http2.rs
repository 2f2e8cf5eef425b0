//! HTTP/2: many exchanges over few connections.
//!
//! A server has one connection a Worker; another is opened when all streams that it allows on one
//! are in use. Dropping an exchange resets its stream and leaves the connection to the others.

use super::connect::Connector;
use super::site::{Prepared, Site};
use super::socket::Socket;
use super::{Head, ReadBody, Request, Response, TransportError};
use crate::operation::Headers;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{self, LocalBoxFuture, Shared};
use h2::client::SendRequest;
use h2::{Ping, PingPong, RecvStream, SendStream};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// What a server may send of one answer before more is asked for: two of 128 x 1024 floats.
const STREAM_WINDOW: u32 = 4 << 20;
/// The same over all answers of a connection: as much as is in flight to a fast reader.
const CONNECTION_WINDOW: u32 = 64 << 20;
/// Larger frames than the least that a server must be allowed: large answers take fewer of them.
const FRAME: u32 = 256 << 10;
/// A longer head of an answer is refused.
const LONGEST_HEAD: u32 = 128 << 10;
/// A connection is given no more streams after so long, so that a change of address is noticed.
const LIFETIME: Duration = Duration::from_mins(10);
/// While streams are open, the server is asked so often whether it is still there, and given so
/// long to say so: a connection that died silently would swallow all requests that come.
const PING_EVERY: Duration = Duration::from_secs(15);

/// The connections to one server.
#[derive(Default)]
pub(super) struct Sessions {
    open: RefCell<Vec<Rc<Session>>>,
    /// A connection that is being opened, which all who want one wait for.
    opening: RefCell<Option<Opening>>,
    /// The server chose HTTP/1.1.
    refuses: Cell<bool>,
}

type Opening = Shared<LocalBoxFuture<'static, Result<(), TransportError>>>;

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("open", &self.open.borrow().len())
            .finish_non_exhaustive()
    }
}

/// One connection.
pub(super) struct Session {
    sender: SendRequest<Bytes>,
    streams: Rc<Cell<usize>>,
    /// Nothing more can be sent over it.
    closed: Rc<Cell<bool>>,
    born: Instant,
    driver: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Session {
    fn has_room(&self) -> bool {
        let allowed = self.sender.current_max_send_streams().max(1);
        self.streams.get() < allowed && self.born.elapsed() < LIFETIME
    }
}

/// A connection that has room for another exchange; opened where there is none. `None` from a
/// server that speaks HTTP/1.1 alone.
pub(super) async fn session(
    connector: &Connector,
    site: &Rc<Site>,
) -> Result<Option<Stream>, TransportError> {
    let sessions = &site.http2;
    loop {
        if sessions.refuses.get() {
            return Ok(None);
        }
        if let Some(session) = sessions.with_room() {
            return Ok(Some(Stream::of(session)));
        }
        let opening = sessions.opening(connector, site);
        opening.await?;
    }
}

impl Sessions {
    fn with_room(&self) -> Option<Rc<Session>> {
        let mut open = self.open.borrow_mut();
        open.retain(|session| {
            let aged = session.born.elapsed() >= LIFETIME && session.streams.get() == 0;
            !session.closed.get() && !aged
        });
        open.iter().find(|session| session.has_room()).cloned()
    }

    fn opening(&self, connector: &Connector, site: &Rc<Site>) -> Opening {
        let mut opening = self.opening.borrow_mut();
        let connector = connector.clone();
        let site = Rc::downgrade(site);
        opening
            .get_or_insert_with(|| open(connector, site).boxed_local().shared())
            .clone()
    }
}

/// Opens a connection and adds it to its site's.
async fn open(connector: Connector, site: Weak<Site>) -> Result<(), TransportError> {
    let Some(site) = site.upgrade() else {
        return Ok(());
    };
    let result = open_for(&connector, &site).await;
    *site.http2.opening.borrow_mut() = None;
    result
}

async fn open_for(connector: &Connector, site: &Site) -> Result<(), TransportError> {
    let opened = connector.open_for_http2(site).await?;
    if site.target.secure && !opened.speaks_http2 {
        site.http2.refuses.set(true);
        return Ok(());
    }
    let session = begin(opened.socket).await?;
    site.http2.open.borrow_mut().push(Rc::new(session));
    Ok(())
}

async fn begin(socket: Socket) -> Result<Session, TransportError> {
    let handshake = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_header_list_size(LONGEST_HEAD)
        .enable_push(false)
        .handshake(socket);
    let (sender, mut connection) = handshake
        .await
        .map_err(|cause| TransportError::Connect(format!("no HTTP/2: {cause}")))?;
    let streams = Rc::<Cell<usize>>::default();
    let closed = Rc::<Cell<bool>>::default();
    let pings = connection.ping_pong();
    let driver = actix_rt::spawn({
        let (streams, closed) = (Rc::clone(&streams), Rc::clone(&closed));
        async move {
            let lost = pin!(until_lost(pings, &streams));
            if let future::Either::Left((Err(cause), _)) = future::select(connection, lost).await {
                log::debug!("an HTTP/2 connection ended: {cause}");
            }
            closed.set(true);
        }
    });
    Ok(Session {
        sender,
        streams,
        closed,
        born: Instant::now(),
        driver: driver.abort_handle(),
    })
}

/// Ends when the server no longer answers.
async fn until_lost(pings: Option<PingPong>, streams: &Cell<usize>) {
    let Some(mut pings) = pings else {
        return future::pending().await;
    };
    loop {
        tokio::time::sleep(PING_EVERY).await;
        if streams.get() == 0 {
            continue;
        }
        let answer = tokio::time::timeout(PING_EVERY, pings.ping(Ping::opaque())).await;
        if !matches!(answer, Ok(Ok(_))) {
            return;
        }
    }
}

/// A place on a connection, held until the exchange has ended.
pub(super) struct Stream(Rc<Session>);

impl Stream {
    fn of(session: Rc<Session>) -> Self {
        session.streams.set(session.streams.get() + 1);
        Self(session)
    }

    /// The connection's own trouble, and not this exchange's: nobody else is to meet it.
    fn failed(&self, cause: &h2::Error) -> TransportError {
        if cause.is_go_away() || cause.is_io() {
            self.0.closed.set(true);
        }
        broken(cause)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
    }
}

/// Makes one exchange.
pub(super) async fn send(
    stream: Stream,
    prepared: &Prepared,
    request: Request,
) -> Result<Response, TransportError> {
    let mut head = prepared.http2()?;
    for (own, name) in &prepared.own {
        let mut value = Vec::with_capacity(64);
        request.own.write(*own, &mut value);
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
            head.headers_mut().insert(name, value);
        }
    }
    if let Some(body) = &request.body {
        head.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    }
    let mut sender = stream.0.sender.clone();
    std::future::poll_fn(|cx| sender.poll_ready(cx))
        .await
        .map_err(|cause| stream.failed(&cause))?;
    let (answer, mut sending) = sender
        .send_request(head, request.body.is_none())
        .map_err(|cause| stream.failed(&cause))?;
    if let Some(body) = request.body {
        sending
            .send_data(body, true)
            .map_err(|cause| stream.failed(&cause))?;
    }
    let (parts, body) = answer
        .await
        .map_err(|cause| stream.failed(&cause))?
        .into_parts();
    let length = parts.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let pairs = || {
        let headers = parts.headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.as_bytes()))
    };
    Ok(Response {
        status: parts.status.as_u16(),
        headers: Headers::from_pairs(pairs),
        content_length: length.filter(|_| !body.is_end_stream()),
        body: Box::new(Http2Body {
            body,
            _sending: sending,
            stream,
        }),
    })
}

/// The part of a request that all with one head share.
pub(super) fn shared_head(head: &Head) -> Result<http::Request<()>, TransportError> {
    let bad = |cause: http::Error| TransportError::BadRequest(cause.to_string());
    let mut request = http::Request::builder()
        .method(head.method.clone())
        .uri(&*head.url)
        .version(http::Version::HTTP_2)
        .body(())
        .map_err(bad)?;
    for (name, value) in &head.headers {
        add(request.headers_mut(), name.clone(), value.clone());
    }
    Ok(request)
}

/// Adds a header, unless it concerns a connection, which HTTP/2 has no headers for (RFC 9113,
/// section 8.2.2). The host is in the URL.
fn add(headers: &mut http::HeaderMap, name: HeaderName, value: HeaderValue) {
    let of_connection = [
        CONNECTION,
        HOST,
        PROXY_AUTHENTICATE,
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    let named = ["keep-alive", "proxy-connection"];
    if !of_connection.contains(&name) && !named.contains(&name.as_str()) {
        headers.insert(name, value);
    }
}

/// The body of an answer.
struct Http2Body {
    body: RecvStream,
    /// An answer may come before its request has been sent whole.
    _sending: SendStream<Bytes>,
    stream: Stream,
}

impl ReadBody for Http2Body {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<Result<usize, TransportError>> {
        loop {
            let Some(piece) = ready!(self.body.poll_data(cx)) else {
                return Poll::Ready(Ok(0));
            };
            let piece = piece.map_err(|cause| self.stream.failed(&cause))?;
            if piece.is_empty() {
                continue;
            }
            into.extend_from_slice(&piece);
            let released = self.body.flow_control().release_capacity(piece.len());
            released.map_err(|cause| self.stream.failed(&cause))?;
            return Poll::Ready(Ok(piece.len()));
        }
    }
}

fn broken(cause: &h2::Error) -> TransportError {
    TransportError::Broken(cause.to_string())
}
