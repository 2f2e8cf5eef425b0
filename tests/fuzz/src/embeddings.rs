//! Embeddings in JSON, beside types that serde derives and checks of our own.

use crate::{Said, checked, number_and_rest, same_rows, small};
use hedgerow::decode::{self, DecodeError, Usage};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

#[derive(Deserialize)]
struct Answer {
    data: Vec<Row>,
    model: Option<String>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Row {
    index: Option<u64>,
    embedding: Vector,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Vector {
    Numbers(Vec<Option<f64>>),
    Base64(String),
}

/// What a server counted, however it wrote it.
fn usage(said: &Value) -> Usage {
    let count = |name: &str, place: usize| {
        let found = said.get(name).or_else(|| said.get(place));
        found.map_or(0, number)
    };
    Usage {
        prompt_tokens: count("prompt_tokens", 0),
        total_tokens: count("total_tokens", 1),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the nearest that is a count is what is promised"
)]
fn number(value: &Value) -> u64 {
    match value {
        Value::Number(number) => number
            .as_u64()
            .unwrap_or_else(|| number.as_f64().unwrap_or_default() as u64),
        Value::String(text) => {
            let text = text.trim();
            let float = || text.parse::<f64>().unwrap_or_default() as u64;
            text.parse().unwrap_or_else(|_| float())
        }
        _ => 0,
    }
}

impl Vector {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the nearest float is what is promised"
    )]
    fn values(&self) -> Option<Vec<f32>> {
        match self {
            Self::Numbers(numbers) => numbers
                .iter()
                .map(|number| number.map(|number| number as f32))
                .collect(),
            Self::Base64(text) => small::floats_in_base64(text.as_bytes()),
        }
    }
}

/// The first byte says how many rows are asked for (modulo 8), the others are the answer.
///
/// # Panics
///
/// When ours reads another answer than serde does.
pub fn embeddings(data: &[u8]) {
    let (expected, body) = number_and_rest(data);
    let expected = expected % 8;
    let ours = decode::embeddings(body, expected);
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let whole = serde_json::from_slice::<IgnoredAny>(body).is_ok();
    let is_whole =
        |cause: &DecodeError| !matches!(cause, DecodeError::Malformed(_) | DecodeError::NotJson(_));
    let ours_is_whole = ours.as_ref().err().is_none_or(is_whole);
    assert_eq!(ours_is_whole, whole, "whether it is whole: {ours:?}");
    let answer = serde_json::from_slice::<Answer>(body).ok();
    let theirs = answer.as_ref().and_then(|answer| {
        let said = |row: &Row| Said {
            index: row.index,
            values: row.embedding.values(),
        };
        checked(answer.data.iter().map(said).collect(), expected)
    });
    same_rows(&ours, theirs.as_ref(), expected);
    if let (Ok(ours), Some(answer)) = (ours, answer) {
        assert_eq!(ours.model, answer.model);
        assert_eq!(
            ours.usage,
            answer.usage.as_ref().map_or_else(Usage::default, usage)
        );
        let base64 = |row: &Row| matches!(row.embedding, Vector::Base64(_));
        assert_eq!(ours.base64, answer.data.iter().any(base64));
    }
}
