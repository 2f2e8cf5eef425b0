//! The body of an answer.

use super::session::Stream;
use crate::transport::{ReadBody, TransportError};
use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use std::task::{Context, Poll, ready};

/// The body of an answer.
pub(super) struct Http2Body {
    pub(super) body: RecvStream,
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
