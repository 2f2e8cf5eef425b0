//! A request that a limit refuses: by which limit, with what status and headers.

use std::time::{Duration, SystemTime};

use super::limit_style::LimitStyle;
use super::limits::Limits;
use super::quota::{Headers, push_retry_after};
use super::reply::Reply;
use super::words;

/// Which limit a request is above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// Too many connections are open, whoever sent the request.
    Connections,
    InFlight,
    InputsInFlight,
    /// Above a rate, until then.
    Requests(Duration),
    Tokens(Duration),
    /// So many inputs, or tokens of all of them.
    BatchItems(u64),
    BatchTokens(u64),
}

impl Excess {
    /// The limit's name, as [`Limits`] has it.
    pub(super) fn limit(self) -> &'static str {
        match self {
            Self::Connections => "limit_concurrency",
            Self::InFlight => "max_in_flight",
            Self::InputsInFlight => "max_inputs_in_flight",
            Self::Requests(_) => "requests_per_minute",
            Self::Tokens(_) => "tokens_per_minute",
            Self::BatchItems(_) => "max_batch_items",
            Self::BatchTokens(_) => "max_batch_tokens",
        }
    }
}

/// A refusal, ready to be sent.
#[derive(Debug)]
pub(super) struct Denial {
    /// The limit's name.
    pub(super) limit: &'static str,
    /// Whether the connection is closed behind it.
    pub(super) closes: bool,
    pub(super) reply: Reply,
    pub(super) body: Vec<u8>,
}

impl Denial {
    /// Boxed, because it is the rare way out of what every request passes.
    /// `headers` tell of the rates.
    pub(super) fn new(
        excess: Excess,
        limits: &Limits,
        path: &str,
        mut headers: Headers,
        now: SystemTime,
    ) -> Box<Self> {
        match (excess, limits.retry_after) {
            (Excess::Requests(wait) | Excess::Tokens(wait), _) => {
                push_retry_after(limits.style, wait, now, &mut headers);
            }
            (Excess::InFlight | Excess::InputsInFlight, Some(seconds)) => {
                headers.push(("retry-after", seconds.to_string()));
            }
            _ => {}
        }
        let status = status(excess, limits);
        let closes = excess == Excess::Connections;
        let content_type = if closes {
            "text/plain; charset=utf-8"
        } else {
            "application/json"
        };
        Box::new(Self {
            limit: excess.limit(),
            closes,
            reply: Reply {
                headers,
                ..Reply::of(status, content_type)
            },
            body: words::body(excess, limits, status, path),
        })
    }
}

fn status(excess: Excess, limits: &Limits) -> u16 {
    match (excess, limits.style) {
        (Excess::Connections, _) => 503,
        (Excess::InFlight | Excess::InputsInFlight, _) => limits.overload_status,
        (Excess::Requests(_) | Excess::Tokens(_), _) => 429,
        (Excess::BatchItems(_), LimitStyle::Tei) => 422,
        (Excess::BatchTokens(_), LimitStyle::Tei) => 413,
        (Excess::BatchItems(_) | Excess::BatchTokens(_), _) => 400,
    }
}
