//! One connection: what is to be written to it, and what was read from it.

use super::head::{AnswerHead, HeadReader, LastHead};
use crate::transport::TransportError;
use crate::transport::kept::{IDLE, LIFETIME};
use crate::transport::socket::Socket;
use bytes::{Buf, Bytes};
use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::time::Instant;
use tokio_util::io::{poll_read_buf, poll_write_buf};

/// Room that is kept for what is read: most heads and small answers fit at once.
const ROOM: usize = 8 << 10;
/// How often a refusal is looked for, where it is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A connection, and where it stands in its exchange.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    /// What is to be written: a head, of which `written` bytes are; then a body, if it was too large
    /// to be copied behind its head.
    head: Vec<u8>,
    written: usize,
    body: Bytes,
    flushed: bool,
    /// Why the peer takes no more bytes. It may still have answered.
    deaf: Option<io::Error>,
    /// What was read; `start` of it is used up.
    read: Vec<u8>,
    start: usize,
    born: Instant,
    /// When its last request was written.
    pub(super) began: Instant,
    /// A request was answered over it.
    pub(super) answered: bool,
    pub(super) idle_since: Option<Instant>,
}

impl Connection {
    pub(super) fn new(socket: Socket, now: Instant) -> Self {
        Self {
            socket,
            head: Vec::new(),
            written: 0,
            body: Bytes::new(),
            flushed: true,
            deaf: None,
            read: Vec::with_capacity(ROOM),
            start: 0,
            born: now,
            began: now,
            answered: false,
            idle_since: None,
        }
    }

    /// Whether it can be used for another request: it is not too old, all was written and read, and
    /// the peer has said nothing since.
    pub(super) fn is_usable(&mut self, now: Instant) -> bool {
        let is_old = self.idle_since.is_some_and(|since| now - since >= IDLE);
        let is_old = is_old || now - self.born >= LIFETIME;
        !is_old && self.is_clean() && self.socket.is_quiet()
    }

    /// Whether all was written, and nothing was read that belongs to no answer.
    pub(super) fn is_clean(&self) -> bool {
        self.deaf.is_none() && self.is_written() && self.unread().is_empty()
    }

    fn is_written(&self) -> bool {
        self.written == self.head.len() && self.body.is_empty()
    }

    /// Sets a request up: `write` writes its head, and gives the body that it did not write.
    pub(super) fn begin(&mut self, now: Instant, write: impl FnOnce(&mut Vec<u8>) -> Bytes) {
        self.began = now;
        self.head.clear();
        self.written = 0;
        self.body = write(&mut self.head);
        self.flushed = false;
    }

    /// Writes the request, and reads the head of its answer, which may come before all is written.
    /// `last` is the one that the server sent before.
    pub(super) async fn exchange(
        &mut self,
        last: &RefCell<LastHead>,
    ) -> Result<AnswerHead, TransportError> {
        let mut reader = HeadReader::default();
        std::future::poll_fn(|cx| {
            loop {
                self.write(cx)?;
                if ready!(self.poll_fill(cx))? == 0 {
                    return Poll::Ready(Err(self.ended_early()));
                }
                let known = last.borrow().recall(self.unread());
                if let Some((head, length)) = known {
                    self.consume(length);
                    return Poll::Ready(Ok(head));
                }
                if let Some((head, length)) = reader.read(self.unread())? {
                    last.borrow_mut().remember(&self.unread()[..length], &head);
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
            let written = if self.is_written() {
                let flushed = Pin::new(&mut self.socket).poll_flush(cx);
                self.flushed = flushed.is_ready();
                flushed
            } else {
                self.poll_write_some(cx)
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
        let head = &self.head[self.written..];
        let written = if self.body.is_empty() {
            // A vectored write of one piece costs the kernel more than a plain one.
            ready!(socket.as_mut().poll_write(cx, head))?
        } else {
            ready!(poll_write_buf(socket, cx, &mut head.chain(&mut self.body)))?
        };
        if written == 0 {
            return Poll::Ready(Err(ErrorKind::WriteZero.into()));
        }
        self.written = self.head.len().min(self.written + written);
        Poll::Ready(Ok(()))
    }

    /// Reads more into the connection's own buffer; 0 at the end.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, TransportError>> {
        if self.read.capacity() - self.read.len() < ROOM / 4 {
            // What is used up makes room first.
            self.read.drain(..self.start);
            self.start = 0;
            self.read.reserve(ROOM);
        }
        let read = ready!(poll_read_buf(
            Pin::new(&mut self.socket),
            cx,
            &mut self.read
        ));
        Poll::Ready(read.map_err(|cause| {
            let told = broken(&cause);
            if is_closed(&cause) {
                self.deaf = Some(cause);
            }
            told
        }))
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

    /// What it means that an exchange over a kept connection failed of `cause`. Whether the server had
    /// read the request is waited for as long as `patience`.
    pub(super) async fn stale_or(
        self,
        cause: TransportError,
        patience: Duration,
    ) -> TransportError {
        match cause {
            TransportError::Broken(cause) if self.unread().is_empty() => {
                let unread = self.written == 0 || self.was_refused(patience).await;
                TransportError::Stale { cause, unread }
            }
            other => other,
        }
    }

    /// Whether the peer had closed its socket before all of the request came, and refused what did. It
    /// says so after a round trip.
    async fn was_refused(&self, patience: Duration) -> bool {
        if let Some(cause) = &self.deaf {
            return refuses(cause);
        }
        let until = Instant::now() + patience;
        loop {
            if let Some(cause) = self.socket.take_error() {
                return refuses(&cause);
            }
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(LOOK_EVERY).await;
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

/// Whether `cause` says that the peer had closed its socket and then refused what came: Linux
/// tells that as EPIPE. A refusal alone (ECONNRESET) may come after it has read all.
fn refuses(cause: &io::Error) -> bool {
    cfg!(target_os = "linux") && cause.kind() == ErrorKind::BrokenPipe
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn what_is_used_up_makes_room_for_what_comes() {
        let (near, mut far) = tokio::io::duplex(ROOM);
        let socket = Socket::Layered(Box::new(near));
        let mut connection = Connection::new(socket, Instant::now());
        for _ in 0..1000 {
            far.write_all(&[0; 1000]).await.unwrap();
            let filled = std::future::poll_fn(|cx| connection.poll_fill(cx));
            assert!(filled.await.unwrap() > 0);
            // A part is always left, as of a line that is not whole.
            connection.consume(connection.unread().len() - 100);
        }
        assert!(connection.read.capacity() <= 4 * ROOM);
    }
}
