//! `/stats`, `/mock/rules` and `/mock/limits`: the server's own handle, over HTTP.
//! None counts, waits or fails as other requests do.

use serde::Serialize;

use super::limits::Limits;
use super::reply::Reply;
use super::request::Request;
use super::rules::Rule;
use super::shared::Shared;

pub(super) fn is_control(path: &str) -> bool {
    path == "/stats" || path.starts_with("/mock/")
}

pub(super) fn answer(request: &Request<'_>, shared: &Shared, body: &mut Vec<u8>) -> Reply {
    match (request.method(), request.path()) {
        ("GET" | "HEAD", "/stats") => json(&shared.ledger.snapshot(), body),
        ("DELETE", "/stats") => {
            shared.reset_stats();
            Reply::of(204, "")
        }
        ("GET" | "HEAD", "/mock/rules") => json(&shared.rules.list(), body),
        ("POST", "/mock/rules") => match rules(request.body()) {
            Ok(rules) => {
                shared.rules.add(rules);
                json(&shared.rules.list(), body)
            }
            Err(error) => Reply::error(400, &format!("these are no rules: {error}"), body),
        },
        ("DELETE", "/mock/rules") => {
            shared.rules.clear();
            Reply::of(204, "")
        }
        ("GET" | "HEAD", "/mock/limits") => json(&shared.limiter.limits(), body),
        ("POST", "/mock/limits") => match limits(request.body()) {
            Ok(limits) => {
                shared.limiter.set(limits);
                json(&shared.limiter.limits(), body)
            }
            Err(error) => Reply::error(400, &format!("these are no limits: {error}"), body),
        },
        ("DELETE", "/mock/limits") => {
            shared.limiter.set(Limits::default());
            Reply::of(204, "")
        }
        (_, "/stats" | "/mock/rules" | "/mock/limits") => {
            Reply::error(405, "no such method here", body)
        }
        (_, path) => Reply::error(404, &format!("there is nothing at {path}"), body),
    }
}

/// Read one way or the other by its first byte, because an error of an
/// untagged enum would not say what is wrong.
fn rules(body: &[u8]) -> serde_json::Result<Vec<Rule>> {
    if body.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice(body)
    } else {
        serde_json::from_slice(body).map(|rule| vec![rule])
    }
}

fn limits(body: &[u8]) -> Result<Limits, String> {
    let limits: Limits = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    limits.check().map_err(|error| error.to_string())?;
    Ok(limits)
}

fn json(value: &impl Serialize, body: &mut Vec<u8>) -> Reply {
    // Plain structs with string keys always serialise into memory.
    let _ = serde_json::to_writer(body, value);
    Reply::json()
}
