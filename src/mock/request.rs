//! The head of a request, parsed once into offsets, so that it survives the
//! growth of the buffer it lies in; and the view that handlers get of it.

use std::mem::MaybeUninit;

use httparse::Status;

/// More header lines than any client sends.
const MAX_HEADERS: usize = 128;

/// A piece of the input buffer.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    /// Where `part` lies in `whole`; the caller took the one out of the other.
    fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = part.as_ptr().addr() - whole.as_ptr().addr();
        Self {
            start,
            end: start + part.len(),
        }
    }

    /// Names and targets are ASCII and values are read as such: what is not
    /// UTF-8 reads as empty rather than fail the request.
    fn text(self, buffer: &[u8]) -> &str {
        std::str::from_utf8(&buffer[self.start..self.end]).unwrap_or_default()
    }
}

/// How the body's length is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    Known(usize),
    Chunked,
}

/// A parsed request head, kept from request to request for its allocation.
#[derive(Debug)]
pub(super) struct Head {
    /// How many bytes the head takes, its empty line among them.
    pub(super) len: usize,
    pub(super) body: BodyLength,
    pub(super) expects_continue: bool,
    pub(super) keep_alive: bool,
    /// The minor version: 0 or 1.
    pub(super) minor: u8,
    method: Span,
    target: Span,
    authorization: Option<Span>,
    /// Whether any header's name begins with `x-mock-`.
    addresses_mock: bool,
    headers: Vec<(Span, Span)>,
}

/// The bytes are no HTTP/1 request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Head {
    pub(super) fn new() -> Self {
        Self {
            len: 0,
            body: BodyLength::Known(0),
            expects_continue: false,
            keep_alive: true,
            minor: 1,
            method: Span::default(),
            target: Span::default(),
            authorization: None,
            addresses_mock: false,
            headers: Vec::new(),
        }
    }

    /// Parses the head at the front of `buffer`; `false` asks for more bytes.
    pub(super) fn parse(&mut self, buffer: &[u8]) -> Result<bool, Malformed> {
        let mut storage = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut []);
        match parsed.parse_with_uninit_headers(buffer, &mut storage) {
            Ok(Status::Complete(len)) => self.len = len,
            Ok(Status::Partial) => return Ok(false),
            Err(_) => return Err(Malformed),
        }
        let (Some(method), Some(target), Some(minor)) =
            (parsed.method, parsed.path, parsed.version)
        else {
            return Err(Malformed);
        };
        self.method = Span::of(method.as_bytes(), buffer);
        self.target = Span::of(target.as_bytes(), buffer);
        self.minor = minor;
        self.keep_alive = minor == 1;
        self.body = BodyLength::Known(0);
        self.expects_continue = false;
        self.authorization = None;
        self.addresses_mock = false;
        self.headers.clear();
        for header in parsed.headers.iter() {
            let value = Span::of(header.value, buffer);
            self.headers
                .push((Span::of(header.name.as_bytes(), buffer), value));
            self.note(header.name, value, buffer)?;
        }
        Ok(true)
    }

    /// Notes what the connection loop itself needs of a header.
    fn note(&mut self, name: &str, value: Span, buffer: &[u8]) -> Result<(), Malformed> {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        let text = || value.text(buffer);
        if is("content-length") {
            if self.body != BodyLength::Chunked {
                self.body = BodyLength::Known(text().trim().parse().map_err(|_| Malformed)?);
            }
        } else if is("transfer-encoding") {
            if !text().eq_ignore_ascii_case("chunked") {
                return Err(Malformed);
            }
            self.body = BodyLength::Chunked;
        } else if is("connection") {
            let has = |word: &str| {
                text()
                    .split(',')
                    .any(|w| w.trim().eq_ignore_ascii_case(word))
            };
            self.keep_alive = !has("close") && (self.keep_alive || has("keep-alive"));
        } else if is("expect") {
            self.expects_continue = text().eq_ignore_ascii_case("100-continue");
        } else if is("authorization") {
            self.authorization = Some(value);
        } else if name
            .get(..7)
            .is_some_and(|start| start.eq_ignore_ascii_case("x-mock-"))
        {
            self.addresses_mock = true;
        }
        Ok(())
    }
}

/// A whole request, borrowed from the connection's buffers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    head: &'a Head,
    buffer: &'a [u8],
    body: &'a [u8],
}

impl<'a> Request<'a> {
    /// `buffer` begins with the bytes that `head` was parsed from.
    pub(super) fn new(head: &'a Head, buffer: &'a [u8], body: &'a [u8]) -> Self {
        Self { head, buffer, body }
    }

    pub(super) fn method(&self) -> &'a str {
        self.head.method.text(self.buffer)
    }

    pub(super) fn path(&self) -> &'a str {
        let target = self.head.target.text(self.buffer);
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    pub(super) fn query(&self) -> Option<&'a str> {
        self.head
            .target
            .text(self.buffer)
            .split_once('?')
            .map(|(_, query)| query)
    }

    pub(super) fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The bearer token, or `none`.
    pub(super) fn key(&self) -> &'a str {
        let value = self.head.authorization.map(|value| value.text(self.buffer));
        value.map_or("none", |value| {
            value.strip_prefix("Bearer ").unwrap_or(value)
        })
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> + Clone + use<'a> {
        let buffer = self.buffer;
        self.head
            .headers
            .iter()
            .map(move |(name, value)| (name.text(buffer), value.text(buffer)))
    }

    pub(super) fn header(&self, wanted: &str) -> Option<&'a str> {
        let mut headers = self.headers();
        headers
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    }

    /// A header that addresses the mock; quick to say no, as most have none.
    pub(super) fn mock_header(&self, wanted: &str) -> Option<&'a str> {
        if self.head.addresses_mock {
            self.header(wanted)
        } else {
            None
        }
    }
}
