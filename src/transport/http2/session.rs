//! The connections to one server, and their streams.

use crate::transport::TransportError;
use crate::transport::connect::{Connector, Opened};
use crate::transport::kept::{IDLE, LIFETIME};
use crate::transport::socket::Socket;
use crate::transport::way::Way;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{self, LocalBoxFuture, Shared, WeakShared};
use h2::client::{Connection, SendRequest};
use h2::{Ping, PingPong, Reason};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::BufReader;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// What a server may send of one answer before more is asked for: two of 128 x 1024 floats.
const STREAM_WINDOW: u32 = 4 << 20;
/// The same over all answers of a connection: as much as is in flight to a fast reader.
const CONNECTION_WINDOW: u32 = 64 << 20;
/// Larger frames than the least that a server must be allowed: large answers take fewer of them.
const FRAME: u32 = 256 << 10;
/// So much is read off a connection at once; `h2` alone would read frame by frame, which is 8 KiB
/// from nginx: a third to half of what a large answer costs.
const READ: usize = 256 << 10;
/// A longer head of an answer is refused.
const LONGEST_HEAD: u32 = 128 << 10;
/// So many streams that were given up are remembered, for what is still on its way to them: as
/// many as an operation has in flight.
const MOST_GIVEN_UP: usize = 1024;
/// While streams are open, the server is asked so often whether it is still there, and given so
/// long to say so: a connection that died silently would swallow all requests that come.
const PING_EVERY: Duration = Duration::from_secs(15);

/// A stream of a connection that has room for it; one is opened where there is none. `None` from a
/// server that speaks HTTP/1.1 alone.
pub(super) async fn stream(
    connector: &Connector,
    way: &Rc<Way>,
    sessions: &Rc<Sessions>,
) -> Result<Option<Stream>, TransportError> {
    loop {
        if sessions.refuses.get() {
            return Ok(None);
        }
        if let Some(stream) = sessions.stream() {
            return Ok(Some(stream));
        }
        let opening = sessions.opening(connector, way);
        opening.await?;
    }
}

/// The connections to one server.
#[derive(Default)]
pub(in crate::transport) struct Sessions {
    open: RefCell<Vec<Rc<Session>>>,
    /// A connection that is being opened, which all who want one wait for. It ends with them.
    opening: RefCell<Option<WeakShared<Open>>>,
    /// The server chose HTTP/1.1.
    refuses: Cell<bool>,
}

type Open = LocalBoxFuture<'static, Result<(), TransportError>>;

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("open", &self.open.borrow().len())
            .finish_non_exhaustive()
    }
}

/// One connection.
struct Session {
    sender: SendRequest<Bytes>,
    streams: Rc<Cell<usize>>,
    /// No more streams can be opened on it.
    closed: Rc<Cell<bool>>,
    /// It has had no request yet.
    new: Cell<bool>,
    /// It has brought an answer.
    answered: Cell<bool>,
    /// It was used and then idle, and has brought no answer since.
    silent: Cell<bool>,
    born: Instant,
    /// When its last stream ended, if it has none.
    idle_since: Cell<Instant>,
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

    /// Whether it is of no more use.
    fn is_over(&self) -> bool {
        let is_old = || {
            let aged = self.born.elapsed() >= LIFETIME;
            aged || self.idle_since.get().elapsed() >= IDLE
        };
        self.closed.get() || (self.streams.get() == 0 && is_old())
    }
}

impl Sessions {
    /// A stream of a connection that has room for one.
    fn stream(&self) -> Option<Stream> {
        let mut open = self.open.borrow_mut();
        open.retain(|session| !session.is_over());
        let mut with_room = open.iter().filter(|session| session.has_room());
        with_room.find_map(Stream::on)
    }

    /// Closes those that are of no more use, and says whether others are left.
    pub(in crate::transport) fn sweep(&self) -> bool {
        let mut open = self.open.borrow_mut();
        open.retain(|session| !session.is_over());
        !open.is_empty()
    }

    fn opening(self: &Rc<Self>, connector: &Connector, way: &Rc<Way>) -> Shared<Open> {
        let mut opening = self.opening.borrow_mut();
        if let Some(opening) = opening.as_ref().and_then(WeakShared::upgrade) {
            return opening;
        }
        let begun = open(connector.clone(), Rc::clone(way), Rc::clone(self));
        let begun = begun.boxed_local().shared();
        *opening = begun.downgrade();
        begun
    }
}

/// Opens a connection and adds it to the others.
async fn open(
    connector: Connector,
    way: Rc<Way>,
    sessions: Rc<Sessions>,
) -> Result<(), TransportError> {
    let result = open_for(&connector, &way, &sessions).await;
    *sessions.opening.borrow_mut() = None;
    result
}

async fn open_for(
    connector: &Connector,
    way: &Way,
    sessions: &Sessions,
) -> Result<(), TransportError> {
    let opened = connector.open_for_http2(way, async |opened: Opened| {
        let agreed = !way.target.secure || opened.speaks_http2;
        Ok(if agreed {
            Some(begin(opened.socket).await?)
        } else {
            None
        })
    });
    match opened.await? {
        Some(session) => sessions.open.borrow_mut().push(Rc::new(session)),
        None => sessions.refuses.set(true),
    }
    Ok(())
}

async fn begin(socket: Socket) -> Result<Session, TransportError> {
    let failed = |cause: h2::Error| {
        TransportError::Connect(format!("no HTTP/2 can be spoken: {}", described(&cause)))
    };
    let handshake = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams(0)
        .max_concurrent_reset_streams(MOST_GIVEN_UP)
        .max_frame_size(FRAME)
        .max_header_list_size(LONGEST_HEAD)
        .enable_push(false)
        .handshake(BufReader::with_capacity(READ, socket));
    let (mut sender, mut connection) = handshake.await.map_err(failed)?;
    settled(&mut connection).await.map_err(failed)?;
    // One that takes no stream would be replaced for ever.
    std::future::poll_fn(|cx| sender.poll_ready(cx))
        .await
        .map_err(failed)?;
    let streams = Rc::<Cell<usize>>::default();
    let closed = Rc::<Cell<bool>>::default();
    let pings = connection.ping_pong();
    let driver = actix_rt::spawn({
        let (streams, closed) = (Rc::clone(&streams), Rc::clone(&closed));
        async move {
            let lost = pin!(until_lost(pings, &streams));
            if let future::Either::Left((Err(cause), _)) = future::select(connection, lost).await {
                log::debug!("an HTTP/2 connection ended: {}", described(&cause));
            }
            closed.set(true);
        }
    });
    Ok(Session {
        sender,
        streams,
        closed,
        new: Cell::new(true),
        answered: Cell::new(false),
        silent: Cell::new(false),
        born: Instant::now(),
        idle_since: Cell::new(Instant::now()),
        driver: driver.abort_handle(),
    })
}

/// Waits until the server has said how many streams it allows: what is sent before may be refused,
/// and one that speaks no HTTP/2 says something else.
async fn settled(connection: &mut Connection<BufReader<Socket>, Bytes>) -> Result<(), h2::Error> {
    std::future::poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.poll_unpin(cx) {
            return Poll::Ready(ended.and(Err(Reason::NO_ERROR.into())));
        }
        if connection.max_concurrent_send_streams() == 0 {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    })
    .await
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
pub(super) struct Stream {
    session: Rc<Session>,
    pub(super) sender: SendRequest<Bytes>,
    /// Whether it is the first on its connection.
    pub(super) is_first: bool,
}

impl Stream {
    /// `None` where the server takes no more, which is known as soon as its GOAWAY has come.
    fn on(session: &Rc<Session>) -> Option<Self> {
        let mut sender = session.sender.clone();
        let ready = sender.poll_ready(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(Err(_)) = ready {
            session.closed.set(true);
            return None;
        }
        let streams = session.streams.get();
        if streams == 0 {
            session.silent.set(session.answered.get());
        }
        session.streams.set(streams + 1);
        Some(Self {
            session: Rc::clone(session),
            sender,
            is_first: session.new.replace(false),
        })
    }

    /// The head of an answer has come.
    pub(super) fn answered(&self) {
        self.session.answered.set(true);
        self.session.silent.set(false);
    }

    /// Whether the connection had been kept without any stream, and has brought no answer since.
    pub(super) fn followed_idleness(&self) -> bool {
        self.session.silent.get()
    }

    /// Whether the connection has brought any answer.
    pub(super) fn has_answered(&self) -> bool {
        self.session.answered.get()
    }

    /// The connection's own trouble, and not this exchange's: nobody else is to meet it.
    pub(super) fn failed(&self, cause: &h2::Error) -> TransportError {
        if cause.is_go_away() || cause.is_io() {
            self.session.closed.set(true);
        }
        TransportError::Broken(described(cause))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let streams = &self.session.streams;
        streams.set(streams.get() - 1);
        if streams.get() == 0 {
            self.session.idle_since.set(Instant::now());
        }
    }
}

/// What went wrong, without the words that a server may add to it: they may quote a key.
fn described(cause: &h2::Error) -> String {
    let Some(reason) = cause.reason() else {
        return cause.to_string();
    };
    let what = match (cause.is_remote(), cause.is_reset()) {
        (true, true) => "the server reset the stream",
        (true, false) => "the server ended the connection",
        (false, _) => "the connection broke",
    };
    format!("{what}: {reason}")
}

#[cfg(test)]
mod tests;
