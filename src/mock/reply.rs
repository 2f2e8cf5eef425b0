//! What an endpoint answers, before it is framed for the wire. The body lies in
//! the connection's buffer, so that a large one is written once and never copied.

use std::time::Duration;

use super::completion::Script;
use super::print::push_string;

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    /// How long the work takes that the endpoint pretends to do.
    pub(super) takes: Duration,
    /// Where the body is a stream of events: what to play.
    pub(super) script: Option<Script>,
}

impl Reply {
    /// A JSON body that the endpoint has written.
    pub(super) fn json() -> Self {
        Self::of(200, "application/json")
    }

    pub(super) fn of(status: u16, content_type: &'static str) -> Self {
        let takes = Duration::ZERO;
        Self {
            status,
            content_type,
            headers: Vec::new(),
            takes,
            script: None,
        }
    }

    /// An error in the shape of `OpenAI`'s, in place of what `body` held.
    pub(super) fn error(status: u16, message: &str, body: &mut Vec<u8>) -> Self {
        let kind = if status < 500 {
            "invalid_request_error"
        } else {
            "server_error"
        };
        body.clear();
        body.extend_from_slice(b"{\"error\":{\"message\":");
        push_string(body, message);
        body.extend_from_slice(b",\"type\":\"");
        body.extend_from_slice(kind.as_bytes());
        body.extend_from_slice(b"\",\"param\":null,\"code\":null}}");
        Self::of(status, "application/json")
    }

    pub(super) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// The words that go with a status.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        302 => "Found",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        529 => "Site is overloaded",
        _ => "Status",
    }
}
