//! Why an attempt failed: as the retry policy, the caller and the log see it.

use crate::decode::DecodeError;
use crate::error::{Error, Kind, Scope};
use crate::operation::Headers;
use crate::policy::retry::Fault;
use crate::transport::{Head, TransportError};
use std::fmt;
use std::time::Duration;

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum Failure {
    Status {
        code: u16,
        headers: Headers,
        body: Box<str>,
        retry_after: Option<Duration>,
    },
    Transport(TransportError),
    Decode(DecodeError),
    /// Its part does not fit those of the operation's other requests.
    Misfit(String),
    Timeout,
    /// It was aborted: nobody waits for it.
    Aborted,
    /// The Worker, or the attempt itself, panicked.
    Lost,
}

impl Failure {
    /// The failure as the retry policy sees it.
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Status {
                code, retry_after, ..
            } => Fault::Status {
                code: *code,
                retry_after: *retry_after,
            },
            Self::Transport(TransportError::Connect(_)) => Fault::Connect,
            Self::Transport(TransportError::TooLarge { .. } | TransportError::BadRequest(_)) => {
                Fault::Permanent
            }
            // JSON that does not parse was, most often, cut short on its way.
            Self::Transport(_) | Self::Decode(DecodeError::Malformed(_)) => Fault::Network,
            Self::Decode(DecodeError::Shape { .. }) => Fault::Permanent,
            Self::Decode(_) | Self::Misfit(_) => Fault::Mismatch,
            Self::Timeout => Fault::Timeout,
            Self::Aborted | Self::Lost => Fault::Lost,
        }
    }

    /// The failure as the caller is told. `head` says which keys a server may have sent back;
    /// `timeout` is the attempt's.
    pub(super) fn into_error(self, head: &Head, timeout: Duration) -> Error {
        match self {
            Self::Status {
                code,
                headers,
                body,
                ..
            } => Error::new(Kind::Status {
                code,
                headers,
                body: head.without_key(&body),
            }),
            Self::Transport(cause) => Error::from(cause),
            Self::Decode(cause) => {
                let text = head.without_key(&cause.to_string());
                Error::new(if cause.is_malformed() {
                    Kind::Network(text)
                } else {
                    Kind::Answer(text)
                })
            }
            Self::Misfit(cause) => Error::new(Kind::Answer(cause.into())),
            Self::Timeout => Error::new(Kind::Timeout {
                scope: Scope::Request,
                after: timeout,
            }),
            Self::Aborted | Self::Lost => Error::new(Kind::Internal(
                "a worker died each time that it had this request".into(),
            )),
        }
    }
}

/// One line for the log: never a body, which a server may fill with anything.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { code, .. } => write!(f, "answered {code}"),
            Self::Transport(cause) => cause.fmt(f),
            Self::Decode(DecodeError::Shape { .. }) => f.write_str("an answer of another shape"),
            Self::Decode(cause) => cause.fmt(f),
            Self::Misfit(cause) => f.write_str(cause),
            Self::Timeout => f.write_str("timed out"),
            Self::Aborted => f.write_str("aborted"),
            Self::Lost => f.write_str("its worker died"),
        }
    }
}
