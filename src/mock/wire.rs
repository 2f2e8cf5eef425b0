//! One client's socket and what was read from it. Waiting always watches the
//! socket too, so that a client that goes away is noticed at once.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::pacer::Pacer;
use super::request::Malformed;

/// The buffer of a connection that sends small requests.
const SMALL: usize = 8 << 10;
/// A buffer above this is given back behind its request, because thousands of
/// idle connections must not hold what their largest request took.
pub(super) const KEPT: usize = 256 << 10;
/// How much a waiting connection reads ahead. Past it the client's close goes
/// unseen until the wait ends; only one that pipelines gets there.
const AHEAD: usize = 64 << 10;
/// The largest body that is taken.
const MAX_BODY: usize = 256 << 20;

/// Why a connection ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ConnectionEnd {
    /// The client closed it, or the network did.
    Peer,
    /// The server closes it: as asked, or for a fault.
    Ours,
    /// What came is no request that can be answered; closes with this status.
    Refused(u16),
}

impl From<io::Error> for ConnectionEnd {
    fn from(_: io::Error) -> Self {
        Self::Peer
    }
}

impl From<Malformed> for ConnectionEnd {
    fn from(_: Malformed) -> Self {
        Self::Refused(400)
    }
}

/// See the module. `input[..filled]` is what was read and not yet consumed.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
    filled: usize,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            input: Vec::new(),
            filled: 0,
        }
    }

    pub(super) fn received(&self) -> &[u8] {
        &self.input[..self.filled]
    }

    /// Forgets the front of what was received: a request that is done with.
    pub(super) fn consume(&mut self, len: usize) {
        self.input.copy_within(len..self.filled, 0);
        self.filled -= len;
        if self.filled == 0 && self.input.len() > KEPT {
            self.input = Vec::new();
        }
    }

    /// Reads until at least `len` bytes are there.
    pub(super) async fn fill_to(&mut self, len: usize) -> Result<(), ConnectionEnd> {
        if len > MAX_BODY + SMALL {
            return Err(ConnectionEnd::Refused(413));
        }
        if self.input.len() < len {
            self.input.resize(len, 0);
        }
        while self.filled < len {
            self.fill().await?;
        }
        Ok(())
    }

    /// Reads some more.
    pub(super) async fn fill(&mut self) -> Result<(), ConnectionEnd> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionEnd>> {
        if self.filled == self.input.len() {
            self.input.resize((2 * self.filled).max(SMALL), 0);
        }
        let mut space = ReadBuf::new(&mut self.input[self.filled..]);
        match Pin::new(&mut self.stream).poll_read(cx, &mut space)? {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) if space.filled().is_empty() => Poll::Ready(Err(ConnectionEnd::Peer)),
            Poll::Ready(()) => {
                self.filled += space.filled().len();
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Waits until `until`, or for ever; ends early when the client closes. A
    /// client that closes only its sending half counts as gone too.
    pub(super) async fn wait(
        &mut self,
        pacer: &Pacer,
        until: Option<Instant>,
    ) -> Result<(), ConnectionEnd> {
        let limit = self.filled + AHEAD;
        let mut sleep = pin!(until.map(|until| pacer.sleep_until(until)));
        poll_fn(|cx| {
            if let Some(sleep) = sleep.as_mut().as_pin_mut()
                && sleep.poll(cx).is_ready()
            {
                return Poll::Ready(Ok(()));
            }
            while self.filled < limit {
                if self.poll_fill(cx)?.is_pending() {
                    break;
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Writes both parts, in one system call where the socket takes them.
    pub(super) async fn write(&mut self, first: &[u8], second: &[u8]) -> Result<(), ConnectionEnd> {
        let mut written = 0;
        while written < first.len() + second.len() {
            let parts = [
                IoSlice::new(first.get(written..).unwrap_or_default()),
                IoSlice::new(&second[written.saturating_sub(first.len())..]),
            ];
            let stream = &mut self.stream;
            let write =
                |cx: &mut Context<'_>| Pin::new(&mut *stream).poll_write_vectored(cx, &parts);
            match poll_fn(write).await? {
                0 => return Err(ConnectionEnd::Peer),
                n => written += n,
            }
        }
        Ok(())
    }

    /// Makes closing the socket reset the connection.
    pub(super) fn reset_on_close(&self) {
        if let Err(error) = self.stream.set_zero_linger() {
            log::warn!("a reset becomes a plain close: {error}");
        }
    }
}
