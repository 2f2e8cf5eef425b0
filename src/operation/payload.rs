//! What a post carries: JSON, or bytes as they are.

use crate::error::{Error, Result};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// The body of one request: JSON, written once, or bytes as they are. Cloning copies no bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Payload(Bytes);

impl Payload {
    /// Writes a value as JSON.
    ///
    /// # Errors
    ///
    /// When JSON cannot hold the value: a map whose keys are no strings, say.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        let written = serde_json::to_vec(value);
        let bytes =
            written.map_err(|cause| Error::config(format!("a payload is no JSON: {cause}")))?;
        Ok(Self(bytes.into()))
    }

    /// Takes bytes that are already written. Where they are not JSON, the call should have a
    /// header `content-type` that says what they are.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self::from(&value)
    }
}

impl From<&Value> for Payload {
    fn from(value: &Value) -> Self {
        Self(value.to_string().into())
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn payloads_are_written_once() {
        let value = json!({"a": [1, null]});
        let text = br#"{"a":[1,null]}"#;
        for payload in [
            Payload::from(&value),
            Payload::json(&value).unwrap(),
            Payload::raw(&text[..]),
            Bytes::from_static(text).into(),
        ] {
            assert_eq!(payload.bytes(), &text[..]);
            assert_eq!(format!("{payload:?}"), "Payload(14 bytes)");
        }
        let no_json = std::collections::HashMap::from([((1, 2), 3)]);
        assert!(Payload::json(&no_json).unwrap_err().is_config());
    }
}
