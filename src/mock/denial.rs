//! A request that a limit refuses: why, and in the words of which service.

use std::time::Duration;

use super::limits::{LimitStyle, Limits};
use super::print::{push_integer, push_string};
use super::quota::{Headers, push_retry_after, spelled, whole_seconds};
use super::reply::Reply;

/// Which limit a request is above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    InFlight,
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
            Self::InFlight => "max_in_flight",
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
    ) -> Box<Self> {
        let style = limits.style;
        match (excess, limits.retry_after) {
            (Excess::Requests(wait) | Excess::Tokens(wait), _) => {
                push_retry_after(style, wait, &mut headers);
            }
            (Excess::InFlight, Some(seconds)) => headers.push(("retry-after", seconds.to_string())),
            _ => {}
        }
        let status = status(excess, limits);
        let message = message(excess, limits);
        let mut body = Vec::new();
        match style {
            LimitStyle::Tei => tei(excess, status, &message, path, &mut body),
            LimitStyle::Anthropic => anthropic(excess, &message, &mut body),
            _ => openai(excess, style, status, &message, &mut body),
        }
        Box::new(Self {
            limit: excess.limit(),
            reply: Reply {
                headers,
                ..Reply::of(status, "application/json")
            },
            body,
        })
    }
}

fn status(excess: Excess, limits: &Limits) -> u16 {
    match (excess, limits.style) {
        (Excess::InFlight, _) => limits.overload_status,
        (Excess::Requests(_) | Excess::Tokens(_), _) => 429,
        (Excess::BatchItems(_), LimitStyle::Tei) => 422,
        (Excess::BatchTokens(_), LimitStyle::Tei) => 413,
        (Excess::BatchItems(_) | Excess::BatchTokens(_), _) => 400,
    }
}

fn message(excess: Excess, limits: &Limits) -> String {
    let style = limits.style;
    match excess {
        Excess::InFlight if style == LimitStyle::Tei => "Model is overloaded".to_owned(),
        Excess::InFlight => "The server is overloaded: too many requests are in flight".to_owned(),
        Excess::Requests(wait) => {
            let limit = limits.requests_per_minute.unwrap_or_default();
            format!(
                "Rate limit reached on requests per min (RPM): Limit {limit}.{}",
                come_again(style, wait)
            )
        }
        Excess::Tokens(wait) => {
            let limit = limits.tokens_per_minute.unwrap_or_default();
            format!(
                "Rate limit reached on tokens per min (TPM): Limit {limit}.{}",
                come_again(style, wait)
            )
        }
        Excess::BatchItems(items) => {
            let most = limits.max_batch_items.unwrap_or_default();
            match style {
                LimitStyle::Tei => {
                    format!("batch size {items} > maximum allowed batch size {most}")
                }
                LimitStyle::DashScope => {
                    format!("batch size is invalid, it should not be larger than {most}")
                }
                _ => format!("Too many inputs: {items}, the maximum is {most}"),
            }
        }
        Excess::BatchTokens(tokens) => {
            let most = limits.max_batch_tokens.unwrap_or_default();
            match style {
                LimitStyle::Tei => format!(
                    "Input validation error: `inputs` must have less than {most} tokens. Given: {tokens}"
                ),
                _ => format!("Requested {tokens} tokens, max {most} tokens per request"),
            }
        }
    }
}

/// What the text says of when to come again: the only place where a service
/// without headers says it.
fn come_again(style: LimitStyle, wait: Duration) -> String {
    match style {
        LimitStyle::OpenAi => format!(" Please try again in {}.", spelled(wait)),
        LimitStyle::Azure => format!(" Please retry after {} seconds.", whole_seconds(wait)),
        _ => String::new(),
    }
}

fn openai(excess: Excess, style: LimitStyle, status: u16, message: &str, body: &mut Vec<u8>) {
    let (kind, code) = match excess {
        Excess::InFlight if status < 500 => ("requests", "overloaded"),
        Excess::InFlight => ("server_error", "overloaded"),
        Excess::Requests(_) | Excess::Tokens(_) if style == LimitStyle::Azure => ("", "429"),
        Excess::Requests(_) => ("requests", "rate_limit_exceeded"),
        Excess::Tokens(_) => ("tokens", "rate_limit_exceeded"),
        Excess::BatchItems(_) => ("invalid_request_error", ""),
        Excess::BatchTokens(_) => ("max_tokens_per_request", "max_tokens_per_request"),
    };
    body.extend_from_slice(b"{\"error\":{\"message\":");
    push_string(body, message);
    body.extend_from_slice(b",\"type\":");
    push_name(body, kind);
    body.extend_from_slice(b",\"param\":null,\"code\":");
    push_name(body, code);
    body.extend_from_slice(b"}}");
}

/// A string, or null where there is none.
fn push_name(body: &mut Vec<u8>, name: &str) {
    if name.is_empty() {
        body.extend_from_slice(b"null");
    } else {
        push_string(body, name);
    }
}

fn anthropic(excess: Excess, message: &str, body: &mut Vec<u8>) {
    let kind = match excess {
        Excess::InFlight => "overloaded_error",
        Excess::Requests(_) | Excess::Tokens(_) => "rate_limit_error",
        Excess::BatchItems(_) | Excess::BatchTokens(_) => "invalid_request_error",
    };
    body.extend_from_slice(b"{\"type\":\"error\",\"error\":{\"type\":");
    push_string(body, kind);
    body.extend_from_slice(b",\"message\":");
    push_string(body, message);
    body.extend_from_slice(b"}}");
}

/// text-embeddings-inference has one shape for its own endpoints and another for
/// those it took from `OpenAI`.
fn tei(excess: Excess, status: u16, message: &str, path: &str, body: &mut Vec<u8>) {
    let kind = match excess {
        Excess::BatchItems(_) | Excess::BatchTokens(_) => "Validation",
        Excess::InFlight | Excess::Requests(_) | Excess::Tokens(_) => "Overloaded",
    };
    if path.starts_with("/v1/") || path == "/embeddings" {
        body.extend_from_slice(b"{\"message\":");
        push_string(body, message);
        body.extend_from_slice(b",\"code\":");
        push_integer(body, usize::from(status));
        body.extend_from_slice(b",\"type\":");
    } else {
        body.extend_from_slice(b"{\"error\":");
        push_string(body, message);
        body.extend_from_slice(b",\"error_type\":");
    }
    push_string(body, kind);
    body.push(b'}');
}
