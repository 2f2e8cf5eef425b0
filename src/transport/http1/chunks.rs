//! Bodies in chunks (RFC 9112, section 7.1).

use crate::transport::TransportError;

/// A longer line of a chunk's size, or of a trailer, is refused.
const LONGEST_LINE: usize = 16 << 10;
/// Trailers may be so long together: as long as a head.
const LONGEST_TRAILER: usize = 128 << 10;

/// What says how long chunks are may be longer than their numbers by so many bytes over a whole body:
/// by extensions, blanks and leading zeros. As hyper has it.
const MOST_EXTRA: usize = 16 << 10;
/// As many digits as a number can have.
const MOST_DIGITS: usize = 16;

/// Where a body of chunks stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunks {
    next: Next,
    /// So many bytes of the lines so far were more than numbers.
    extra: usize,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
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
    /// A body of which nothing has come.
    pub(super) fn new() -> Self {
        Self {
            next: Next::Size,
            extra: 0,
        }
    }

    /// So many bytes of data come next; 0 where something else does.
    pub(super) fn data(&self) -> u64 {
        match self.next {
            Next::Data(left) => left,
            _ => 0,
        }
    }

    /// So many of them came.
    pub(super) fn took(&mut self, count: u64) {
        if let Next::Data(left) = &mut self.next {
            *left -= count;
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.next == Next::Done
    }

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
            self.next = next;
        }
        Ok(used)
    }

    fn step(&mut self, bytes: &[u8]) -> Result<Option<(usize, Next)>, TransportError> {
        match self.next {
            Next::Data(0) => Ok(Some((0, Next::DataEnd))),
            Next::Data(_) | Next::Done => Ok(None),
            Next::Size => {
                let Some(line) = size_line(bytes)? else {
                    return Ok(None);
                };
                self.extra += line.extra;
                if self.extra > MOST_EXTRA {
                    return Err(malformed("its chunks have too much beside their sizes"));
                }
                Ok(Some(match line.size {
                    0 => (line.length, Next::Trailer(0)),
                    size => (line.length, Next::Data(size)),
                }))
            }
            Next::DataEnd => match bytes {
                [b'\r', b'\n', ..] => Ok(Some((2, Next::Size))),
                [] | [b'\r'] => Ok(None),
                _ => Err(malformed("a chunk is longer than it says")),
            },
            Next::Trailer(came) if came > LONGEST_TRAILER => {
                Err(malformed("the lines behind the last chunk do not end"))
            }
            Next::Trailer(came) => match memchr::memchr(b'\n', bytes) {
                Some(0) => Ok(Some((1, Next::Done))),
                Some(1) if bytes[0] == b'\r' => Ok(Some((2, Next::Done))),
                Some(end) => Ok(Some((end + 1, Next::Trailer(came + end + 1)))),
                None => unfinished(bytes),
            },
        }
    }
}

/// A line that says how long a chunk is.
struct SizeLine {
    /// Its own length.
    length: usize,
    /// What it says.
    size: u64,
    /// So much of it is more than the number.
    extra: usize,
}

/// Reads the line that says how long a chunk is. What comes behind the number is passed over, but holds
/// no line break of another kind: whoever takes that for the line's end reads other chunks.
fn size_line(bytes: &[u8]) -> Result<Option<SizeLine>, TransportError> {
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
        [b'\r', b'\n', ..] => Ok(Some(SizeLine {
            length: digits + end + 2,
            size,
            extra: digits.saturating_sub(MOST_DIGITS) + end,
        })),
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
    fn read(bytes: &[u8], size: usize) -> Result<(Vec<u8>, usize, Next), TransportError> {
        let (mut chunks, mut data, mut start) = (Chunks::new(), Vec::new(), 0);
        for end in (size..bytes.len()).step_by(size).chain([bytes.len()]) {
            loop {
                start += chunks.advance(&bytes[start..end])?;
                let taken = usize::try_from(chunks.data()).unwrap().min(end - start);
                if taken == 0 {
                    break;
                }
                data.extend_from_slice(&bytes[start..start + taken]);
                start += taken;
                chunks.took(taken as u64);
            }
        }
        Ok((data, start, chunks.next))
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
            prop_assert_eq!((end, chunks), (whole, Next::Done));
        }
    }

    #[test]
    fn a_size_may_have_zeros_before_it_and_blanks_behind_it() {
        let bytes = format!("{:0>40} \t\r\nab\r\n0 ;x\r\n\r\n", 2);
        for size in 1..bytes.len() {
            let (data, end, chunks) = read(bytes.as_bytes(), size).unwrap();
            assert_eq!(data, b"ab");
            assert_eq!((end, chunks), (bytes.len(), Next::Done));
        }
    }

    #[test]
    fn what_stands_beside_the_sizes_of_a_body_is_bounded() {
        let body = |chunk: &str| chunk.repeat(20) + "0\r\n\r\n";
        for filler in [";", " ", "0"] {
            let chunk = |length: usize| {
                let filler = filler.repeat(length);
                if filler.starts_with('0') {
                    filler + "2\r\nab\r\n"
                } else {
                    format!("2{filler}\r\nab\r\n")
                }
            };
            let (data, ..) = read(body(&chunk(MOST_EXTRA / 20)).as_bytes(), 100).unwrap();
            assert_eq!(data, b"ab".repeat(20));
            let much = body(&chunk(MOST_EXTRA / 20 + 17));
            assert!(read(much.as_bytes(), 100).is_err(), "{filler}");
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
