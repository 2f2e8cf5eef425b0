//! Bodies: read into the buffer of whoever wants them, within a limit.

use super::TransportError;
use bytes::Bytes;
use std::future::poll_fn;
use std::task::{Context, Poll};

/// A length that a server only announces is believed up to here, when memory is reserved for it.
const BELIEVED: usize = 64 << 20;

/// So many bytes of a body are not counted.
pub(crate) const UNCOUNTED: usize = 64 << 10;

/// The body of an answer, as it comes off the socket.
pub type Body = Box<dyn ReadBody>;

/// Reads a body piece by piece. Dropping it before its end closes what it comes from.
pub trait ReadBody {
    /// Appends the next piece to `into`, and gives its length in bytes; 0 at the end.
    ///
    /// # Errors
    ///
    /// When the body breaks off.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<Result<usize, TransportError>>;

    /// Whether it ended with its connection and with nothing else, so that nobody knows whether all of
    /// it came. Asked when it has ended.
    fn may_be_cut(&self) -> bool {
        false
    }

    /// Whether what has not been read stays in the kernel, and holds up nothing but this body.
    fn can_wait(&self) -> bool {
        false
    }
}

/// A body that is there.
impl ReadBody for Bytes {
    fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<Result<usize, TransportError>> {
        let bytes = std::mem::take(self);
        into.extend_from_slice(&bytes);
        Poll::Ready(Ok(bytes.len()))
    }
}

/// Reads the whole of `body` into `into` (which is cleared first). `announced` is the
/// `content-length`, if there was one: memory is reserved for it once. `came` is told of each piece, as
/// it comes off the socket, how long the body is with it. `grown` is told how much memory a body has
/// that is longer than [`UNCOUNTED`], and no more of it is read before that has ended.
///
/// # Errors
///
/// What the body ends with, and [`TransportError::TooLarge`] as soon as `limit` is passed.
pub(crate) async fn read_body(
    body: &mut Body,
    announced: Option<u64>,
    limit: usize,
    into: &mut Vec<u8>,
    mut came: impl FnMut(usize),
    mut grown: impl AsyncFnMut(usize),
) -> Result<(), TransportError> {
    into.clear();
    let announced = announced.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced > limit {
        return Err(TransportError::TooLarge { limit });
    }
    into.reserve_exact(announced.min(BELIEVED));
    let mut counted = UNCOUNTED;
    while poll_fn(|cx| body.poll_read(cx, into)).await? > 0 {
        came(into.len());
        if into.len() > limit {
            return Err(TransportError::TooLarge { limit });
        }
        if into.len() > counted {
            counted = into.capacity();
            grown(counted).await;
        }
    }
    Ok(())
}

/// Reads the beginning of `body`, at most `most` bytes. A body that breaks off gives what came.
pub(super) async fn read_beginning(mut body: Body, most: usize) -> Vec<u8> {
    let mut beginning = Vec::new();
    while beginning.len() < most
        && let Ok(1..) = poll_fn(|cx| body.poll_read(cx, &mut beginning)).await
    {}
    beginning.truncate(most);
    beginning
}
