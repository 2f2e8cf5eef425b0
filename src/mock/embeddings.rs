//! `/v1/embeddings`, in the shape of `OpenAI`'s, as floats or base64.

use serde::Deserialize;

use super::hash::hash_text;
use super::json::{Text, Texts};
use super::memory::RowKey;
use super::print::{push_integer, push_string};
use super::refusal::Refusal;
use super::reply::Reply;
use super::request::Request;
use super::shared::Shared;
use super::tokens::tokens_of;
use super::treatment::{BadRows, Base64Wish, Treatment};
use super::vectors::{embed, push_floats};

/// The most numbers in one answer, above a gigabyte of JSON.
const MAX_NUMBERS: usize = 100_000_000;

#[derive(Deserialize)]
struct EmbeddingsRequest<'a> {
    #[serde(borrow)]
    input: Texts<'a>,
    #[serde(borrow)]
    model: Option<Text<'a>>,
    encoding_format: Option<Format>,
    dimensions: Option<usize>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Format {
    Float,
    Base64,
}

pub(super) fn answer(
    request: &Request<'_>,
    treatment: &Treatment,
    shared: &Shared,
    body: &mut Vec<u8>,
) -> Result<Reply, Refusal> {
    let wanted: EmbeddingsRequest<'_> = serde_json::from_slice(request.body())?;
    let texts = &wanted.input.0;
    let dimensions = wanted.dimensions.unwrap_or(shared.config.dimensions);
    let mut format = wanted.encoding_format.unwrap_or(Format::Float);
    if texts.is_empty() {
        return Err(Refusal::new("`input` cannot be empty"));
    }
    if dimensions == 0 || dimensions.saturating_mul(texts.len()) > MAX_NUMBERS {
        return Err(Refusal::new(
            "`dimensions` must be at least 1, and the answer not above 1e8 numbers",
        ));
    }
    match treatment.base64 {
        Some(Base64Wish::Refused) if format == Format::Base64 => {
            return Err(Refusal::new("`encoding_format` base64 is not supported"));
        }
        Some(Base64Wish::Ignored) => format = Format::Float,
        _ => {}
    }

    body.reserve(texts.len() * (dimensions * 12 + 64) + 160);
    body.extend_from_slice(b"{\"object\":\"list\",\"data\":[");
    for (row, (index, text)) in rows(texts, treatment.rows).enumerate() {
        let shorter = row + 1 == texts.len() && treatment.rows == Some(BadRows::MixedDimensions);
        let key = RowKey {
            seed: hash_text(text),
            dimensions: dimensions - usize::from(shorter),
            base64: format == Format::Base64,
        };
        body.extend_from_slice(if row > 0 { &b","[..] } else { b"" });
        body.extend_from_slice(b"{\"object\":\"embedding\",\"index\":");
        push_integer(body, index);
        body.extend_from_slice(b",\"embedding\":");
        if row == 0 && treatment.rows == Some(BadRows::NonFinite) {
            print(key, true, body);
        } else {
            shared
                .memory
                .push_row(key, body, |body| print(key, false, body));
        }
        body.push(b'}');
    }
    body.extend_from_slice(b"],\"model\":");
    push_string(body, wanted.model.as_deref().unwrap_or("mock"));
    let tokens = texts.iter().map(|text| tokens_of(text)).sum();
    body.extend_from_slice(b",\"usage\":{\"prompt_tokens\":");
    push_integer(body, tokens);
    body.extend_from_slice(b",\"total_tokens\":");
    push_integer(body, tokens);
    body.extend_from_slice(b"}}");
    Ok(Reply::json())
}

/// The rows of an answer with their indices, as the treatment garbles them. The
/// texts are not empty.
pub(super) fn rows<T>(texts: &[T], fault: Option<BadRows>) -> impl Iterator<Item = (usize, &T)> {
    let len = texts.len();
    let count = match fault {
        Some(BadRows::Short) => len - 1,
        Some(BadRows::Extra) => len + 1,
        _ => len,
    };
    (0..count).map(move |row| {
        let index = match fault {
            Some(BadRows::RepeatedIndex) if len == 1 => 1,
            Some(BadRows::RepeatedIndex) if row + 1 == len => row - 1,
            _ => row,
        };
        (index, &texts[row.min(len - 1)])
    })
}

/// Prints one vector, its first number `NaN` where that is asked for.
fn print(key: RowKey, not_a_number: bool, body: &mut Vec<u8>) {
    let mut vector = Vec::new();
    embed(key.seed, key.dimensions, &mut vector);
    if key.base64 {
        if not_a_number {
            vector[0] = f32::NAN;
        }
        // Little-endian, as numpy's `frombuffer` reads them.
        let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
        body.push(b'"');
        base64_simd::STANDARD.encode_append(&bytes, body);
        body.push(b'"');
        return;
    }
    body.push(b'[');
    if not_a_number {
        vector.remove(0);
        body.extend_from_slice(if vector.is_empty() { b"NaN" } else { b"NaN," });
    }
    push_floats(body, &vector);
    body.push(b']');
}
