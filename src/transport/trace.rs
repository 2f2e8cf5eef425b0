//! By what a server's logs know an attempt, and how long it may take: the headers that differ from
//! attempt to attempt.

use super::Head;
use bytes::BufMut;
use http::HeaderName;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A header that each attempt has a value of its own for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnHeader {
    /// `perfclient-<operation>-<request>-<attempt>`, for the server's logs.
    Id,
    /// What is left of the attempt's time, in milliseconds.
    Timeout,
    /// When the attempt ends, in Unix milliseconds.
    Deadline,
}

impl OwnHeader {
    const ALL: [Self; 3] = [Self::Id, Self::Timeout, Self::Deadline];

    pub(super) fn name(self) -> HeaderName {
        HeaderName::from_static(match self {
            Self::Id => "x-baseten-customer-request-id",
            Self::Timeout => "request-timeout-ms",
            Self::Deadline => "request-deadline-ms",
        })
    }

    /// Those that requests with `head` have: one that the caller set for all is the caller's.
    pub(super) fn of(head: &Head) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|header| {
            let name = header.name();
            !head.headers.iter().any(|(given, _)| *given == name)
        })
    }
}

/// The first two parts of the ids of an operation's attempts. Written out only where one is told.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    pub(crate) prefix: Arc<str>,
    pub(crate) number: u64,
}

impl Trace {
    /// The number in hexadecimal.
    fn digits(&self) -> [u8; 16] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let bytes = self.number.to_be_bytes();
        std::array::from_fn(|place| {
            let byte = bytes[place / 2];
            let half = if place % 2 == 0 {
                byte >> 4
            } else {
                byte & 0xf
            };
            DIGITS[usize::from(half)]
        })
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.prefix, self.number)
    }
}

/// Their values, for one attempt.
#[derive(Debug, Clone)]
pub struct OwnHeaders {
    trace: Trace,
    request: u32,
    attempt: u32,
    left: Duration,
}

impl OwnHeaders {
    pub(crate) fn new(trace: &Trace, request: u32, attempt: u32, left: Duration) -> Self {
        Self {
            trace: trace.clone(),
            request,
            attempt,
            left,
        }
    }

    /// Names and values, less those that `head` has.
    pub fn iter(&self, head: &Head) -> impl Iterator<Item = (HeaderName, String)> {
        OwnHeader::of(head).map(|header| {
            let mut value = Vec::new();
            self.write(header, &mut value);
            (header.name(), String::from_utf8(value).unwrap_or_default())
        })
    }

    /// Writes the value of one.
    pub(super) fn write(&self, header: OwnHeader, into: &mut impl BufMut) {
        match header {
            OwnHeader::Id => {
                into.put_slice(self.trace.prefix.as_bytes());
                into.put_u8(b'-');
                into.put_slice(&self.trace.digits());
                for number in [self.request, self.attempt] {
                    into.put_u8(b'-');
                    into.put_slice(itoa::Buffer::new().format(number).as_bytes());
                }
            }
            OwnHeader::Timeout => write_milliseconds(self.left, into),
            OwnHeader::Deadline => {
                let ends = SystemTime::now() + self.left;
                let since = ends.duration_since(SystemTime::UNIX_EPOCH);
                write_milliseconds(since.unwrap_or_default(), into);
            }
        }
    }
}

fn write_milliseconds(span: Duration, into: &mut impl BufMut) {
    into.put_slice(itoa::Buffer::new().format(span.as_millis()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_the_same_in_a_header_and_in_an_error() {
        let trace = Trace {
            prefix: "prefix".into(),
            number: 0x00f0_1234_5678_9abc,
        };
        let own = OwnHeaders::new(&trace, 3, 1, Duration::ZERO);
        let mut header = Vec::new();
        own.write(OwnHeader::Id, &mut header);
        assert_eq!(header, b"prefix-00f0123456789abc-3-1");
        assert_eq!(trace.to_string(), "prefix-00f0123456789abc");
    }
}
