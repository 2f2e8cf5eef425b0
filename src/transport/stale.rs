//! Kept connections that end under the next request.
//!
//! A server may close a kept connection at any time, and a request that is just then on its way
//! finds nobody. `http1` and `http2` say when that has happened ([`TransportError::Stale`]); here the
//! request is sent again, once, over a fresh connection (RFC 9112, section 9.3.1). Whether the server
//! had read the first is seen, where it can be, from how its socket refused it.

use super::socket::Socket;
use super::{Request, Response, Transport, TransportError};
use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// How a kept connection ended under a request, before any byte of an answer came.
#[derive(Clone)]
pub struct Stale {
    cause: Box<str>,
    evidence: Evidence,
}

/// What is known of whether the server read the request to its end.
#[derive(Clone)]
enum Evidence {
    /// It did not.
    Unread,
    /// All was written, and the socket may still hear that it was refused.
    Socket(Arc<Socket>),
    /// Nothing.
    None,
}

impl Stale {
    /// Not a byte of the request could be written, or others were refused.
    pub(super) fn unread(cause: String) -> Self {
        Self {
            cause: cause.into(),
            evidence: Evidence::Unread,
        }
    }

    /// All was written, to `socket` where that can be asked.
    pub(super) fn perhaps_read(cause: String, socket: Option<Socket>) -> Self {
        let socket = socket.map(|socket| Evidence::Socket(Arc::new(socket)));
        Self {
            cause: cause.into(),
            evidence: socket.unwrap_or(Evidence::None),
        }
    }

    /// Whether the server may have read the request to its end. Asked once, and late: a refusal
    /// takes as long as an answer to arrive.
    fn may_have_been_read(&self) -> bool {
        match &self.evidence {
            Evidence::Unread => false,
            Evidence::Socket(socket) => !socket.take_error().is_some_and(|it| refuses(&it)),
            Evidence::None => true,
        }
    }
}

/// An attempt's request on its way: sent, and again where a kept connection ended under it.
#[derive(Default)]
pub(crate) struct Sending {
    /// How a kept connection ended under it, after which it was sent again.
    stale: Cell<Option<Stale>>,
}

impl Sending {
    /// Sends what `request` makes, and again where a kept connection ended under it: once, over a
    /// fresh connection (which `request` is told), as the same attempt. Whatever its method: an
    /// attempt that fails on the network is made again anyway, by the retry policy, and a client of
    /// this kind is for requests that may be. `told` is what the log knows the attempt by.
    ///
    /// # Errors
    ///
    /// As [`Transport::send`].
    pub(crate) async fn send(
        &self,
        transport: &dyn Transport,
        request: impl Fn(bool) -> Request,
        told: impl FnOnce() -> String,
    ) -> Result<Response, TransportError> {
        let answer = transport.send(request(false)).await;
        let Err(TransportError::Stale(stale)) = answer else {
            return answer;
        };
        log::debug!("{}: {stale}; sent again over a fresh connection", told());
        self.stale.set(Some(stale));
        transport.send(request(true)).await
    }

    /// Whether it was sent twice, and a server may have read both. Asked once, when it has ended.
    pub(crate) fn may_have_been_read_twice(&self) -> bool {
        let stale = self.stale.take();
        stale.is_some_and(|stale| stale.may_have_been_read())
    }
}

/// Whether `cause` says that the peer had closed its socket and then refused what came: Linux
/// tells that as EPIPE. A refusal alone (ECONNRESET) may come after it has read all.
pub(super) fn refuses(cause: &io::Error) -> bool {
    cfg!(target_os = "linux") && cause.kind() == ErrorKind::BrokenPipe
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl fmt::Debug for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stale").field(&self.cause).finish()
    }
}

impl PartialEq for Stale {
    fn eq(&self, other: &Self) -> bool {
        self.cause == other.cause
    }
}

impl Eq for Stale {}
