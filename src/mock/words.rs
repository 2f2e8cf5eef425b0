//! What a refusal says: the text, and the shape of the body around it, as each
//! service has them.

use std::time::Duration;

use super::denial::Excess;
use super::limit_style::LimitStyle;
use super::limits::Limits;
use super::print::{push_integer, push_string};
use super::quota::{spelled, whole_seconds};

/// The body of a refusal of this status.
pub(super) fn body(excess: Excess, limits: &Limits, status: u16, path: &str) -> Vec<u8> {
    if excess == Excess::Connections {
        return b"Service Unavailable".to_vec();
    }
    let style = limits.style;
    let message = message(excess, limits);
    let mut body = Vec::new();
    match style {
        LimitStyle::Tei => tei(excess, status, &message, path, &mut body),
        LimitStyle::Anthropic => anthropic(excess, &message, &mut body),
        LimitStyle::Mistral => mistral(excess, status, &message, &mut body),
        LimitStyle::Jina => jina(excess, &message, &mut body),
        LimitStyle::Cohere => cohere(&message, &mut body),
        _ => openai(excess, style, status, &message, &mut body),
    }
    body
}

fn message(excess: Excess, limits: &Limits) -> String {
    let requests = limits.requests_per_minute.unwrap_or_default();
    let tokens = limits.tokens_per_minute.unwrap_or_default();
    let items_at_most = limits.max_batch_items.unwrap_or_default();
    let tokens_at_most = limits.max_batch_tokens.unwrap_or_default();
    match (excess, limits.style) {
        (Excess::InFlight | Excess::InputsInFlight, LimitStyle::Tei) => {
            "Model is overloaded".to_owned()
        }
        (Excess::InFlight | Excess::InputsInFlight, LimitStyle::Mistral) => {
            "Service tier capacity exceeded for this model.".to_owned()
        }
        (Excess::InFlight, LimitStyle::Jina) => {
            let most = limits.max_in_flight.unwrap_or_default();
            format!("Concurrency limit exceeded: {most}/{most} concurrent requests")
        }
        (Excess::InputsInFlight, _) => {
            "The server is overloaded: too many inputs are in flight".to_owned()
        }
        (Excess::InFlight | Excess::Connections, _) => {
            "The server is overloaded: too many requests are in flight".to_owned()
        }

        (Excess::Requests(_) | Excess::Tokens(_), LimitStyle::Mistral) => {
            "Rate limit exceeded".to_owned()
        }
        (Excess::Requests(_), LimitStyle::Jina) => {
            format!("Request rate limit exceeded: {requests}/{requests} requests per minute")
        }
        (Excess::Tokens(_), LimitStyle::Jina) => {
            format!("Token rate limit exceeded: {tokens}/{tokens} tokens per minute")
        }
        (Excess::Requests(_), LimitStyle::Cohere) => {
            format!("You are using a Trial key, which is limited to {requests} API calls / minute.")
        }
        (Excess::Tokens(_), LimitStyle::Cohere) => {
            format!("trial token rate limit exceeded, limit is {tokens} tokens per minute")
        }
        (Excess::Requests(wait), style) => format!(
            "Rate limit reached on requests per min (RPM): Limit {requests}.{}",
            come_again(style, wait)
        ),
        (Excess::Tokens(wait), style) => format!(
            "Rate limit reached on tokens per min (TPM): Limit {tokens}.{}",
            come_again(style, wait)
        ),

        (Excess::BatchItems(items), LimitStyle::Tei) => {
            format!("batch size {items} > maximum allowed batch size {items_at_most}")
        }
        (Excess::BatchItems(_), LimitStyle::DashScope) => {
            format!("batch size is invalid, it should not be larger than {items_at_most}")
        }
        (Excess::BatchItems(_), LimitStyle::Mistral) => {
            "Too many inputs in request, split into more batches.".to_owned()
        }
        (Excess::BatchItems(_), LimitStyle::Jina) => {
            format!("Each input list can contain at most {items_at_most} items.")
        }
        (Excess::BatchItems(items), LimitStyle::Cohere) => format!(
            "invalid request: total number of texts must be at most {items_at_most} - received {items}"
        ),
        (Excess::BatchItems(items), _) => {
            format!("Too many inputs: {items}, the maximum is {items_at_most}")
        }
        (Excess::BatchTokens(tokens), LimitStyle::Tei) => format!(
            "Input validation error: `inputs` must have less than {tokens_at_most} tokens. Given: {tokens}"
        ),
        (Excess::BatchTokens(_), LimitStyle::Mistral) => {
            "Too many tokens overall, split into more batches.".to_owned()
        }
        (Excess::BatchTokens(tokens), _) => {
            format!("Requested {tokens} tokens, max {tokens_at_most} tokens per request")
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
        Excess::InFlight | Excess::InputsInFlight | Excess::Connections if status < 500 => {
            ("requests", "overloaded")
        }
        Excess::InFlight | Excess::InputsInFlight | Excess::Connections => {
            ("server_error", "overloaded")
        }
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
        Excess::InFlight | Excess::InputsInFlight | Excess::Connections => "overloaded_error",
        Excess::Requests(_) | Excess::Tokens(_) => "rate_limit_error",
        Excess::BatchItems(_) | Excess::BatchTokens(_) => "invalid_request_error",
    };
    body.extend_from_slice(b"{\"type\":\"error\",\"error\":{\"type\":");
    push_string(body, kind);
    body.extend_from_slice(b",\"message\":");
    push_string(body, message);
    body.extend_from_slice(b"}}");
}

fn mistral(excess: Excess, status: u16, message: &str, body: &mut Vec<u8>) {
    let (kind, code) = match excess {
        Excess::InFlight | Excess::InputsInFlight | Excess::Connections => {
            ("service_tier_capacity_exceeded", "3505")
        }
        Excess::Requests(_) | Excess::Tokens(_) => ("rate_limited", "1300"),
        Excess::BatchItems(_) | Excess::BatchTokens(_) => ("invalid_request_error", "3210"),
    };
    body.extend_from_slice(b"{\"object\":\"error\",\"message\":");
    push_string(body, message);
    body.extend_from_slice(b",\"type\":");
    push_string(body, kind);
    body.extend_from_slice(b",\"param\":null,\"code\":");
    push_string(body, code);
    body.extend_from_slice(b",\"raw_status_code\":");
    push_integer(body, usize::from(status));
    body.push(b'}');
}

fn jina(excess: Excess, message: &str, body: &mut Vec<u8>) {
    let code = match excess {
        Excess::InFlight | Excess::InputsInFlight | Excess::Connections => {
            "RATE_CONCURRENCY_LIMIT_EXCEEDED"
        }
        Excess::Requests(_) => "RATE_REQUEST_LIMIT_EXCEEDED",
        Excess::Tokens(_) => "RATE_TOKEN_LIMIT_EXCEEDED",
        Excess::BatchItems(_) | Excess::BatchTokens(_) => "",
    };
    body.extend_from_slice(b"{\"code\":");
    push_name(body, code);
    body.extend_from_slice(b",\"detail\":");
    push_string(body, message);
    body.push(b'}');
}

fn cohere(message: &str, body: &mut Vec<u8>) {
    body.extend_from_slice(b"{\"id\":\"00000000-0000-4000-8000-000000000000\",\"message\":");
    push_string(body, message);
    body.push(b'}');
}

/// text-embeddings-inference has one shape for its own endpoints and another for
/// those it took from `OpenAI`.
fn tei(excess: Excess, status: u16, message: &str, path: &str, body: &mut Vec<u8>) {
    let kind = match excess {
        Excess::BatchItems(_) | Excess::BatchTokens(_) => "Validation",
        _ => "Overloaded",
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
