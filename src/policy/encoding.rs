//! Whether embeddings are asked for in base64 where the caller left it open.
//!
//! Base64 is the same float32 in less than half the bytes and decodes many times faster, so it is
//! asked for first. An endpoint that refuses it, or answers floats all the same, is remembered.

use std::collections::HashSet;

/// The statuses by which servers refuse a parameter that they do not know.
const REFUSALS: [u16; 3] = [400, 415, 422];

/// Whether an answer of this status may mean that base64 was refused.
pub(crate) fn may_refuse_base64(status: u16) -> bool {
    REFUSALS.contains(&status)
}

/// The endpoints known to want no `encoding_format`, by URL.
#[derive(Debug, Default)]
pub(crate) struct EncodingMemory {
    plain: HashSet<Box<str>>,
}

impl EncodingMemory {
    /// Whether base64 should be asked of the endpoint at `url`.
    pub(crate) fn asks_base64(&self, url: &str) -> bool {
        self.plain.is_empty() || !self.plain.contains(url)
    }

    /// The endpoint answered floats: asking it for base64 gains nothing.
    pub(crate) fn remember_plain(&mut self, url: &str) {
        self.plain.insert(url.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_asked_until_an_endpoint_is_known_to_refuse_it() {
        let mut memory = EncodingMemory::default();
        assert!(memory.asks_base64("http://a/v1/embeddings"));
        memory.remember_plain("http://a/v1/embeddings");
        assert!(!memory.asks_base64("http://a/v1/embeddings"));
        assert!(memory.asks_base64("http://b/v1/embeddings"));
    }
}
