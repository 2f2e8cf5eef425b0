//! Answers in `MessagePack`: a walk that only looks whether one is whole, and the typed reader.
//!
//! The walk keeps one number and no stack, so that no nesting is too deep for it. The typed reader
//! refuses what is nested deeper than any answer is.

use super::DecodeError;
use serde::de::DeserializeOwned;

/// As deep as `serde_json` goes.
const DEEPEST: usize = 128;

/// Reads a whole body into a type.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    let mut rest = body;
    let mut reader = rmp_serde::Deserializer::new(&mut rest);
    reader.set_max_depth(DEEPEST);
    let value = T::deserialize(&mut reader);
    match value {
        Ok(value) if rest.is_empty() => Ok(value),
        Ok(_) => Err(more_follows(body, rest)),
        Err(cause) => Err(match walk(body) {
            Ok(()) => {
                let beginning = body.get(..EXCERPT).unwrap_or(body);
                let excerpt = beginning.escape_ascii().to_string();
                DecodeError::shape(&cause, excerpt.as_bytes())
            }
            Err(unreadable) => unreadable,
        }),
    }
}

/// Of a body of another shape, so many bytes are shown at most.
const EXCERPT: usize = 200;

fn more_follows(body: &[u8], rest: &[u8]) -> DecodeError {
    let end = body.len() - rest.len();
    DecodeError::NotJson(format!("more follows its end at byte {end}"))
}

/// Looks whether a body is one whole value, or says what is wrong with it.
pub(super) fn walk(body: &[u8]) -> Result<(), DecodeError> {
    let mut rest = body;
    // Values that are still to come. Each takes a byte at least, so that one which announces more
    // than there is fails at once, and the sum stays small.
    let mut due: u64 = 1;
    while due > 0 {
        let at = body.len() - rest.len();
        let cut = || format!("it ends early: after {} bytes", body.len());
        let is_cut = || DecodeError::Malformed(cut());
        let Step { skip, values } = step(&mut rest).ok_or_else(is_cut)??;
        let skip = usize::try_from(skip).map_err(|_| is_cut())?;
        rest = rest.get(skip..).ok_or_else(is_cut)?;
        due = due - 1 + values;
        if due > rest.len() as u64 {
            let cause = format!("{} (what begins at byte {at} goes on)", cut());
            return Err(DecodeError::Malformed(cause));
        }
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(more_follows(body, rest))
    }
}

/// What lies behind the head of a value.
struct Step {
    /// Bytes that belong to it.
    skip: u64,
    /// Values that it holds.
    values: u64,
}

/// Reads the head of a value: its marker, and its length where that has bytes of its own. `None`
/// where it is cut.
fn step(rest: &mut &[u8]) -> Option<Result<Step, DecodeError>> {
    let skip = |skip| Step { skip, values: 0 };
    let holds = |values| Step { skip: 0, values };
    let marker = *rest.split_off_first()?;
    let low = |bits: u8| u64::from(marker & bits);
    Some(Ok(match marker {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => skip(0),
        0x80..=0x8f => holds(2 * low(0x0f)),
        0x90..=0x9f => holds(low(0x0f)),
        0xa0..=0xbf => skip(low(0x1f)),
        0xc1 => {
            let cause = "the byte c1 begins no value".to_owned();
            return Some(Err(DecodeError::NotJson(cause)));
        }
        // Lengths: of bytes, of extensions (which have a byte for their type), of strings.
        0xc4..=0xc6 => skip(length(rest, marker - 0xc4)?),
        0xc7..=0xc9 => skip(length(rest, marker - 0xc7)? + 1),
        0xd9..=0xdb => skip(length(rest, marker - 0xd9)?),
        // Numbers: two kinds of floats, four of unsigned and four of signed integers.
        0xca => skip(4),
        0xcb => skip(8),
        0xcc..=0xcf => skip(1 << (marker - 0xcc)),
        0xd0..=0xd3 => skip(1 << (marker - 0xd0)),
        0xd4..=0xd8 => skip((1 << (marker - 0xd4)) + 1),
        0xdc | 0xdd => holds(length(rest, marker - 0xdc + 1)?),
        0xde | 0xdf => holds(2 * length(rest, marker - 0xde + 1)?),
    }))
}

/// Reads a length of 1, 2 or 4 bytes, which `power` says as a power of two.
fn length(rest: &mut &[u8], power: u8) -> Option<u64> {
    let bytes = rest.split_off(..1 << power)?;
    Some(
        bytes
            .iter()
            .fold(0, |length, byte| length << 8 | u64::from(*byte)),
    )
}
