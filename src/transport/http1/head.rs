//! Heads of HTTP/1.1: a request's written, an answer's read.

use crate::headers::Headers;
use crate::transport::{Head, TransportError};
use http::{HeaderName, HeaderValue, Method};
use std::mem::MaybeUninit;

/// A longer head is refused.
pub(super) const LONGEST: usize = 128 << 10;
/// Hardly any head has more headers.
const USUAL_HEADERS: usize = 128;
/// One with more is refused.
const MOST_HEADERS: usize = 1024;

/// Writes the part of a head that all requests with it share, up to the headers of one of them.
/// `target` is what is asked for: a path, or a whole URL where a proxy is asked.
pub(in crate::transport) fn write_shared(head: &Head, target: &str, tunnelled: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    for part in [head.method.as_str(), " ", target, " HTTP/1.1\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
    for (name, value) in head.sent_headers(tunnelled) {
        write_header(&mut bytes, name, value);
    }
    bytes
}

/// Writes a header line.
pub(in crate::transport) fn write_header(
    bytes: &mut Vec<u8>,
    name: &HeaderName,
    value: &HeaderValue,
) {
    bytes.extend_from_slice(name.as_str().as_bytes());
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value.as_bytes());
    bytes.extend_from_slice(b"\r\n");
}

/// Writes how long a request's body is, and the end of its head. A request without a body says so
/// where its method could have one.
pub(super) fn write_end(bytes: &mut Vec<u8>, method: &Method, body: Option<usize>) {
    let may_have_one = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    if let Some(length) = body.or(may_have_one.then_some(0)) {
        bytes.extend_from_slice(b"content-length: ");
        bytes.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::transport) struct AnswerHead {
    pub(in crate::transport) status: u16,
    pub(in crate::transport) headers: Headers,
    pub(super) framing: Framing,
    /// Whether the server will answer another request on the connection.
    pub(super) keeps_alive: bool,
}

/// Where a body ends (RFC 9112, section 6.3), but for what follows from the request's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// It has none.
    Empty,
    /// After so many bytes.
    Length(u64),
    /// After its last chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// The head that a server sent last. Many answers have the same one to the byte, and a comparison
/// is faster than reading; besides, they then share one text in memory.
#[derive(Debug, Default)]
pub(in crate::transport) struct LastHead {
    bytes: Vec<u8>,
    head: Option<AnswerHead>,
}

impl LastHead {
    /// The head that `bytes` begin with, and how long it is, if it is the same as the last.
    pub(super) fn recall(&self, bytes: &[u8]) -> Option<(AnswerHead, usize)> {
        let head = self.head.as_ref()?;
        bytes
            .starts_with(&self.bytes)
            .then(|| (head.clone(), self.bytes.len()))
    }

    /// Remembers a head, which `bytes` are.
    pub(super) fn remember(&mut self, bytes: &[u8], head: &AnswerHead) {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.head = Some(head.clone());
    }
}

/// Looks for the head of an answer in bytes that come in pieces.
#[derive(Debug, Default)]
pub(in crate::transport) struct HeadReader {
    /// So many bytes are informational heads (1xx), which are passed over.
    passed: usize,
    /// So many after those are known not to hold the head's end.
    searched: usize,
}

impl HeadReader {
    /// Looks at all that has come; gives the head when it is whole, and where it ends.
    ///
    /// # Errors
    ///
    /// When it is no HTTP, or longer than the limit.
    pub(in crate::transport) fn read(
        &mut self,
        bytes: &[u8],
    ) -> Result<Option<(AnswerHead, usize)>, TransportError> {
        loop {
            let rest = &bytes[self.passed..];
            if !self.may_be_whole(rest) {
                return Ok(None);
            }
            match parse(rest)? {
                // What follows would be of a protocol that nobody asked for.
                Some((head, _)) if head.status == 101 => {
                    let cause = "it changes the protocol (101)".to_owned();
                    return Err(TransportError::Malformed(cause));
                }
                Some((head, length)) if !matches!(head.status, 100..=199) => {
                    return Ok(Some((head, self.passed + length)));
                }
                Some((_, length)) if bytes.len() < LONGEST => {
                    self.passed += length;
                    self.searched = 0;
                }
                None if bytes.len() < LONGEST => return Ok(None),
                _ => {
                    let cause = format!("its head is longer than {LONGEST} bytes");
                    return Err(TransportError::Malformed(cause));
                }
            }
        }
    }

    /// Whether it is worth reading: the first time, and then each time a line has ended. A head
    /// that comes in single bytes would otherwise be read as often.
    fn may_be_whole(&mut self, bytes: &[u8]) -> bool {
        let first = self.searched == 0;
        let news = &bytes[self.searched.min(bytes.len())..];
        self.searched = bytes.len();
        first || bytes.len() >= LONGEST || memchr::memchr(b'\n', news).is_some()
    }
}

fn parse(bytes: &[u8]) -> Result<Option<(AnswerHead, usize)>, TransportError> {
    parse_into(&mut [const { MaybeUninit::uninit() }; USUAL_HEADERS], bytes)
}

/// Reads a head whose headers find room in `places`, or in more where those are too few.
fn parse_into<'a>(
    places: &mut [MaybeUninit<httparse::Header<'a>>],
    bytes: &'a [u8],
) -> Result<Option<(AnswerHead, usize)>, TransportError> {
    let room = places.len();
    let mut answer = httparse::Response::new(&mut []);
    let mut config = httparse::ParserConfig::default();
    config.allow_spaces_after_header_name_in_responses(true);
    let parsed = config.parse_response_with_uninit_headers(&mut answer, bytes, places);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) if room < MOST_HEADERS => {
            return parse_into(&mut Box::new_uninit_slice(MOST_HEADERS), bytes);
        }
        Err(cause) => return Err(TransportError::Malformed(format!("no HTTP: {cause}"))),
    };
    let status = answer.code.unwrap_or_default();
    if status < 100 {
        let cause = format!("there is no status {status:03}");
        return Err(TransportError::Malformed(cause));
    }
    let mut judge = Judge::default();
    for header in &*answer.headers {
        judge.header(header.name, header.value)?;
    }
    let pairs = || {
        answer
            .headers
            .iter()
            .map(|header| (header.name, header.value))
    };
    let head = AnswerHead {
        status,
        headers: Headers::from_pairs(pairs),
        framing: judge.framing(status),
        keeps_alive: judge.keeps_alive(answer.version == Some(1)),
    };
    Ok(Some((head, length)))
}

/// The last transfer coding.
#[derive(Default, PartialEq, Eq)]
enum Coding {
    #[default]
    None,
    Chunked,
    Other,
}

/// What the headers say of the body's end and of the connection.
#[derive(Default)]
struct Judge {
    length: Option<u64>,
    coding: Coding,
    says_close: bool,
    says_keep_alive: bool,
}

impl Judge {
    fn header(&mut self, name: &str, value: &[u8]) -> Result<(), TransportError> {
        match name.len() {
            14 if name.eq_ignore_ascii_case("content-length") => self.add_length(value)?,
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                for coding in tokens(value) {
                    // "identity" is no coding, and was once allowed to be said.
                    if coding.eq_ignore_ascii_case(b"chunked") {
                        self.coding = Coding::Chunked;
                    } else if !coding.eq_ignore_ascii_case(b"identity") {
                        self.coding = Coding::Other;
                    }
                }
            }
            10 if name.eq_ignore_ascii_case("connection") => {
                for option in tokens(value) {
                    self.says_close |= option.eq_ignore_ascii_case(b"close");
                    self.says_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A list of equal lengths is one length (RFC 9110, section 8.6).
    fn add_length(&mut self, value: &[u8]) -> Result<(), TransportError> {
        for token in elements(value) {
            let length = number(token).filter(|length| self.length.is_none_or(|it| it == *length));
            if length.is_none() {
                let cause = "its content-length is no number, or there are two";
                return Err(TransportError::Malformed(cause.to_owned()));
            }
            self.length = length;
        }
        Ok(())
    }

    fn framing(&self, status: u16) -> Framing {
        match (&self.coding, self.length) {
            _ if matches!(status, 204 | 304) => Framing::Empty,
            (Coding::Chunked, _) => Framing::Chunked,
            (Coding::None, Some(length)) => Framing::Length(length),
            _ => Framing::UntilClose,
        }
    }

    fn keeps_alive(&self, is_1_1: bool) -> bool {
        // A length beside a coding is how answers are smuggled, and before HTTP/1.1 there were no
        // codings (RFC 9112, section 6.1): the connection is not trusted.
        let suspicious = self.coding != Coding::None && (self.length.is_some() || !is_1_1);
        !self.says_close && !suspicious && (is_1_1 || self.says_keep_alive)
    }
}

/// The elements of a list, which may also be empty.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Those that say something: a list may have empty ones, which count for nothing (RFC 9110, section
/// 5.6.1).
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    elements(value).filter(|element| !element.is_empty())
}

fn number(digits: &[u8]) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| all_digits)?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is read of `bytes` when they come in pieces of `size`.
    fn read(bytes: &[u8], size: usize) -> Result<Option<(AnswerHead, usize)>, TransportError> {
        let mut reader = HeadReader::default();
        let ends = (size..bytes.len()).step_by(size).chain([bytes.len()]);
        for end in ends {
            let found = reader.read(&bytes[..end])?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    #[test]
    fn framing_and_keeping_alive_follow_rfc_9112() {
        let (length, chunked) = (Framing::Length(2), Framing::Chunked);
        for (head, framing, keeps_alive) in [
            ("1.1 200 OK\r\nContent-Length : 2", length, true),
            (
                "1.1 200 OK\r\ncontent-length: 2, 2\r\nConnection: Close",
                length,
                false,
            ),
            ("1.0 200 OK\r\ncontent-length: 2", length, false),
            (
                "1.0 200\r\ncontent-length: 2\r\nconnection: Keep-Alive",
                length,
                true,
            ),
            (
                "1.1 200 OK\r\ntransfer-encoding: gzip, chunked",
                chunked,
                true,
            ),
            ("1.1 200 OK\r\ntransfer-encoding: chunked,", chunked, true),
            (
                "1.1 200 OK\r\ntransfer-encoding: , ,chunked , ,",
                chunked,
                true,
            ),
            (
                "1.1 200 OK\r\ntransfer-encoding:\r\ncontent-length: 2",
                length,
                true,
            ),
            (
                "1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 9",
                chunked,
                false,
            ),
            (
                "1.1 200 OK\r\ntransfer-encoding: identity\r\ncontent-length: 2",
                length,
                true,
            ),
            (
                "1.1 200 OK\r\ntransfer-encoding: gzip",
                Framing::UntilClose,
                true,
            ),
            (
                "1.0 200 OK\r\ntransfer-encoding: chunked\r\nconnection: keep-alive",
                chunked,
                false,
            ),
            ("1.1 200 OK\r\nx: y", Framing::UntilClose, true),
            ("1.1 204 No\r\ncontent-length: 2", Framing::Empty, true),
            (
                "1.1 304 No\r\ntransfer-encoding: chunked",
                Framing::Empty,
                true,
            ),
        ] {
            let bytes = format!("HTTP/{head}\r\n\r\nrest");
            for size in [1, 2, 3, 1000] {
                let (found, end) = read(bytes.as_bytes(), size).unwrap().expect(head);
                assert_eq!(&bytes[end..], "rest", "{head}");
                assert_eq!(
                    (found.framing, found.keeps_alive),
                    (framing, keeps_alive),
                    "{head}"
                );
            }
        }
    }

    #[test]
    fn informational_heads_are_passed_over() {
        let bytes =
            b"\r\nHTTP/1.1 103 Hints\r\nx: y\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 201 X\n\n";
        for size in 1..bytes.len() {
            let (found, end) = read(bytes, size).unwrap().expect("a head");
            assert_eq!((found.status, end), (201, bytes.len()));
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for bytes in [
            "no HTTP at all\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 099 No\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
            &format!(
                "HTTP/1.1 200 OK\r\n{}\r\n",
                "x: y\r\n".repeat(MOST_HEADERS + 1)
            ),
            &format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(LONGEST)),
        ] {
            assert!(read(bytes.as_bytes(), 8000).is_err(), "{bytes:.40}");
        }
        assert_eq!(read(b"HTTP/1.1 200 OK\r\ncut", 7), Ok(None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_head_an_error_or_unfinished(
            bytes in "(HTTP/1\\.[01] [0-9]{3} )?[ -~\r\n]{0,80}\r?\n\r?\n.{0,9}", size in 1usize..40,
        ) {
            if let Ok(Some((head, end))) = read(bytes.as_bytes(), size) {
                prop_assert!(end <= bytes.len());
                prop_assert!(!(100..200).contains(&head.status));
                // However it is cut, it is the same head.
                prop_assert_eq!(read(bytes.as_bytes(), bytes.len()), Ok(Some((head, end))));
            }
        }
    }
}
