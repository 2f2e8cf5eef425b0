//! The typed reader: what `serde_json` makes of a body that the scanner gave up on. It is slower,
//! accepts whatever is JSON, and is the one to say what is wrong with what is not. The same types
//! read `MessagePack`.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::draft::Draft;
use super::{DecodeError, Format, Usage, base64, typed};

/// Reads a whole answer.
pub(super) fn read(body: &[u8], expected_rows: usize) -> Result<Draft, DecodeError> {
    let answer: EmbeddingsBody = match typed(Format::Json, body) {
        // The checks then say which row it is.
        Err(cause @ (DecodeError::Malformed(_) | DecodeError::NotJson(_))) => {
            let with_nulls = without_bare_names(body).ok_or(cause)?;
            typed(Format::Json, &with_nulls)?
        }
        answer => answer?,
    };
    answer.into_draft(body.len(), expected_rows)
}

/// The text with null for each `NaN` and `Infinity`, which are no JSON and which Python writes all the
/// same; `None` where there is none outside a string.
fn without_bare_names(body: &[u8]) -> Option<Vec<u8>> {
    const NAMES: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut clean = Vec::with_capacity(body.len());
    let mut found = false;
    let mut in_string = false;
    let mut rest = body;
    while let Some(byte) = rest.first() {
        let name = NAMES
            .iter()
            .find(|name| !in_string && rest.starts_with(name));
        let taken = match (name, byte) {
            (Some(name), _) => {
                found = true;
                clean.extend_from_slice(b"null");
                rest = &rest[name.len()..];
                continue;
            }
            (None, b'\\') if in_string => 2.min(rest.len()),
            (None, _) => 1,
        };
        in_string ^= *byte == b'"';
        clean.extend_from_slice(&rest[..taken]);
        rest = &rest[taken..];
    }
    found.then_some(clean)
}

/// An answer as it came, in any format that serde reads.
#[derive(Deserialize)]
pub(super) struct EmbeddingsBody {
    data: Vec<Row>,
    model: Option<String>,
    usage: Option<Usage>,
}

impl EmbeddingsBody {
    /// Hands the rows of a body of `length` bytes to the checks.
    pub(super) fn into_draft(
        self,
        length: usize,
        expected_rows: usize,
    ) -> Result<Draft, DecodeError> {
        let mut draft = Draft::new(length, expected_rows);
        for row in self.data {
            let position = draft.rows();
            draft.base64 |= row.embedding.base64;
            let values = row
                .embedding
                .values
                .map_err(|reason| DecodeError::Base64 { position, reason })?;
            draft.values.extend(values);
            draft.close_row(row.index);
        }
        draft.model = self.model;
        draft.usage = self.usage.unwrap_or_default();
        Ok(draft)
    }
}

#[derive(Deserialize)]
struct Row {
    index: Option<u64>,
    embedding: Embedding,
}

/// The numbers, or what is wrong with their base64.
struct Embedding {
    values: Result<Vec<f32>, &'static str>,
    base64: bool,
}

impl<'de> Deserialize<'de> for Embedding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EmbeddingVisitor)
    }
}

struct EmbeddingVisitor;

impl<'de> Visitor<'de> for EmbeddingVisitor {
    type Value = Embedding;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers, a base64 string or binary")
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "this is the second of the two roundings that are promised"
    )]
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Embedding, A::Error> {
        let mut values = Vec::new();
        while let Some(element) = elements.next_element::<Option<f64>>()? {
            // Where a server's JSON has no NaN, it writes null; the checks then say which row it
            // is.
            values.push(element.map_or(f32::NAN, |value| value as f32));
        }
        Ok(Embedding {
            values: Ok(values),
            base64: false,
        })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Embedding, E> {
        let mut values = Vec::new();
        let decoded = base64::append(text.as_bytes(), &mut Vec::new(), &mut values);
        Ok(Embedding {
            values: decoded.map(|()| values),
            base64: true,
        })
    }

    /// The checks then say which row has nothing.
    fn visit_unit<E: Error>(self) -> Result<Embedding, E> {
        Ok(Embedding {
            values: Ok(Vec::new()),
            base64: false,
        })
    }

    /// A `bin` of `MessagePack`.
    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Embedding, E> {
        let values = match bytes.as_chunks() {
            (numbers, []) => Ok(numbers.iter().map(|&number| f32::from_le_bytes(number))),
            _ => Err("a length that is no multiple of four bytes"),
        };
        Ok(Embedding {
            values: values.map(Iterator::collect),
            base64: true,
        })
    }
}
