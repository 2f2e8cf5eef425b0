//! Why an answer is no good. The caller retries what looks cut short, and reports the rest as the
//! server's fault.

use std::fmt;

/// Why a body could not be read as the answer that was asked for.
///
/// A `row` is the position in the input that the row answers.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body ends before its JSON (or `MessagePack`) does, or may have been cut elsewhere; the
    /// text says where.
    Malformed(String),
    /// The body is something else than JSON (or `MessagePack`); the text says from where on.
    NotJson(String),
    /// The body is whole and of another shape, such as an error object.
    Shape {
        /// What was expected, and where.
        reason: String,
        /// The first bytes of the body.
        excerpt: String,
    },
    /// There are more or fewer rows than inputs.
    Count {
        /// How many inputs the request had.
        expected: usize,
        /// How many rows the answer has.
        found: usize,
    },
    /// The rows do not carry each index from zero on exactly once.
    Index {
        /// The first offending row, counted as the rows arrived.
        position: usize,
        /// What is wrong with its index.
        fault: IndexFault,
    },
    /// A row has no numbers at all.
    Empty {
        /// The row.
        row: usize,
    },
    /// A row is longer or shorter than the first that arrived.
    Dimensions {
        /// The row.
        row: usize,
        /// The length of the first row that arrived.
        expected: usize,
        /// The length of this row.
        found: usize,
    },
    /// A row has a number that is infinite as an `f32`, a NaN, or `null`, as which many servers
    /// write a NaN.
    NonFinite {
        /// The row.
        row: usize,
    },
    /// A row is a string or binary, but not of whole little-endian `f32`.
    Base64 {
        /// The row, counted as the rows arrived.
        position: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// What is wrong with the index of a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum IndexFault {
    /// It is missing, although other rows have one.
    Missing,
    /// An earlier row has it too.
    Repeated(u64),
    /// There are not that many rows.
    OutOfRange(u64),
}

impl DecodeError {
    /// What it means that `body` is no JSON text. What is wrong at its very end may be right in front of
    /// what was cut off.
    pub(crate) fn of_json(cause: &serde_json::Error, body: &[u8]) -> Self {
        let lines = memchr::memchr_iter(b'\n', body);
        let (line, start) = lines.fold((1, 0), |(line, _), end| (line + 1, end + 1));
        let is_at_end = cause.line() == line && cause.column() >= body.len() - start;
        if cause.is_eof() || is_at_end {
            Self::Malformed(cause.to_string())
        } else {
            Self::NotJson(cause.to_string())
        }
    }

    /// Whether the body may have been whole had it not been cut short, so that asking again may
    /// help.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        matches!(self, Self::Malformed(_))
    }

    pub(super) fn shape(reason: &impl fmt::Display, body: &[u8]) -> Self {
        const EXCERPT: usize = 200;
        // It may quote the whole body.
        let reason = beginning(reason.to_string().as_bytes(), EXCERPT);
        let excerpt = beginning(body, EXCERPT);
        Self::Shape { reason, excerpt }
    }

    /// With what `without_keys` leaves of each text that may quote the body.
    pub(crate) fn redacted(self, without_keys: impl Fn(String) -> Box<str>) -> Self {
        let redacted = |text| without_keys(text).into_string();
        match self {
            Self::Shape { reason, excerpt } => Self::Shape {
                reason: redacted(reason),
                excerpt: redacted(excerpt),
            },
            other => other,
        }
    }
}

/// At most `most` bytes of a body, as text.
pub(crate) fn beginning(body: &[u8], most: usize) -> String {
    let head = body.get(..most).unwrap_or(body);
    let mut text = String::from_utf8_lossy(head).into_owned();
    if head.len() < body.len() {
        text.push('…');
    }
    text
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(reason) => {
                write!(
                    f,
                    "expected whole JSON or MessagePack, found none or a part: {reason}"
                )
            }
            Self::NotJson(reason) => write!(f, "expected JSON or MessagePack: {reason}"),
            Self::Shape { reason, excerpt } => {
                write!(f, "expected another shape: {reason}: {excerpt}")
            }
            Self::Count { expected, found } => write!(f, "expected {expected} rows, found {found}"),
            Self::Index { position, fault } => {
                write!(
                    f,
                    "expected each index once, found that of row {position} (as they arrived) {fault}"
                )
            }
            Self::Empty { row } => write!(f, "expected numbers in row {row}, found none"),
            Self::Dimensions {
                row,
                expected,
                found,
            } => {
                write!(f, "expected {expected} numbers in row {row}, found {found}")
            }
            Self::NonFinite { row } => {
                write!(
                    f,
                    "expected finite numbers in row {row}, found an infinity, a NaN or a null"
                )
            }
            Self::Base64 { position, reason } => {
                write!(
                    f,
                    "expected base64 (or bytes) of little-endian f32 in row {position} (as they arrived), found {reason}"
                )
            }
        }
    }
}

impl fmt::Display for IndexFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::Repeated(index) => write!(f, "repeated: {index}"),
            Self::OutOfRange(index) => write!(f, "out of range: {index}"),
        }
    }
}

impl std::error::Error for DecodeError {}
