//! MessagePack, beside the values that rmpv makes.

use crate::{Said, checked, floats, number_and_rest, same_rows, small};
use hedgerow::decode::{self, Format};
use rmpv::Value;

/// Deeper ones are left to each.
const DEEP: usize = 60;

/// The first byte says how many rows are asked for (modulo 8), the others are the answer.
///
/// # Panics
///
/// When ours reads another answer than rmpv does.
pub fn message_pack(data: &[u8]) {
    let (expected, body) = number_and_rest(data);
    let expected = expected % 8;
    let walked = decode::check(Format::MessagePack, body);
    let ours = decode::embeddings_in_message_pack(body, expected);
    // rmpv takes the byte that begins no value for a nil.
    if matches!(&walked, Err(cause) if cause.to_string().contains("c1 begins no value")) {
        assert!(ours.is_err());
        return;
    }
    let mut rest = body;
    let value = match rmpv::decode::read_value(&mut rest) {
        Err(rmpv::decode::Error::DepthLimitExceeded) => return,
        Err(_) => None,
        Ok(value) => rest.is_empty().then_some(value),
    };
    assert_eq!(walked.is_ok(), value.is_some(), "{walked:?}");
    match value.as_ref().map(rows) {
        None => assert!(ours.is_err()),
        Some(Unusual) => {}
        Some(Wrong) => assert!(ours.is_err(), "{ours:?}"),
        Some(Rows(rows)) => {
            same_rows(&ours, checked(rows, expected).as_ref(), expected);
        }
    }
}

enum Reading<T> {
    Rows(T),
    Wrong,
    /// serde may find a shape in it that nobody writes, such as a list of the fields' values.
    Unusual,
}

use Reading::{Rows, Unusual, Wrong};

fn rows(answer: &Value) -> Reading<Vec<Said>> {
    if !is_usual(answer, 0) {
        return Unusual;
    }
    let Some([data, model, usage]) = members(answer, ["data", "model", "usage"]) else {
        return Wrong;
    };
    let Some(Value::Array(data)) = data else {
        return Wrong;
    };
    let is_string = model.is_none_or(|model| model.is_nil() || model.is_str());
    if !is_string || !usage.is_none_or(|usage| usage.is_nil() || is_usage(usage)) {
        return Wrong;
    }
    match data.iter().map(row).collect() {
        Some(rows) => Rows(rows),
        None => Wrong,
    }
}

fn row(row: &Value) -> Option<Said> {
    let [index, embedding] = members(row, ["index", "embedding"])?;
    let index = match index {
        None | Some(Value::Nil) => None,
        Some(index) => Some(index.as_u64()?),
    };
    let values = match embedding? {
        Value::Array(numbers) => {
            let numbers: Vec<_> = numbers.iter().map(number).collect::<Option<_>>()?;
            Some(numbers)
        }
        Value::String(text) => small::floats_in_base64(text.as_bytes()),
        Value::Binary(bytes) => floats(bytes),
        _ => return None,
    };
    Some(Said { index, values })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the nearest float is what is promised"
)]
fn number(value: &Value) -> Option<f32> {
    match value {
        Value::Nil => Some(f32::NAN),
        Value::F32(_) | Value::F64(_) | Value::Integer(_) => value.as_f64().map(|it| it as f32),
        _ => None,
    }
}

fn is_usage(usage: &Value) -> bool {
    let counts = members(usage, ["prompt_tokens", "total_tokens"]);
    let is_count = |count: &Value| count.is_nil() || count.is_u64();
    counts.is_some_and(|counts| counts.into_iter().flatten().all(is_count))
}

/// The values of these keys in a map, if it is one and has none of them twice.
fn members<'a, const N: usize>(map: &'a Value, keys: [&str; N]) -> Option<[Option<&'a Value>; N]> {
    let mut found = [None; N];
    for (key, value) in map.as_map()? {
        if let Some(place) = keys.iter().position(|name| key.as_str() == Some(name))
            && found[place].replace(value).is_some()
        {
            return None;
        }
    }
    Some(found)
}

/// Whether all keys are texts, all texts are UTF-8, no list stands where only serde would look for
/// fields, and it is not deep.
fn is_usual(value: &Value, depth: usize) -> bool {
    depth < DEEP
        && match value {
            Value::Map(pairs) => pairs.iter().all(|(key, value)| {
                let of_fields = match key.as_str() {
                    Some("data") => value
                        .as_array()
                        .is_none_or(|rows| rows.iter().all(|row| !row.is_array())),
                    Some("usage") => !value.is_array(),
                    Some("model") => !value.is_bin(),
                    Some(_) => true,
                    None => false,
                };
                of_fields && is_usual(value, depth + 1)
            }),
            Value::Array(values) => depth > 0 && values.iter().all(|it| is_usual(it, depth + 1)),
            Value::String(text) => text.is_str(),
            Value::Ext(..) => false,
            _ => true,
        }
}
