//! Reading a body into a buffer, within a limit.

use super::{Body, TransportError};
use futures_util::StreamExt;
use tokio::time::Instant;

/// A length that a server only announces is believed up to here, when memory is reserved for it.
const BELIEVED: usize = 64 << 20;

/// Reads the whole of `body` into `into` (which is cleared first). `announced` is the
/// `content-length`, if there was one: memory is reserved for it once. `stamps`, where given, gets
/// for each piece the length of the body with it, and when it came off the socket.
///
/// # Errors
///
/// What the body ends with, and [`TransportError::TooLarge`] as soon as `limit` is passed.
pub(crate) async fn read_body(
    mut body: Body,
    announced: Option<u64>,
    limit: usize,
    into: &mut Vec<u8>,
    mut stamps: Option<&mut Vec<(usize, Instant)>>,
) -> Result<(), TransportError> {
    into.clear();
    let announced = announced.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced > limit {
        return Err(TransportError::TooLarge { limit });
    }
    into.reserve_exact(announced.min(BELIEVED));
    while let Some(chunk) = body.next().await {
        let came = stamps.is_some().then(Instant::now);
        let chunk = chunk?;
        if into.len() + chunk.len() > limit {
            return Err(TransportError::TooLarge { limit });
        }
        into.extend_from_slice(&chunk);
        if let (Some(stamps), Some(came)) = (&mut stamps, came) {
            stamps.push((into.len(), came));
        }
    }
    Ok(())
}

/// Reads the beginning of `body`, at most `most` bytes. A body that breaks off gives what came.
pub(crate) async fn read_beginning(mut body: Body, most: usize) -> Vec<u8> {
    let mut beginning = Vec::new();
    while beginning.len() < most
        && let Some(Ok(chunk)) = body.next().await
    {
        beginning.extend_from_slice(&chunk);
    }
    beginning.truncate(most);
    beginning
}
