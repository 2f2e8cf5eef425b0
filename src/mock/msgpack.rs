//! As much of a `MessagePack` writer as an echo needs.

use serde_json::Value;

/// Writes a JSON value.
pub(super) fn push_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Bool(value) => out.push(0xc2 + u8::from(*value)),
        Value::Number(number) => {
            if let Some(n) = number.as_u64() {
                push_unsigned(out, n);
            } else if let Some(n) = number.as_i64() {
                out.push(0xd3);
                out.extend_from_slice(&n.to_be_bytes());
            } else {
                out.push(0xcb);
                out.extend_from_slice(&number.as_f64().unwrap_or(f64::NAN).to_be_bytes());
            }
        }
        Value::String(text) => push_string(out, text),
        Value::Array(values) => {
            push_length(
                out,
                values.len(),
                (0x90, 15),
                [None, Some(0xdc), Some(0xdd)],
            );
            for value in values {
                push_value(out, value);
            }
        }
        Value::Object(fields) => {
            push_map(out, fields.len());
            for (name, value) in fields {
                push_string(out, name);
                push_value(out, value);
            }
        }
    }
}

/// Writes the head of a map of so many fields.
pub(super) fn push_map(out: &mut Vec<u8>, fields: usize) {
    push_length(out, fields, (0x80, 15), [None, Some(0xde), Some(0xdf)]);
}

/// Writes a `str`.
pub(super) fn push_string(out: &mut Vec<u8>, text: &str) {
    push_length(
        out,
        text.len(),
        (0xa0, 31),
        [Some(0xd9), Some(0xda), Some(0xdb)],
    );
    out.extend_from_slice(text.as_bytes());
}

/// Writes a `bin`.
pub(super) fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(0xc6);
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn push_unsigned(out: &mut Vec<u8>, n: u64) {
    if let Ok(small @ 0..0x80) = u8::try_from(n) {
        out.push(small);
    } else {
        out.push(0xcf);
        out.extend_from_slice(&n.to_be_bytes());
    }
}

/// Writes a length: in the type byte itself up to a bound, else behind the
/// marker for lengths of one, two or four bytes.
fn push_length(out: &mut Vec<u8>, len: usize, (fix, bound): (u8, u8), markers: [Option<u8>; 3]) {
    let [one, two, four] = markers;
    if let Some(short) = u8::try_from(len).ok().filter(|short| *short <= bound) {
        out.push(fix | short);
    } else if let (Some(marker), Ok(len)) = (one, u8::try_from(len)) {
        out.extend_from_slice(&[marker, len]);
    } else if let (Some(marker), Ok(len)) = (two, u16::try_from(len)) {
        out.push(marker);
        out.extend_from_slice(&len.to_be_bytes());
    } else if let Some(marker) = four {
        // A body is at most 256 MB, so no length is above four bytes.
        out.push(marker);
        out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
    }
}
