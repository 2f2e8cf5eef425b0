//! One connection: what is to be written to it, and what was read from it.

use super::head::{AnswerHead, HeadReader};
use crate::transport::TransportError;
use crate::transport::socket::Socket;
use bytes::buf::Chain;
use bytes::{Buf, Bytes};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use tokio::time::Instant;
use tokio_util::io::{poll_read_buf, poll_write_buf};

/// Room that is kept for what is read: most heads and small answers fit at once.
const ROOM: usize = 8 << 10;

/// A connection, and where it stands in its exchange.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    /// What is still to be written: a head, and a body that was too large to be copied behind it.
    outgoing: Chain<Bytes, Bytes>,
    flushed: bool,
    /// Why the peer takes no more bytes. It may still have answered.
    deaf: Option<io::Error>,
    /// What was read; `start` of it is used up.
    read: Vec<u8>,
    start: usize,
    pub(super) born: Instant,
    pub(super) idle_since: Option<Instant>,
}

impl Connection {
    pub(super) fn new(socket: Socket, now: Instant) -> Self {
        Self {
            socket,
            outgoing: Bytes::new().chain(Bytes::new()),
            flushed: true,
            deaf: None,
            read: Vec::with_capacity(ROOM),
            start: 0,
            born: now,
            idle_since: None,
        }
    }

    /// Whether it can be used for another request: all was written and read, and the peer has
    /// said nothing since.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.is_clean() && self.socket.is_quiet()
    }

    /// Whether all was written, and nothing was read that belongs to no answer.
    pub(super) fn is_clean(&self) -> bool {
        self.deaf.is_none() && !self.outgoing.has_remaining() && self.unread().is_empty()
    }

    /// Writes a request, and reads the head of its answer, which may come before all is written.
    pub(super) async fn exchange(
        &mut self,
        head: Bytes,
        body: Bytes,
    ) -> Result<AnswerHead, TransportError> {
        self.outgoing = head.chain(body);
        self.flushed = false;
        let mut reader = HeadReader::default();
        std::future::poll_fn(|cx| {
            loop {
                self.write(cx)?;
                if ready!(self.poll_fill(cx))? == 0 {
                    return Poll::Ready(Err(self.ended_early()));
                }
                if let Some((head, length)) = reader.read(self.unread())? {
                    self.consume(length);
                    return Poll::Ready(Ok(head));
                }
            }
        })
        .await
    }

    /// Writes what the peer takes now. One that closed its side may have answered nevertheless.
    pub(super) fn write(&mut self, cx: &mut Context<'_>) -> Result<(), TransportError> {
        while self.deaf.is_none() && !self.flushed {
            let written = if self.outgoing.has_remaining() {
                self.poll_write_some(cx)
            } else {
                let flushed = Pin::new(&mut self.socket).poll_flush(cx);
                self.flushed = flushed.is_ready();
                flushed
            };
            match written {
                Poll::Pending => break,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(cause)) if is_closed(&cause) => self.deaf = Some(cause),
                Poll::Ready(Err(cause)) => return Err(broken(&cause)),
            }
        }
        Ok(())
    }

    fn poll_write_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut socket = Pin::new(&mut self.socket);
        if self.outgoing.last_ref().has_remaining() {
            return poll_write_buf(socket, cx, &mut self.outgoing).map_ok(drop);
        }
        // A vectored write of one piece costs the kernel more than a plain one.
        let written = ready!(socket.as_mut().poll_write(cx, self.outgoing.chunk()))?;
        self.outgoing.advance(written);
        Poll::Ready(Ok(()))
    }

    /// Reads more into the connection's own buffer; 0 at the end.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, TransportError>> {
        if self.read.capacity() - self.read.len() < ROOM / 4 {
            self.read.reserve(ROOM);
        }
        let read = ready!(poll_read_buf(
            Pin::new(&mut self.socket),
            cx,
            &mut self.read
        ));
        Poll::Ready(read.map_err(|cause| broken(&cause)))
    }

    /// Reads at most `most` bytes straight into `into`; 0 at the end. Only while nothing is unread.
    pub(super) fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        most: usize,
    ) -> Poll<Result<usize, TransportError>> {
        use bytes::BufMut;
        let mut limited = into.limit(most);
        let read = ready!(poll_read_buf(Pin::new(&mut self.socket), cx, &mut limited));
        Poll::Ready(read.map_err(|cause| broken(&cause)))
    }

    /// What was read and not used.
    pub(super) fn unread(&self) -> &[u8] {
        &self.read[self.start..]
    }

    /// Marks bytes as used.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start == self.read.len() {
            self.start = 0;
            self.read.clear();
            self.read.shrink_to(2 * ROOM);
        }
    }

    fn ended_early(&self) -> TransportError {
        if let Some(cause) = &self.deaf {
            return broken(cause);
        }
        let what = if self.unread().is_empty() {
            "the server closed the connection before it answered"
        } else {
            "the server closed the connection within the head of its answer"
        };
        TransportError::Broken(what.to_owned())
    }
}

fn is_closed(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::WriteZero
    )
}

fn broken(cause: &io::Error) -> TransportError {
    TransportError::Broken(cause.to_string())
}
