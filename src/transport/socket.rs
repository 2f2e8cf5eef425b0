//! A connection's bytes, plain or through TLS.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
#[cfg(target_os = "linux")]
use std::task::ready;
use std::task::{Context, Poll, Waker};
#[cfg(target_os = "linux")]
use tokio::io::Interest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// What is made over a connection.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send + Sync {
    /// As [`Socket::take_error`].
    fn take_error(&self) -> Option<io::Error> {
        None
    }
}

impl Io for TlsStream<Socket> {
    fn take_error(&self) -> Option<io::Error> {
        self.get_ref().0.take_error()
    }
}

#[cfg(test)]
impl Io for tokio::io::DuplexStream {}

/// An open connection.
pub(super) enum Socket {
    /// TCP alone, which most of the traffic of a fast client is.
    Plain(TcpStream),
    /// TLS, once or (through a proxy that speaks it too) twice.
    Layered(Box<dyn Io>),
}

impl Socket {
    /// What the kernel knows to have gone wrong, and has told nobody yet.
    pub(super) fn take_error(&self) -> Option<io::Error> {
        match self {
            Self::Plain(stream) => stream.take_error().ok().flatten(),
            Self::Layered(stream) => stream.take_error(),
        }
    }

    /// Whether the peer has neither closed the connection nor sent anything unasked.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        match self {
            // Asks the kernel only where it has said that there is something.
            Self::Plain(stream) => {
                let read = stream.try_read(&mut byte);
                read.is_err_and(|cause| cause.kind() == ErrorKind::WouldBlock)
            }
            // A session ticket is news of TLS's own, and no byte.
            Self::Layered(stream) => {
                let mut context = Context::from_waker(Waker::noop());
                let mut into = ReadBuf::new(&mut byte);
                Pin::new(stream)
                    .poll_read(&mut context, &mut into)
                    .is_pending()
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Layered(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Layered(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => poll_send(stream, cx, pieces),
            Self::Layered(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Layered(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Layered(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Layered(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Sends what `pieces` hold, or a part of it. A plain `writev`, which the standard library makes of
/// it, raises SIGPIPE where the peer has closed, and a program that has not set that aside ends.
#[cfg(target_os = "linux")]
fn poll_send(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    pieces: &[io::IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
    loop {
        ready!(stream.poll_write_ready(cx))?;
        let sent = stream.try_io(Interest::WRITABLE, || {
            let nothing = &mut SendAncillaryBuffer::default();
            Ok(sendmsg(stream, pieces, nothing, SendFlags::NOSIGNAL)?)
        });
        match sent {
            Err(cause) if cause.kind() == ErrorKind::WouldBlock => {}
            sent => return Poll::Ready(sent),
        }
    }
}

/// Other systems that have the signal let a socket be without it, and the standard library sees to
/// that.
#[cfg(not(target_os = "linux"))]
fn poll_send(
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    pieces: &[io::IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    Pin::new(stream).poll_write_vectored(cx, pieces)
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Socket::Plain",
            Self::Layered(_) => "Socket::Layered",
        })
    }
}
