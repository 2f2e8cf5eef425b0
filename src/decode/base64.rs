//! Base64 of little-endian `f32`, appended to a vector of numbers.

use base64_simd::{AsOut, STANDARD_NO_PAD};

/// Appends the numbers in `text`; `scratch` holds a row's bytes and keeps its room for the next.
///
/// Padding may be there, whole, or not. Letters of the URL-safe alphabet are refused, and so are
/// bits set beyond the last byte.
pub(crate) fn append(
    text: &[u8],
    scratch: &mut Vec<u8>,
    values: &mut Vec<f32>,
) -> Result<(), &'static str> {
    const NOT_BASE64: &str = "letters or padding that are not base64";
    let bare = match text {
        [bare @ .., b'=', b'='] | [bare @ .., b'='] if text.len().is_multiple_of(4) => bare,
        _ => text,
    };
    let length = STANDARD_NO_PAD.estimated_decoded_length(bare.len());
    if scratch.len() < length {
        scratch.resize(length, 0);
    }
    let bytes = STANDARD_NO_PAD
        .decode(bare, scratch.as_mut_slice().as_out())
        .map_err(|_| NOT_BASE64)?;
    let (numbers, []) = bytes.as_chunks() else {
        return Err("a length that is no multiple of four bytes");
    };
    values.extend(numbers.iter().map(|&number| f32::from_le_bytes(number)));
    Ok(())
}
