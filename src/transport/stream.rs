//! What the library reads from and writes to: a socket, plain or TLS, whose answers are put into
//! the form that it understands.
//!
//! Three things that servers do and HTTP/1.1 allows would go wrong in the library:
//!
//! - It takes an informational answer (1xx) for the answer, and gives the connection to the next
//!   request, which then reads the answer to this one. Such heads are taken out here.
//! - It takes an answer without a length, which ends with its connection (RFC 9112, section 6.3),
//!   for an empty one. In HTTP/1.0 it reads them: the version in their heads is changed to that.
//! - It does not read an answer that came before the request was written whole, as when a server
//!   refuses a body as too large and closes. An error while writing is kept back here; where
//!   there is no answer, reading gives the error again.

use actix_rt::net::{ActixStream, Ready};
use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// The library's own limit on a head. A longer one is given to it as it is, and it refuses it.
const LONGEST_HEAD: usize = 128 << 10;
/// A connection that breaks after so long without use broke for want of use, and not under load.
const IDLE: Duration = Duration::from_millis(500);
/// A larger buffer is not kept between answers.
const LARGEST_KEPT: usize = 16 << 10;

/// A socket.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Socket for T {}

/// A connection as the library sees it.
pub(super) struct Stream {
    socket: Box<dyn Socket>,
    /// Bytes that were read and not yet given on.
    held: Vec<u8>,
    phase: Phase,
    /// The peer takes no more bytes: what is written is dropped.
    deaf: bool,
    /// When the last byte of the last answer came; `None` before the first.
    quiet_since: Option<Instant>,
    /// The connection had been idle for long when the request under way was written.
    was_idle: bool,
    /// Told when such a connection turns out to be dead.
    stale: Rc<Cell<bool>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A head is expected. So many bytes of what is held are known not to end it.
    Head(usize),
    /// The head is through: bytes pass as they are until the next request is written.
    Rest,
}

impl Stream {
    pub(super) fn new(socket: impl Socket + 'static, stale: Rc<Cell<bool>>) -> Self {
        Self {
            socket: Box::new(socket),
            held: Vec::new(),
            phase: Phase::Rest,
            deaf: false,
            quiet_since: None,
            was_idle: false,
            stale,
        }
    }

    /// Looks for the end of a head in what is held, and passes or drops the head.
    fn examine(&mut self) {
        while let Phase::Head(searched) = self.phase {
            let blank = |byte: &u8| matches!(byte, b'\r' | b'\n');
            let start = self.held.iter().take_while(|byte| blank(byte)).count();
            let Some(end) = end_of_head(&self.held, searched.max(start)) else {
                // An end may begin in the last two bytes.
                self.phase = Phase::Head(self.held.len().saturating_sub(2));
                if self.held.len() >= LONGEST_HEAD {
                    self.phase = Phase::Rest;
                }
                return;
            };
            match judge(&self.held[start..end]) {
                Verdict::Pass => self.phase = Phase::Rest,
                Verdict::Drop => {
                    self.held.drain(..end);
                    self.phase = Phase::Head(0);
                }
                Verdict::EndsWithConnection => {
                    self.held[start + MINOR_VERSION] = b'0';
                    self.phase = Phase::Rest;
                }
            }
        }
    }

    /// Gives on what is held, as much as fits.
    fn give(&mut self, out: &mut ReadBuf<'_>) {
        let count = self.held.len().min(out.remaining());
        out.put_slice(&self.held[..count]);
        self.held.drain(..count);
        if self.held.is_empty() && self.held.capacity() > LARGEST_KEPT {
            self.held = Vec::new();
        }
    }

    /// The result of writing, unless the peer closed its side: then all seems well.
    fn forgive<T>(&mut self, result: io::Result<T>, instead: T) -> io::Result<T> {
        let closed = |kind| matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
        match result {
            Err(cause) if closed(cause.kind()) => {
                self.deaf = true;
                Ok(instead)
            }
            other => other,
        }
    }
}

/// What is done with a head.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Pass,
    Drop,
    EndsWithConnection,
}

/// The place of the second digit in `HTTP/1.1`.
const MINOR_VERSION: usize = 7;

/// Judges a head. What is not HTTP passes, for the library to refuse.
fn judge(head: &[u8]) -> Verdict {
    let version_and_status = head.strip_prefix(b"HTTP/1.");
    let status = version_and_status.and_then(|rest| rest.get(2..5));
    match status {
        None | Some(b"101" | b"204" | b"304") => Verdict::Pass,
        Some([b'1', ..]) => Verdict::Drop,
        _ if head[MINOR_VERSION] != b'1' || head.split(|byte| *byte == b'\n').any(frames) => {
            Verdict::Pass
        }
        _ => Verdict::EndsWithConnection,
    }
}

/// Whether a header line says where the body ends.
fn frames(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
    name.eq_ignore_ascii_case(b"content-length")
        // "identity" is no framing, and was once allowed to be said.
        || name.eq_ignore_ascii_case(b"transfer-encoding")
            && !value.eq_ignore_ascii_case(b"identity")
}

/// Where the first head ends, its blank line included. Lines may end in LF alone.
fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let line_ends = (from..bytes.len()).filter(|index| bytes[*index] == b'\n');
    for index in line_ends {
        match &bytes[index + 1..] {
            [b'\n', ..] => return Some(index + 2),
            [b'\r', b'\n', ..] => return Some(index + 3),
            _ => {}
        }
    }
    None
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.phase != Phase::Rest {
            let before = out.filled().len();
            let result = ready!(Pin::new(&mut this.socket).poll_read(cx, out));
            let read = &out.filled()[before..];
            if read.is_empty() && this.was_idle && this.held.is_empty() {
                this.stale.set(true);
            }
            result?;
            if read.is_empty() {
                // The end: the library is to see what there is of a head.
                this.phase = Phase::Rest;
                break;
            }
            this.held.extend_from_slice(read);
            out.set_filled(before);
            this.examine();
        }
        if this.held.is_empty() {
            ready!(Pin::new(&mut this.socket).poll_read(cx, out))?;
        } else {
            this.give(out);
        }
        this.quiet_since = Some(Instant::now());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // The library reads nothing until its request is written: an answer comes next. Bytes
        // that are still held would be found when the connection is checked before its use.
        if this.phase == Phase::Rest {
            this.phase = Phase::Head(0);
            this.was_idle = this
                .quiet_since
                .is_some_and(|since| since.elapsed() >= IDLE);
        }
        if this.deaf {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = ready!(Pin::new(&mut this.socket).poll_write(cx, bytes));
        Poll::Ready(this.forgive(written, bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.deaf {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(Pin::new(&mut this.socket).poll_flush(cx));
        Poll::Ready(this.forgive(flushed, ()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

/// The library's bound. It does not ask; an answer may be wrong by contract, and costs a poll.
impl ActixStream for Stream {
    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::READABLE))
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::WRITABLE))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    /// Both ends of a connection on which a request has been written.
    async fn asked() -> (Stream, DuplexStream) {
        let (near, far) = tokio::io::duplex(1 << 20);
        let mut stream = Stream::new(near, Rc::default());
        stream.write_all(b"GET").await.unwrap();
        (stream, far)
    }

    /// What the library sees of an answer that comes in pieces, after which the server closes.
    async fn seen(pieces: impl Iterator<Item = &[u8]>) -> String {
        let (mut stream, mut far) = asked().await;
        let mut seen = Vec::new();
        for piece in pieces {
            far.write_all(piece).await.unwrap();
            let mut part = [0; 64];
            let read = tokio::task::unconstrained(stream.read(&mut part));
            if let Some(count) = futures_util::FutureExt::now_or_never(read) {
                seen.extend_from_slice(&part[..count.unwrap()]);
            }
        }
        drop(far);
        stream.read_to_end(&mut seen).await.unwrap();
        String::from_utf8(seen).unwrap()
    }

    fn seen_in_pieces_of(size: usize, answer: &str) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(seen(answer.as_bytes().chunks(size)))
    }

    #[test]
    fn heads_are_dropped_changed_or_passed_however_they_are_cut() {
        let framed = "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}";
        let chunked = "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n0\r\n\r\n";
        let bare = "HTTP/1.1 200 OK\r\nx: y\r\n\r\nall\r\n\r\nof it";
        let changed = bare.replace("1.1", "1.0");
        let hinted = format!("HTTP/1.1 103 Hints\r\nx: y\r\n\r\nHTTP/1.1 100 C\r\n\r\n{framed}");
        let identity = "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n!";
        let (none, old) = ("HTTP/1.1 204 No\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n!");
        for (sent, expected) in [
            (framed, framed),
            (chunked, chunked),
            (bare, &changed),
            (&hinted, framed),
            (identity, &identity.replace("1.1", "1.0")),
            (none, none),
            (old, old),
            ("HTTP/1.1 200 OK\r\ncut", "HTTP/1.1 200 OK\r\ncut"),
            ("no HTTP\r\n\r\nat all", "no HTTP\r\n\r\nat all"),
            ("", ""),
        ] {
            for size in [1, 2, 3, 7, 40, 1000] {
                assert_eq!(seen_in_pieces_of(size, sent), expected, "pieces of {size}");
            }
        }
    }

    proptest! {
        /// Nothing is lost, and no byte but that of the version is changed.
        #[test]
        fn what_is_no_informational_head_arrives(
            answer in "(\r\n){0,2}HTTP/1\\.[01] [2-5]0[0-9][ a-z:\r\n]{0,200}", size in 1usize..50,
        ) {
            let seen = seen_in_pieces_of(size, &answer);
            prop_assert_eq!(seen.replacen("1.0", "1.1", 1), answer.replacen("1.0", "1.1", 1));
        }
    }

    #[tokio::test]
    async fn a_head_that_is_too_long_is_given_on() {
        let (mut stream, mut far) = asked().await;
        let mut part = vec![b'x'; LONGEST_HEAD];
        far.write_all(&part).await.unwrap();
        assert_eq!(stream.read(&mut part).await.unwrap(), LONGEST_HEAD);
    }

    #[tokio::test]
    async fn an_answer_is_read_although_its_request_cannot_be_written() {
        let (mut stream, mut far) = asked().await;
        let answer = "HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n";
        far.write_all(answer.as_bytes()).await.unwrap();
        drop(far);
        stream.write_all(b" / HTTP/1.1").await.unwrap();
        stream.flush().await.unwrap();
        let mut seen = String::new();
        stream.read_to_string(&mut seen).await.unwrap();
        assert_eq!(seen, answer);
    }
}
