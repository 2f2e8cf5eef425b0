//! Texts and payloads on their way to a call.
//!
//! JavaScript hands over many at once: joined to one string, with their lengths beside it. That is
//! one crossing, and one copy, for as many texts as fit into a slice of time.

use bytes::Bytes;
use hedgerow::Payload;
use napi::bindgen_prelude::{Uint8Array, Uint32Array};
use napi_derive::napi;

/// A list of texts, filled a slice at a time.
#[napi]
#[derive(Default)]
pub(crate) struct Texts(Vec<String>);

#[napi]
impl Texts {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds texts; `lengths` are those that JavaScript knows, in UTF-16.
    #[napi]
    pub fn push(&mut self, joined: String, lengths: Uint32Array) {
        split(&joined, &lengths, |text| self.0.push(text));
    }
}

impl Texts {
    /// All texts, given away.
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0)
    }
}

/// A list of payloads, filled a slice at a time.
#[napi]
#[derive(Default)]
pub(crate) struct Payloads(Vec<Payload>);

#[napi]
impl Payloads {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds payloads that are written already, as text.
    #[napi]
    pub fn push(&mut self, joined: String, lengths: Uint32Array) {
        split(&joined, &lengths, |text| self.0.push(Payload::raw(text)));
    }

    /// Adds a payload that is bytes.
    #[napi]
    pub fn push_bytes(&mut self, bytes: Uint8Array) {
        self.0.push(Payload::raw(Bytes::copy_from_slice(&bytes)));
    }
}

impl Payloads {
    /// All payloads, given away.
    pub(crate) fn take(&mut self) -> Vec<Payload> {
        std::mem::take(&mut self.0)
    }
}

/// Cuts a text into pieces of so many units of UTF-16. What lies across a cut is two halves of a
/// surrogate pair that became one by joining: on each side it is what a lone one is.
fn split(joined: &str, lengths: &[u32], mut give: impl FnMut(String)) {
    let mut rest = joined;
    let units: usize = lengths.iter().map(|length| *length as usize).sum();
    if units == joined.len() {
        // Nothing but ASCII has a unit a byte.
        for length in lengths {
            let (text, after) = rest.split_at(*length as usize);
            give(text.to_owned());
            rest = after;
        }
        return;
    }
    let mut owed = false;
    for length in lengths {
        let mut text = String::new();
        let mut left = *length as usize;
        if owed && left > 0 {
            text.push(char::REPLACEMENT_CHARACTER);
            left -= 1;
            owed = false;
        }
        let mut end = 0;
        for character in rest.chars() {
            if left < character.len_utf16() {
                break;
            }
            left -= character.len_utf16();
            end += character.len_utf8();
        }
        text.push_str(&rest[..end]);
        rest = &rest[end..];
        if left > 0 {
            text.push(char::REPLACEMENT_CHARACTER);
            let mut chars = rest.chars();
            chars.next();
            rest = chars.as_str();
            owed = true;
        }
        give(text);
    }
}
