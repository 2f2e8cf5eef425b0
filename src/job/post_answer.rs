//! What comes back of a post: bytes, until someone looks.

use crate::decode::{self, DecodeError, Format};
use crate::error::{Error, Kind, Result};
use crate::transport::Head;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;

/// The answer to one payload. Cloning copies no bytes.
#[derive(Clone)]
pub struct PostAnswer {
    body: Bytes,
    format: Format,
    /// Says which keys a server may have sent back, so that no error shows them.
    head: Arc<Head>,
}

impl PostAnswer {
    /// Checks that a body is whole, and takes it, JSON without a byte order mark. One without any bytes
    /// becomes `{}`.
    pub(crate) fn read(
        format: Format,
        body: &mut Vec<u8>,
        head: &Arc<Head>,
    ) -> std::result::Result<Self, DecodeError> {
        let (body, format) = if body.is_empty() {
            (Bytes::from_static(b"{}"), Format::Json)
        } else {
            if format == Format::Json {
                let mark = body.len() - decode::without_mark(body).len();
                body.drain(..mark);
            }
            decode::check(format, body)?;
            (taken(body), format)
        };
        Ok(Self {
            body,
            format,
            head: Arc::clone(head),
        })
    }

    /// The body, decompressed. `{}` where the server sent none, and for methods whose answers are
    /// taken for that.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body, given away.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.body
    }

    /// Whether the body is JSON, as its content type says.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Whether the body is `MessagePack`, as its content type says.
    #[must_use]
    pub fn is_message_pack(&self) -> bool {
        self.format == Format::MessagePack
    }

    /// Reads the body, JSON or `MessagePack`, into a type. A body that is said to be something else
    /// is tried as JSON. A `bin` of `MessagePack` can be read into a type that takes bytes, which
    /// [`serde_json::Value`] does not.
    ///
    /// # Errors
    ///
    /// When it is something else ([`Error::is_answer`]).
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        decode::typed(self.format, &self.body).map_err(|cause| {
            let cause = cause.redacted(|text| self.head.without_key(&text));
            let text = self.head.without_key(&cause.to_string());
            Error::new(Kind::Answer(text)).with_request(self.head.told())
        })
    }
}

/// The content out of a Worker's buffer: copied where it fills little of it, since it may be kept
/// for long, and the buffer is of use to the next answer.
fn taken(body: &mut Vec<u8>) -> Bytes {
    if body.len() < body.capacity() / 2 {
        Bytes::copy_from_slice(body)
    } else {
        std::mem::take(body).into()
    }
}

/// The body may hold anything: it is not shown.
impl fmt::Debug for PostAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostAnswer")
            .field("format", &self.format)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Account;
    use http::{HeaderName, HeaderValue, Method};
    use serde_json::{Value, json};

    fn answer(format: Format, body: &[u8]) -> std::result::Result<PostAnswer, DecodeError> {
        let mut key = HeaderValue::from_static("Bearer sk-secret");
        key.set_sensitive(true);
        let account = Arc::new(Account::new("http://h", &[]));
        let headers = vec![(HeaderName::from_static("authorization"), key)];
        let head = Arc::new(Head::new(Method::POST, "http://h/", account, headers));
        PostAnswer::read(format, &mut body.to_vec(), &head)
    }

    #[test]
    fn an_answer_is_read_in_the_format_that_it_is_in() {
        let value = json!({"a": 1});
        let packed = rmp_serde::to_vec(&value).unwrap();
        let packed = answer(Format::MessagePack, &packed).unwrap();
        assert!(packed.is_message_pack() && !packed.is_json());
        assert_eq!(packed.json::<Value>().unwrap(), value);
        let text = answer(Format::Json, b"{\"a\":1}").unwrap();
        assert!(text.is_json() && !text.is_message_pack());
        assert_eq!(text.json::<Value>().unwrap(), value);
        let none = answer(Format::Other, b"").unwrap();
        assert_eq!(none.json::<Value>().unwrap(), json!({}));
        let plain = answer(Format::Other, b"plain text").unwrap();
        assert!(!plain.is_json() && !plain.is_message_pack());
        assert_eq!(plain.into_bytes(), "plain text");
    }

    #[test]
    fn an_answer_that_is_cut_is_none() {
        for (format, body) in [
            (Format::Json, &b"{\"a\":"[..]),
            (Format::MessagePack, b"\x92\x03"),
        ] {
            let cut = answer(format, body).unwrap_err();
            assert!(cut.is_malformed());
        }
        let more = answer(Format::MessagePack, b"\x03\x03").unwrap_err();
        assert!(matches!(more, DecodeError::NotJson(_)));
    }

    #[test]
    fn a_key_that_a_server_sent_back_is_not_shown() {
        let answer = answer(Format::Json, b"\"key sk-secret\"").unwrap();
        let error = answer.json::<u64>().unwrap_err();
        assert!(error.is_answer());
        let shown = format!("{error} {error:?} {answer:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}
