//! Bodies in chunks (RFC 9112, section 7.1).

use crate::transport::TransportError;

/// A longer line of a chunk's size, or of a trailer, is refused.
const LONGEST_LINE: usize = 16 << 10;
/// Trailers may be so long together: as long as a head.
const LONGEST_TRAILER: usize = 128 << 10;

/// What comes next in a body of chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    /// The line that says how long the next chunk is.
    Size,
    /// So many bytes of a chunk.
    Data(u64),
    /// The line break behind a chunk.
    DataEnd,
    /// The lines behind the last chunk, of which so many bytes came.
    Trailer(usize),
    /// Nothing.
    Done,
}

impl Chunks {
    /// Works off what stands between data in `bytes`; gives how many bytes that was. Afterwards
    /// data comes, or nothing more, or there are too few bytes to say.
    ///
    /// # Errors
    ///
    /// When it is no chunk.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<usize, TransportError> {
        let mut used = 0;
        while let Some((length, next)) = self.step(&bytes[used..])? {
            used += length;
            *self = next;
        }
        Ok(used)
    }

    fn step(self, bytes: &[u8]) -> Result<Option<(usize, Self)>, TransportError> {
        match self {
            Self::Data(0) => Ok(Some((0, Self::DataEnd))),
            Self::Data(_) | Self::Done => Ok(None),
            Self::Size => Ok(match size_line(bytes)? {
                Some((length, 0)) => Some((length, Self::Trailer(0))),
                Some((length, size)) => Some((length, Self::Data(size))),
                None => None,
            }),
            Self::DataEnd => match bytes {
                [b'\r', b'\n', ..] => Ok(Some((2, Self::Size))),
                [] | [b'\r'] => Ok(None),
                _ => Err(malformed("a chunk is longer than it says")),
            },
            Self::Trailer(came) if came > LONGEST_TRAILER => {
                Err(malformed("the lines behind the last chunk do not end"))
            }
            Self::Trailer(came) => match memchr::memchr(b'\n', bytes) {
                Some(0) => Ok(Some((1, Self::Done))),
                Some(1) if bytes[0] == b'\r' => Ok(Some((2, Self::Done))),
                Some(end) => Ok(Some((end + 1, Self::Trailer(came + end + 1)))),
                None => unfinished(bytes),
            },
        }
    }
}

/// The line that says how long a chunk is: how long the line is, and what it says. What comes behind
/// the number is passed over, but holds no line break of another kind: whoever takes that for the
/// line's end reads other chunks.
fn size_line(bytes: &[u8]) -> Result<Option<(usize, u64)>, TransportError> {
    let digits = count_while(bytes, u8::is_ascii_hexdigit);
    let (number, rest) = bytes.split_at(digits);
    if rest.is_empty() {
        return unfinished(bytes);
    }
    // No digit is no number, and so is one that is too large.
    let number = std::str::from_utf8(number).unwrap_or_default();
    let size = u64::from_str_radix(number, 16)
        .map_err(|_| malformed("a chunk's size is no number, or too large a one"))?;
    let blank = count_while(rest, |byte| matches!(byte, b' ' | b'\t'));
    match rest.get(blank) {
        None => return unfinished(bytes),
        Some(b'\r' | b';') => {}
        Some(_) => return Err(malformed("more than a number says a chunk's size")),
    }
    let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
        return unfinished(bytes);
    };
    match rest[end..] {
        [b'\r', b'\n', ..] => Ok(Some((digits + end + 2, size))),
        [b'\r'] => unfinished(bytes),
        _ => Err(malformed("the line of a chunk's size ends as no line does")),
    }
}

fn count_while(bytes: &[u8], holds: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| holds(byte)).count()
}

fn unfinished<T>(line: &[u8]) -> Result<Option<T>, TransportError> {
    if line.len() > LONGEST_LINE {
        return Err(malformed("a line between chunks does not end"));
    }
    Ok(None)
}

fn malformed(cause: &str) -> TransportError {
    TransportError::Malformed(cause.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The data in `bytes`, what follows them, and the state at the end; read in pieces.
    fn read(bytes: &[u8], size: usize) -> Result<(Vec<u8>, usize, Chunks), TransportError> {
        let (mut chunks, mut data, mut start) = (Chunks::Size, Vec::new(), 0);
        for end in (size..bytes.len()).step_by(size).chain([bytes.len()]) {
            loop {
                start += chunks.advance(&bytes[start..end])?;
                let Chunks::Data(left) = chunks else { break };
                let taken = usize::try_from(left).unwrap().min(end - start);
                if taken == 0 {
                    break;
                }
                data.extend_from_slice(&bytes[start..start + taken]);
                start += taken;
                chunks = Chunks::Data(left - taken as u64);
            }
        }
        Ok((data, start, chunks))
    }

    proptest! {
        #[test]
        fn chunks_join_however_they_are_cut(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            trailer in any::<bool>(), size in 1usize..60,
        ) {
            let mut bytes = Vec::new();
            for part in &parts {
                bytes.extend_from_slice(format!("{:X};ext=1\r\n", part.len()).as_bytes());
                bytes.extend_from_slice(part);
                bytes.extend_from_slice(b"\r\n");
            }
            let last = if trailer { "0\r\nx: y\r\nz: w\r\n\r\n" } else { "0\r\n\r\n" };
            bytes.extend_from_slice(last.as_bytes());
            let whole = bytes.len();
            bytes.extend_from_slice(b"HTTP");
            let (data, end, chunks) = read(&bytes, size).unwrap();
            prop_assert_eq!(data, parts.concat());
            prop_assert_eq!((end, chunks), (whole, Chunks::Done));
        }
    }

    #[test]
    fn a_size_may_have_zeros_before_it_and_blanks_behind_it() {
        let bytes = format!("{:0>40} \t\r\nab\r\n0 ;x\r\n\r\n", 2);
        for size in 1..bytes.len() {
            let (data, end, chunks) = read(bytes.as_bytes(), size).unwrap();
            assert_eq!(data, b"ab");
            assert_eq!((end, chunks), (bytes.len(), Chunks::Done));
        }
    }

    #[test]
    fn what_are_no_chunks_is_refused() {
        let endless = format!("5;{}", "x".repeat(LONGEST_LINE));
        let trailers = format!("0\r\n{}\r\n", "x: y\r\n".repeat(LONGEST_TRAILER / 5));
        for bytes in [
            "xyz\r\n",
            // No number is not the number nought, which would end the body.
            "\r\n\r\n",
            "2\r\nab\r\n\r\n\r\n",
            ";x\r\n\r\n",
            " \r\n\r\n",
            " 2\r\nab\r\n",
            " ",
            "2 2\r\nab\r\n",
            // Lines end as they must.
            "2;x\nab\r\n0\r\n\r\n",
            "2\nab\r\n0\r\n\r\n",
            "2;x\ry\r\nab\r\n0\r\n\r\n",
            "2\r\nab\n0\r\n\r\n",
            "2\r\nabc",
            "-1\r\n",
            "fffffffffffffffff\r\n",
            &endless,
            &trailers,
        ] {
            assert!(read(bytes.as_bytes(), 1 << 20).is_err(), "{bytes:.20}");
        }
    }
}
