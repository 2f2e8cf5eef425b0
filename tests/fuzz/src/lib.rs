//! The parsers of what servers send, each beside a second implementation.
//!
//! A target is a function of bytes that panics where the two differ. `tests/stable.rs` runs them
//! with proptest, `fuzz_targets/` with libFuzzer.

mod embeddings;
mod message_pack;

mod heads;

mod chunks;

mod sse;

mod small;

pub mod seeds;

pub use chunks::chunks;
pub use embeddings::embeddings;
pub use heads::heads;
pub use message_pack::message_pack;
pub use small::{base64, retry_after};
pub use sse::events;

use hedgerow::decode::{DecodeError, Rows};

/// The first byte of `data` as a number, and the rest.
fn number_and_rest(data: &[u8]) -> (usize, &[u8]) {
    data.split_first()
        .map_or((0, data), |(first, rest)| (usize::from(*first), rest))
}

/// The places up to which there are bytes when `length` of them come in pieces of `size`, which is
/// not 0.
fn ends(length: usize, size: usize) -> impl Iterator<Item = usize> {
    (size..length).step_by(size).chain([length])
}

/// What an embeddings answer says, before it is checked: `None` for a vector that is none.
struct Said {
    index: Option<u64>,
    values: Option<Vec<f32>>,
}

/// The values of an answer in order, and how many a row has, if the answer is right.
fn checked(rows: Vec<Said>, expected: usize) -> Option<(Vec<f32>, usize)> {
    if rows.len() != expected {
        return None;
    }
    let mut sorted: Vec<Option<Vec<f32>>> = vec![None; expected];
    let has_index = rows.iter().any(|row| row.index.is_some());
    for (place, row) in rows.into_iter().enumerate() {
        let place = if has_index {
            usize::try_from(row.index?).ok()?
        } else {
            place
        };
        let free = sorted.get_mut(place).filter(|taken| taken.is_none())?;
        *free = Some(row.values?);
    }
    let sorted: Vec<_> = sorted.into_iter().collect::<Option<_>>()?;
    let dimensions = sorted.first().map_or(0, Vec::len);
    let right = |row: &Vec<f32>| {
        row.len() == dimensions && dimensions > 0 && row.iter().all(|value| value.is_finite())
    };
    sorted
        .iter()
        .all(right)
        .then(|| (sorted.concat(), dimensions))
}

/// Panics unless ours is right where the answer is, and gives the same values.
fn same_rows(
    ours: &Result<Rows, DecodeError>,
    theirs: Option<&(Vec<f32>, usize)>,
    expected: usize,
) {
    match (ours, theirs) {
        (Ok(ours), Some((values, dimensions))) => {
            let bits = |values: &[f32]| -> Vec<u32> {
                values.iter().map(|value| value.to_bits()).collect()
            };
            assert_eq!(bits(&ours.values), bits(values));
            assert_eq!((ours.rows, ours.dimensions), (expected, *dimensions));
        }
        (Err(_), None) => {}
        _ => panic!("ours is {ours:?}, and the other {theirs:?}"),
    }
}

/// Little-endian floats.
fn floats(bytes: &[u8]) -> Option<Vec<f32>> {
    let chunks = bytes.chunks_exact(4);
    let whole = chunks.remainder().is_empty();
    let value = |four: &[u8]| {
        four.iter()
            .rev()
            .fold(0, |bits, byte| bits << 8 | u32::from(*byte))
    };
    whole.then(|| chunks.map(|four| f32::from_bits(value(four))).collect())
}
