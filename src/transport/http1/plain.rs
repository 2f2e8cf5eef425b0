//! The readers of heads and chunks over plain types, for those who compare them with others.

use super::chunks::Chunks;
use super::head::{Framing, HeadReader};

/// A head: its status, its headers, where its body ends, whether the connection is kept, and how
/// long the head is.
pub type PlainHead = (u16, Vec<(String, String)>, PlainFraming, bool, usize);

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainFraming {
    /// It has none.
    Empty,
    /// After so many bytes.
    Length(u64),
    /// After its last chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// Reads a head of which first so many bytes are there, then so many, as `ends` says; `None` when
/// all of them are none that is whole.
///
/// # Errors
///
/// When it is no head.
pub fn head(
    bytes: &[u8],
    ends: impl IntoIterator<Item = usize>,
) -> Result<Option<PlainHead>, String> {
    let mut reader = HeadReader::default();
    for end in ends {
        let read = reader
            .read(&bytes[..end])
            .map_err(|cause| cause.to_string())?;
        if let Some((head, length)) = read {
            let headers = head.headers.iter();
            let framing = match head.framing {
                Framing::Empty => PlainFraming::Empty,
                Framing::Length(length) => PlainFraming::Length(length),
                Framing::Chunked => PlainFraming::Chunked,
                Framing::UntilClose => PlainFraming::UntilClose,
            };
            return Ok(Some((
                head.status,
                headers
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
                framing,
                head.keeps_alive,
                length,
            )));
        }
    }
    Ok(None)
}

/// The data of a body in chunks of which first so many bytes are there, then so many; and how long
/// the body is, if all of them have its end.
///
/// # Errors
///
/// When they are no chunks.
pub fn chunks(
    bytes: &[u8],
    ends: impl IntoIterator<Item = usize>,
) -> Result<(Vec<u8>, Option<usize>), String> {
    let (mut chunks, mut data, mut start) = (Chunks::new(), Vec::new(), 0);
    for end in ends {
        loop {
            let used = chunks.advance(&bytes[start..end]);
            start += used.map_err(|cause| cause.to_string())?;
            let left = usize::try_from(chunks.data()).unwrap_or(usize::MAX);
            let taken = left.min(end - start);
            if taken == 0 {
                break;
            }
            data.extend_from_slice(&bytes[start..start + taken]);
            start += taken;
            chunks.took(taken as u64);
        }
    }
    Ok((data, chunks.is_done().then_some(start)))
}
