//! The body of an answer, read off its connection.

use super::chunks::Chunks;
use super::connection::Connection;
use super::head::Framing;
use super::pool::Pool;
use crate::transport::{ReadBody, TransportError};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// At most so much is read at a time, so that a limit is not passed by much.
const PIECE: usize = 1 << 20;
/// Room that is made for a body whose reader has made none.
const ROOM: usize = 16 << 10;

/// A body, with the connection that it comes from; at its end that goes back to its pool.
pub(super) struct Http1Body {
    connection: Option<Box<Connection>>,
    /// Where the connection goes afterwards, if it can be used again.
    pool: Option<Rc<Pool>>,
    left: Left,
    received: u64,
}

/// What is still to come.
enum Left {
    Bytes(u64),
    Chunks(Chunks),
    UntilClose,
}

impl Http1Body {
    pub(super) fn new(
        connection: Box<Connection>,
        framing: Framing,
        pool: Option<Rc<Pool>>,
    ) -> Self {
        let left = match framing {
            Framing::Empty => Left::Bytes(0),
            Framing::Length(length) => Left::Bytes(length),
            Framing::Chunked => Left::Chunks(Chunks::new()),
            Framing::UntilClose => Left::UntilClose,
        };
        let mut body = Self {
            connection: Some(connection),
            pool,
            left,
            received: 0,
        };
        body.release_at_end();
        body
    }

    /// Lets go of the connection when the body has ended.
    fn release_at_end(&mut self) {
        let ended = match &self.left {
            Left::Bytes(left) => *left == 0,
            Left::Chunks(chunks) => chunks.is_done(),
            Left::UntilClose => false,
        };
        if ended
            && let Some(connection) = self.connection.take()
            && let Some(pool) = self.pool.take()
        {
            pool.put(connection);
        }
    }

    /// Some bytes of data came.
    fn count(&mut self, count: usize) {
        let count = count as u64;
        self.received += count;
        match &mut self.left {
            Left::Bytes(left) => *left -= count,
            Left::Chunks(chunks) => chunks.took(count),
            Left::UntilClose => {}
        }
    }

    /// How many bytes of data may come next; 0 where something else does.
    fn allowed(&self) -> usize {
        let left = match &self.left {
            Left::Bytes(left) => *left,
            Left::Chunks(chunks) => chunks.data(),
            Left::UntilClose => u64::MAX,
        };
        usize::try_from(left).unwrap_or(usize::MAX).min(PIECE)
    }

    /// The connection has ended.
    fn end(&mut self) -> Result<usize, TransportError> {
        self.connection = None;
        match self.left {
            Left::UntilClose => Ok(0),
            Left::Bytes(left) => Err(TransportError::Truncated {
                received: self.received,
                expected: self.received + left,
            }),
            Left::Chunks(_) => Err(TransportError::Broken(
                "the connection ended before the last chunk".to_owned(),
            )),
        }
    }
}

impl ReadBody for Http1Body {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<Result<usize, TransportError>> {
        loop {
            let Some(connection) = &mut self.connection else {
                return Poll::Ready(Ok(0));
            };
            connection.write(cx)?;
            if let Left::Chunks(chunks) = &mut self.left {
                let used = chunks.advance(connection.unread())?;
                connection.consume(used);
            }
            self.release_at_end();
            let most = self.allowed();
            let Some(connection) = &mut self.connection else {
                return Poll::Ready(Ok(0));
            };
            let unread = connection.unread().len().min(most);
            if unread > 0 {
                into.extend_from_slice(&connection.unread()[..unread]);
                connection.consume(unread);
                self.count(unread);
                self.release_at_end();
                return Poll::Ready(Ok(unread));
            }
            if most == 0 {
                // The line of a chunk's size.
                if ready!(connection.poll_fill(cx))? == 0 {
                    return Poll::Ready(self.end());
                }
                continue;
            }
            if into.capacity() - into.len() < most.min(ROOM) {
                into.reserve(most.min(ROOM));
            }
            let read = ready!(connection.poll_read_into(cx, into, most))?;
            if read == 0 {
                return Poll::Ready(self.end());
            }
            self.count(read);
            self.release_at_end();
            return Poll::Ready(Ok(read));
        }
    }

    fn may_be_cut(&self) -> bool {
        matches!(self.left, Left::UntilClose)
    }

    fn can_wait(&self) -> bool {
        true
    }
}
