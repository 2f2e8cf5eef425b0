//! The body of an answer.

use super::session::Stream;
use crate::transport::{ReadBody, TransportError};
use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use std::task::{Context, Poll, ready};

/// The body of an answer.
pub(super) struct Http2Body {
    pub(super) body: RecvStream,
    pub(super) received: u64,
    pub(super) announced: Option<u64>,
    /// An answer may come before its request has been sent whole.
    pub(super) sending: SendStream<Bytes>,
    pub(super) refused: bool,
    pub(super) stream: Stream,
}

impl Drop for Http2Body {
    fn drop(&mut self) {
        // What a server has refused it may never read; what was sent whole, this changes nothing of.
        if self.refused {
            self.sending.send_reset(Reason::CANCEL);
        }
    }
}

impl Http2Body {
    /// The end, where nothing but the announced length can tell whether it is one.
    fn end(&self) -> Result<usize, TransportError> {
        match self.announced {
            Some(expected) if self.received < expected => Err(TransportError::Truncated {
                received: self.received,
                expected,
            }),
            _ => Ok(0),
        }
    }
}

impl ReadBody for Http2Body {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<Result<usize, TransportError>> {
        loop {
            let piece = match ready!(self.body.poll_data(cx)) {
                Some(Ok(piece)) => piece,
                Some(Err(cause)) if is_no_failure(&cause) => return Poll::Ready(self.end()),
                Some(Err(cause)) => return Poll::Ready(Err(self.stream.failed(&cause))),
                None => return Poll::Ready(Ok(0)),
            };
            if piece.is_empty() {
                continue;
            }
            into.extend_from_slice(&piece);
            self.received += piece.len() as u64;
            let released = self.body.flow_control().release_capacity(piece.len());
            released.map_err(|cause| self.stream.failed(&cause))?;
            return Poll::Ready(Ok(piece.len()));
        }
    }
}

/// A server that has answered, and wants no more of the request, resets its stream so (RFC 9113,
/// section 8.1).
fn is_no_failure(cause: &h2::Error) -> bool {
    cause.is_reset() && cause.is_remote() && cause.reason() == Some(Reason::NO_ERROR)
}
