//! Embeddings: a vector that is a function of the text and of nothing else,
//! made and printed fast enough that megabyte answers do not slow the server.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "every number cast here is below 2^27, positive where it must be, and rounded on purpose"
)]

use super::hash::{GOLDEN, hash_text, mix};

/// The embedding that the server answers for a text.
///
/// The numbers are spread evenly around zero, the vector has unit length (to
/// about 1e-6), and every number is the nearest `f32` to a decimal of at most
/// eight places. That decimal is its shortest form that reads back the same.
#[must_use]
pub fn embedding_of(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = Vec::new();
    embed(hash_text(text), dimensions, &mut vector);
    vector
}

/// [`embedding_of`] the text with this hash, into a buffer that is used again.
pub(super) fn embed(seed: u64, dimensions: usize, vector: &mut Vec<f32>) {
    vector.clear();
    // Odd numbers below 2^24, so none is zero and all are exact.
    vector.extend((0..dimensions as u64).map(|k| {
        let random = mix(seed.wrapping_add((k + 1).wrapping_mul(GOLDEN)));
        (((random >> 40) as i32 - (1 << 23)) | 1) as f32
    }));
    let squares: f64 = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let scale = squares.sqrt().recip();
    for x in vector {
        *x = on_grid(f64::from(*x) * scale);
    }
}

/// Rounds to the nearest number that [`push_floats`] can print: a multiple of
/// 1e-8 below an eighth, of 1e-7 above. Those steps are wider than the gaps
/// between the floats there, and the integers are exact, so decimal and float
/// determine each other.
pub(super) fn on_grid(x: f64) -> f32 {
    let (steps, step) = grid(x.abs());
    (steps as f32 / step as f32).copysign(x as f32)
}

/// How many steps of the grid a magnitude in [0, 1] is, and how many make 1.
fn grid(magnitude: f64) -> (u32, u32) {
    let step = if magnitude < 0.125 {
        100_000_000
    } else {
        10_000_000
    };
    ((magnitude * f64::from(step) + 0.5) as u32, step)
}

/// The most bytes that a number and its comma take.
const WIDTH: usize = 12;

/// Writes numbers of the grid, in [-1, 1], in their shortest forms, with commas
/// between them. Which digits come is chance, so there is no branch on them: a
/// mispredicted one would cost as much as all the rest.
pub(super) fn push_floats(out: &mut Vec<u8>, numbers: &[f32]) {
    let mut at = out.len();
    out.resize(at + WIDTH * numbers.len(), 0);
    for x in numbers {
        let (steps, step) = grid(f64::from(x.abs()));
        let steps = steps * (100_000_000 / step);
        let places = eight_digits(steps % 100_000_000);
        // The first place stays, though it be a zero.
        let trailing_zeros = (places | 1).leading_zeros() / 8;

        out[at] = b'-';
        at += usize::from(x.is_sign_negative());
        let number: &mut [u8] = &mut out[at..at + 10];
        number[0] = b'0' + (steps / 100_000_000) as u8;
        number[1] = b'.';
        number[2..].copy_from_slice(&(places + ASCII_ZEROS).to_le_bytes());
        at += 10 - trailing_zeros as usize;
        out[at] = b',';
        at += 1;
    }
    out.truncate(at - usize::from(!numbers.is_empty()));
}

const ASCII_ZEROS: u64 = 0x3030_3030_3030_3030;

/// The eight decimal digits of a number, a byte each, the first in the lowest
/// byte. All are found at once: two numbers below 10 000 in halves of a word,
/// then four below 100 in quarters, then eight below 10. The multiplications
/// are divisions by 100 and 10 that are exact for numbers so small.
pub(super) fn eight_digits(n: u32) -> u64 {
    let halves = u64::from(n / 10_000) | (u64::from(n % 10_000) << 32);
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let quarters = hundreds | ((halves - 100 * hundreds) << 16);
    let tens = ((quarters * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | ((quarters - 10 * tens) << 8)
}
