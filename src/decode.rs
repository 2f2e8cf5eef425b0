//! The bytes of an answer, turned into numbers.
//!
//! An embeddings answer goes from its JSON text into one flat `Vec<f32>` in input order, checked on
//! the way, without a value per number or a vector per row in between.
//!
//! Two readers stand behind [`embeddings`]. The scanner (`scan.rs`) walks the bytes once and knows
//! only what servers really send; on anything else it gives up without a verdict. Then the typed
//! reader (`reference.rs`, `serde_json`) reads the body from the start, and what it says is final,
//! so every complaint about the text has one author. Both hand a `Draft` to the same checks
//! (`draft.rs`).
//!
//! # What a number becomes
//!
//! A number's text becomes the nearest `f64`, and that the nearest `f32`: the double rounding of
//! Python's `json` followed by `numpy.float32`, bit for bit equal to `text.parse::<f64>()? as f32`.
//! Only the typed reader may differ, by one `f32` step where a number lies within some 2⁻⁵¹ of the
//! midpoint of two: `serde_json` parses to the last bit only with its feature `float_roundtrip`.
//!
//! # What else there is
//!
//! Answers in `MessagePack` (`message_pack.rs`) and those of the other operations (`scores.rs`) are
//! read by serde alone: the typed reader's types and the draft's checks serve both formats.
//!
//! # What is not checked
//!
//! `model` and the keys of the objects that are read must be UTF-8. Strings in members that are
//! passed over are searched for their end, and their escapes for being well formed, but not for
//! UTF-8: `serde_json` does the same, so both readers agree here too.

pub(crate) mod base64;
mod draft;
mod error;
mod number;
mod reference;
mod scan;
#[cfg(target_arch = "x86_64")]
mod wide;

mod format;
mod message_pack;
mod scores;
mod usage;

#[cfg(test)]
mod tests;

pub(crate) use self::error::beginning;
pub use self::error::{DecodeError, IndexFault};
pub(crate) use self::format::without_mark;
pub use self::format::{Format, check, typed};
pub use self::scores::{Class, Scored, classes, ranking};
pub use self::usage::Usage;

/// The rows of one embeddings answer, in input order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// All rows, one after another: `rows * dimensions` finite numbers.
    pub values: Vec<f32>,
    /// How many rows there are.
    pub rows: usize,
    /// How many numbers make a row; zero only if there is no row.
    pub dimensions: usize,
    /// Whether the vectors came as base64, and not as arrays of numbers.
    pub base64: bool,
    /// The model that the server says it used, if it says so.
    pub model: Option<String>,
    /// What the server charges for.
    pub usage: Usage,
}

/// Reads an `OpenAI` embeddings answer, whose vectors are arrays of numbers or base64 of
/// little-endian `f32`.
///
/// # Errors
///
/// [`DecodeError::Malformed`] if the body is the beginning of a JSON text, which a caller does well to
/// take as an answer cut short, [`DecodeError::NotJson`] if it is none; any other kind if the server
/// sent whole JSON that does not answer a request for `expected_rows` embeddings.
pub fn embeddings(body: &[u8], expected_rows: usize) -> Result<Rows, DecodeError> {
    let body = without_mark(body);
    match scan::scan(body, expected_rows) {
        Some(draft) => draft.check(expected_rows),
        None => embeddings_by_serde_json(body, expected_rows),
    }
}

/// Reads the same answer where the scanner knows all of it: a gigabyte takes about a second.
pub(crate) fn scanned(body: &[u8], expected_rows: usize) -> Option<Result<Rows, DecodeError>> {
    let draft = scan::scan(without_mark(body), expected_rows)?;
    Some(draft.check(expected_rows))
}

/// What [`embeddings`] falls back to, public for the benchmark alone.
///
/// # Errors
///
/// As [`embeddings`].
#[doc(hidden)]
pub fn embeddings_by_serde_json(body: &[u8], expected_rows: usize) -> Result<Rows, DecodeError> {
    reference::read(body, expected_rows)?.check(expected_rows)
}

/// Reads the same answer in `MessagePack`, where a vector may also be a `bin` of little-endian
/// `f32`.
///
/// # Errors
///
/// As [`embeddings`].
pub fn embeddings_in_message_pack(body: &[u8], expected_rows: usize) -> Result<Rows, DecodeError> {
    let answer: reference::EmbeddingsBody = message_pack::read(body)?;
    let draft = answer.into_draft(body.len(), expected_rows)?;
    draft.check(expected_rows)
}
