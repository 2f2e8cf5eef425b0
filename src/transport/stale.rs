//! Kept connections that end under the next request.
//!
//! A server may close a kept connection at any time, and a request that is just then on its way
//! finds nobody. The request is sent again, once, over a fresh connection (RFC 9112, section
//! 9.3.1). Whether the server had read the first is seen, where it can be, from how its socket
//! refused it.

use super::socket::Socket;
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
    pub(crate) fn may_have_been_read(&self) -> bool {
        match &self.evidence {
            Evidence::Unread => false,
            Evidence::Socket(socket) => !socket.take_error().is_some_and(|it| refuses(&it)),
            Evidence::None => true,
        }
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
