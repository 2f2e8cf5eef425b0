//! What a client makes of an answer, the same for all three.

use std::fmt;

/// What a client makes of an answer.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Answer {
        status: u16,
        /// Names in lower case. Sorted by name; those of one name in the order in which they came.
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// There was a head, and the body broke off or is no body.
    BrokeOff { status: u16 },
    /// There was no head that the client takes.
    Refused,
    /// The client waits for more.
    Waits,
}

impl Outcome {
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Answer { status, .. } | Self::BrokeOff { status } => Some(*status),
            Self::Refused | Self::Waits => None,
        }
    }

    pub(super) fn body(&self) -> Option<&[u8]> {
        match self {
            Self::Answer { body, .. } => Some(body),
            _ => None,
        }
    }

    pub(super) fn answer<'a>(
        status: u16,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
        body: Vec<u8>,
    ) -> Self {
        let mut headers: Vec<_> = headers
            .map(|(name, value)| (name.to_owned(), text_of(value)))
            .collect();
        headers.sort_by(|one, other| one.0.cmp(&other.0));
        Self::Answer {
            status,
            headers,
            body,
        }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer {
                status,
                headers,
                body,
            } => {
                let shown = &body[..body.len().min(200)];
                let shown = shown.escape_ascii();
                write!(f, "{status}, {} bytes \"{shown}\", ", body.len())?;
                f.debug_list().entries(headers.iter().take(20)).finish()
            }
            Self::BrokeOff { status } => write!(f, "{status}, and the body broke off"),
            Self::Refused => f.write_str("no head"),
            Self::Waits => f.write_str("waits"),
        }
    }
}

/// A value as our headers give it: UTF-8, or else Latin-1.
fn text_of(value: &[u8]) -> String {
    std::str::from_utf8(value).map_or_else(
        |_| value.iter().map(|byte| char::from(*byte)).collect(),
        str::to_owned,
    )
}
