//! Which endpoint answers a request, and the answers of none.

use super::refusal::Refusal;
use super::reply::Reply;
use super::request::Request;
use super::shared::Shared;
use super::treatment::{Instead, Treatment};
use super::{chat, echo, embeddings, ranking};

/// Answers a request as planned. `body` is empty and takes the answer's body.
pub(super) fn answer(
    request: &Request<'_>,
    treatment: &Treatment,
    shared: &Shared,
    body: &mut Vec<u8>,
) -> Reply {
    let reply = match &treatment.instead {
        Some(Instead::Status {
            code,
            retry_after,
            body: text,
        }) => {
            let mut reply = Reply::error(*code, "a fault that was asked for", body);
            if let Some(text) = text {
                body.clear();
                body.extend_from_slice(text.as_bytes());
                reply.content_type = if text.starts_with(['{', '[']) {
                    "application/json"
                } else {
                    "text/plain"
                };
            }
            match retry_after {
                Some(retry_after) => reply.with_header("retry-after", retry_after.clone()),
                None => reply,
            }
        }
        Some(Instead::Redirect { to, code }) => {
            Reply::of(*code, "").with_header("location", to.clone())
        }
        _ => endpoint(request, treatment, shared, body)
            .map(|reply| echo::in_msgpack(request, reply, body))
            .unwrap_or_else(|Refusal(why)| Reply::error(400, &why, body)),
    };
    if treatment.bad_json {
        body.truncate(body.len() / 2);
    }
    reply
}

fn endpoint(
    request: &Request<'_>,
    treatment: &Treatment,
    shared: &Shared,
    body: &mut Vec<u8>,
) -> Result<Reply, Refusal> {
    let path = request.path();
    let path = path
        .strip_prefix("/v1")
        .filter(|rest| rest.starts_with('/'))
        .unwrap_or(path);
    if path == "/echo" || path.starts_with("/echo/") {
        return Ok(echo::answer(request, body));
    }
    let allowed = match path {
        "/health" => "GET, HEAD, OPTIONS",
        "/embeddings" | "/rerank" | "/predict" | "/chat/completions" | "/completions" => {
            "POST, OPTIONS"
        }
        _ => {
            let why = format!("there is nothing at {}", request.path());
            return Ok(Reply::error(404, &why, body));
        }
    };
    match (request.method(), path) {
        ("OPTIONS", _) => Ok(Reply::of(204, "").with_header("allow", allowed.to_owned())),
        ("GET" | "HEAD", "/health") => {
            body.extend_from_slice(b"{\"status\":\"ok\"}");
            Ok(Reply::json())
        }
        ("POST", "/embeddings") => embeddings::answer(request, treatment, shared, body),
        ("POST", "/rerank") => ranking::rerank(request, treatment, body),
        ("POST", "/predict") => ranking::predict(request, treatment, body),
        ("POST", "/chat/completions") => chat::answer(request, true, shared, body),
        ("POST", "/completions") => chat::answer(request, false, shared, body),
        (method, _) => {
            let why = format!("{method} is not for {}", request.path());
            Ok(Reply::error(405, &why, body).with_header("allow", allowed.to_owned()))
        }
    }
}
