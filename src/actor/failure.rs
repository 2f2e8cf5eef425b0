//! Why an attempt failed, and what becomes of it: one failure, told in four ways.
//!
//! | what happened | told by | here | to the retry policy | to the caller |
//! |---|---|---|---|---|
//! | an exchange broke | [`TransportError`] | `Transport` | `Connect`, `Exhausted`, `Network`, `Permanent` | connect, network, answer, config |
//! | the server refused | [`Refusal`] | `Refused` | `TooMuch`, `Status` | status |
//! | an answer cannot be read | [`DecodeError`] | `Decode`; `Refused` where it is an error with a status | `Network` where it may be cut, `Hollow`, `Permanent` or `Mismatch` | network, answer, status |
//! | a part does not fit the others | [`Gather::accept`](crate::job::Gather::accept) | `Misfit` | `Mismatch` | answer |
//! | its time was over | the Worker | `Timeout` | `Timeout` | timeout |
//! | nobody waits, or a Worker died | the Worker, the WorkerPool | `Aborted`, `Lost` | `Lost` | internal |
//!
//! Each carries what its place knows: bytes, rows, or what may be done about it. The table is
//! [`fault`](Failure::fault), [`into_error`](Failure::into_error) and, for its first row, the
//! conversion beside [`TransportError`]; none of them compiles when a kind is missing.

use crate::config::Checked;
use crate::decode::DecodeError;
use crate::error::{Error, Kind, Scope};
use crate::policy::gate::Pause;
use crate::policy::limit::Sign;
use crate::policy::retry::{Fault, GateTerms, outlasts};
use crate::transport::{Head, Refusal, TransportError};
use std::fmt;
use std::time::Duration;

/// Why an attempt failed.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    Refused(Refusal),
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
            Self::Refused(refusal) => {
                Fault::of_status(refusal.code, refusal.retry_after, refusal.advice)
            }
            Self::Transport(cause) => match cause {
                TransportError::Connect(_) => Fault::Connect,
                TransportError::Exhausted(_) => Fault::Exhausted,
                TransportError::Untrusted(_)
                | TransportError::TooLarge { .. }
                | TransportError::Overpacked(_)
                | TransportError::BadRequest(_) => Fault::Permanent,
                TransportError::Broken(_)
                | TransportError::Stale { .. }
                | TransportError::Truncated { .. }
                | TransportError::Malformed(_) => Fault::Network,
            },
            Self::Decode(cause) => match cause {
                // JSON that ends early was, most often, cut short on its way.
                DecodeError::Malformed(_) => Fault::Network,
                DecodeError::NotJson(_) | DecodeError::Shape { .. } => Fault::Permanent,
                DecodeError::Count { found: 0, .. } => Fault::Hollow,
                DecodeError::Count { .. }
                | DecodeError::Index { .. }
                | DecodeError::Empty { .. }
                | DecodeError::Dimensions { .. }
                | DecodeError::NonFinite { .. }
                | DecodeError::Base64 { .. } => Fault::Mismatch,
            },
            Self::Misfit(_) => Fault::Mismatch,
            Self::Timeout => Fault::Timeout,
            Self::Aborted | Self::Lost => Fault::Lost,
        }
    }

    /// The failure as its endpoint's limits see it. A longer pause than `most` is made by nobody,
    /// and others may be told something else.
    pub(super) fn sign(&self, terms: GateTerms, most: Duration) -> Sign {
        match (self, self.fault()) {
            (Self::Refused(_), Fault::TooMuch { retry_after, .. }) => {
                if outlasts(retry_after, most) {
                    Sign::None
                } else {
                    Sign::TooMuch(Pause {
                        asked: retry_after,
                        initial: terms.initial_backoff,
                    })
                }
            }
            (Self::Transport(TransportError::Untrusted(_)), _)
            | (Self::Transport(_), Fault::Connect) => Sign::Unreachable,
            (Self::Transport(_), Fault::Exhausted) => Sign::Exhausted,
            (Self::Transport(TransportError::Stale { .. }), _) => Sign::Stale,
            (Self::Transport(_), Fault::Network) => Sign::Broken,
            (
                Self::Transport(TransportError::TooLarge { .. } | TransportError::Overpacked(_))
                | Self::Refused(_)
                | Self::Decode(_)
                | Self::Misfit(_),
                _,
            ) => Sign::Served,
            (Self::Timeout, _) => Sign::Silent,
            (Self::Transport(_) | Self::Aborted | Self::Lost, _) => Sign::None,
        }
    }

    /// The failure as the caller is told. `head` says which keys a server may have sent back;
    /// `settings` are the operation's.
    pub(super) fn into_error(self, head: &Head, settings: &Checked) -> Error {
        let error = Error::new(self.into_kind(head, settings));
        if error.is_config() {
            // Nothing was asked of anyone.
            return error;
        }
        error.with_request(head.told())
    }

    fn into_kind(self, head: &Head, settings: &Checked) -> Kind {
        match self {
            Self::Refused(refusal) => refused(refusal, settings.retry.max_retry_after()),
            Self::Transport(cause) => cause.into(),
            Self::Decode(cause) => {
                let text = head.without_key(&cause.to_string());
                if cause.is_malformed() {
                    Kind::Network(text)
                } else {
                    Kind::Answer(text)
                }
            }
            Self::Misfit(cause) => Kind::Answer(cause.into()),
            Self::Timeout => Kind::Timeout {
                scope: Scope::Request,
                after: settings.timeout,
            },
            Self::Aborted | Self::Lost => {
                Kind::Internal("a worker died each time that it had this request".into())
            }
        }
    }
}

/// A refusal as the caller is told. A longer pause than `most` is not made.
fn refused(refusal: Refusal, most: Duration) -> Kind {
    let Refusal {
        code,
        headers,
        body,
        location,
        retry_after,
        advice: _,
        rates: _,
        complaint: _,
    } = refusal;
    Kind::Status {
        code,
        headers,
        body,
        location,
        retry_after,
        too_long: outlasts(retry_after, most).then_some(most),
    }
}

/// One line for the log: never a body, which a server may fill with anything.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "answered {}", refusal.code),
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
