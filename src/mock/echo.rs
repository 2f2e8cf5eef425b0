//! `/echo` and everything below it: answers any method with what it was sent,
//! as JSON or as `MessagePack`; and the answers of other endpoints as the latter.

use serde::de::IgnoredAny;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::print::push_string;
use super::reply::Reply;
use super::request::Request;

/// The names that `MessagePack` goes by.
const MSGPACK: [&str; 4] = [
    "application/msgpack",
    "application/x-msgpack",
    "application/messagepack",
    "application/vnd.msgpack",
];

/// What an echo says, in `MessagePack`.
#[derive(Serialize)]
struct Echo<'a> {
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    headers: Map<String, Value>,
    body: Echoed<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Echoed<'a> {
    Json(Value),
    Nothing,
    #[serde(serialize_with = "as_bin")]
    Bytes(&'a [u8]),
}

fn as_bin<S: Serializer>(bytes: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Answers `{method, path, query, headers, body}`. Header names come in lower
/// case; one that was sent several times has a list. A body that is JSON is
/// given as it came; another is a string, in `MessagePack` a `bin`; none is null.
pub(super) fn answer(request: &Request<'_>, body: &mut Vec<u8>) -> Reply {
    if let Some(content_type) = wants_msgpack(request) {
        let echo = Echo {
            method: request.method(),
            path: request.path(),
            query: request.query(),
            headers: headers(request),
            body: match serde_json::from_slice(request.body()) {
                Ok(value) => Echoed::Json(value),
                Err(_) if request.body().is_empty() => Echoed::Nothing,
                Err(_) => Echoed::Bytes(request.body()),
            },
        };
        push_msgpack(body, &echo);
        return Reply::of(200, content_type);
    }
    body.reserve(request.body().len() + 1024);
    body.extend_from_slice(b"{\"method\":");
    push_string(body, request.method());
    body.extend_from_slice(b",\"path\":");
    push_string(body, request.path());
    body.extend_from_slice(b",\"query\":");
    match request.query() {
        Some(query) => push_string(body, query),
        None => body.extend_from_slice(b"null"),
    }
    body.extend_from_slice(b",\"headers\":");
    body.extend_from_slice(Value::from(headers(request)).to_string().as_bytes());
    body.extend_from_slice(b",\"body\":");
    if request.body().is_empty() {
        body.extend_from_slice(b"null");
    } else if serde_json::from_slice::<IgnoredAny>(request.body()).is_ok() {
        body.extend_from_slice(request.body());
    } else {
        push_string(body, &String::from_utf8_lossy(request.body()));
    }
    body.push(b'}');
    Reply::json()
}

/// Puts the JSON of another endpoint into `MessagePack`, where the request asks for that.
pub(super) fn in_msgpack(request: &Request<'_>, reply: Reply, body: &mut Vec<u8>) -> Reply {
    let asked = request.mock_header("x-mock-msgpack");
    if asked.is_none() || reply.content_type != "application/json" {
        return reply;
    }
    // A fault may have left what is no JSON.
    if let Ok(value) = serde_json::from_slice(body) {
        body.clear();
        push_msgpack::<Value>(body, &value);
    }
    Reply {
        content_type: wants_msgpack(request).unwrap_or(MSGPACK[0]),
        ..reply
    }
}

/// Writes a value, its structs as maps.
fn push_msgpack<T: Serialize>(body: &mut Vec<u8>, value: &T) {
    // Writing into memory cannot fail, and every value here has a form in `MessagePack`.
    let _ = rmp_serde::encode::write_named(body, value);
}

/// The name of `MessagePack` that the request accepts or asks for, if it does.
fn wants_msgpack(request: &Request<'_>) -> Option<&'static str> {
    let asked = request.mock_header("x-mock-msgpack");
    let accepted = asked.or_else(|| request.header("accept"))?;
    let named = MSGPACK.into_iter().find(|name| accepted.contains(name));
    named.or(asked.map(|_| MSGPACK[0]))
}

fn headers(request: &Request<'_>) -> Map<String, Value> {
    let mut headers = Map::new();
    for (name, value) in request.headers() {
        let seen = headers
            .entry(name.to_ascii_lowercase())
            .or_insert(Value::Null);
        *seen = match seen.take() {
            Value::Null => Value::from(value),
            Value::Array(mut values) => {
                values.push(Value::from(value));
                Value::Array(values)
            }
            first => Value::Array(vec![first, Value::from(value)]),
        };
    }
    headers
}
