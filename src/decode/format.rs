//! What an answer is written in, and what every answer that is not embeddings in JSON is read with.

use super::{DecodeError, message_pack};
use crate::headers::Headers;
use serde::de::{DeserializeOwned, IgnoredAny};

/// What an answer is written in, as its content type says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// JSON, also under a name such as `application/problem+json`.
    Json,
    /// `MessagePack`, under one of the names that it goes by.
    MessagePack,
    /// Anything else, and what is not said.
    Other,
}

impl Format {
    /// What the body of an answer with these headers is written in.
    pub(crate) fn of_answer(headers: &Headers) -> Self {
        Self::of(headers.content_type())
    }

    /// Reads the value of `content-type`; its parameters and its case do not matter.
    #[must_use]
    pub fn of(content_type: Option<&str>) -> Self {
        let value = content_type.unwrap_or_default();
        if value == "application/json" {
            return Self::Json;
        }
        let name = value.split(';').next().unwrap_or_default();
        match name.trim().to_ascii_lowercase().as_str() {
            "application/msgpack"
            | "application/x-msgpack"
            | "application/messagepack"
            | "application/vnd.msgpack" => Self::MessagePack,
            "application/json" | "text/json" => Self::Json,
            name if name.ends_with("+json") => Self::Json,
            _ => Self::Other,
        }
    }
}

/// The mark that some editors and languages write before UTF-8 text, which is no part of its JSON.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A text without the byte order mark that it may begin with.
pub(crate) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(MARK).unwrap_or(body)
}

/// Checks that a body is whole. One whose format is not known always is.
///
/// # Errors
///
/// [`DecodeError::Malformed`] or [`DecodeError::NotJson`].
pub fn check(format: Format, body: &[u8]) -> Result<(), DecodeError> {
    match format {
        Format::Json => {
            let body = without_mark(body);
            let read = serde_json::from_slice::<IgnoredAny>(body);
            read.map(drop)
                .map_err(|cause| DecodeError::of_json(&cause, body))
        }
        Format::MessagePack => message_pack::walk(body),
        Format::Other => Ok(()),
    }
}

/// Reads a body into a type. One whose format is not known is taken for JSON.
///
/// # Errors
///
/// As [`check`], and [`DecodeError::Shape`] if the body is whole and something else.
pub fn typed<T: DeserializeOwned>(format: Format, body: &[u8]) -> Result<T, DecodeError> {
    if format == Format::MessagePack {
        return message_pack::read(body);
    }
    let body = without_mark(body);
    serde_json::from_slice(body).map_err(|cause| {
        // The typed reader stops where the shape is wrong, which does not say whether the body is
        // whole.
        match check(Format::Json, body) {
            Ok(()) => DecodeError::shape(&cause, body),
            Err(malformed) => malformed,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_type_is_read_whatever_its_case_and_parameters() {
        for (value, format) in [
            ("application/json", Format::Json),
            ("Application/JSON; charset=utf-8", Format::Json),
            ("application/problem+json", Format::Json),
            ("application/msgpack", Format::MessagePack),
            (" application/X-MsgPack ;v=5", Format::MessagePack),
            ("application/messagepack", Format::MessagePack),
            ("APPLICATION/VND.MSGPACK", Format::MessagePack),
            ("application/x-msgpack-stream", Format::Other),
            ("application/x-ndjson", Format::Other),
            ("text/plain", Format::Other),
            ("", Format::Other),
        ] {
            assert_eq!(Format::of(Some(value)), format, "{value}");
        }
        assert_eq!(Format::of(None), Format::Other);
    }

    #[test]
    fn what_is_cut_and_what_is_something_else_are_told_apart() {
        let cut = typed::<Vec<u8>>(Format::Json, b"{\"a\":[1,").unwrap_err();
        assert!(cut.is_malformed());
        let other = typed::<Vec<u8>>(Format::Json, b"{\"a\":[1]}").unwrap_err();
        assert!(matches!(other, DecodeError::Shape { excerpt, .. } if excerpt == "{\"a\":[1]}"));
        assert_eq!(typed::<Vec<u8>>(Format::Other, b"[1]"), Ok(vec![1]));
        assert!(check(Format::Json, b"{\"a\":[1]}").is_ok());
        assert!(check(Format::Json, b"{\"a\":[1").is_err());
        assert!(check(Format::Json, b"").is_err());
        assert!(check(Format::Other, b"{\"a\":[1").is_ok());
    }
}
