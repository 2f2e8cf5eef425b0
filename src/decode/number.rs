//! The text of one JSON number to one `f32`, equal to `text.parse::<f64>()? as f32` bit for bit.
//!
//! [`plain`] takes what fills an answer, `-0.012345678`, eight digits at a time; [`any`] takes
//! every JSON number. `wide.rs` takes four plain ones at once.

/// How many bytes [`plain`] looks at, the sign aside: a digit, the point and 24 digits.
const WINDOW: usize = 26;

/// Reads one digit, the point, and up to 24 digits at the start of `text`; returns the number with
/// its length. `None` if these are not there, or so close to the end of `text` that the window does
/// not fit.
///
/// A number may go on behind this length, with an exponent or more digits: the caller must see what
/// follows. It looks there anyway, for the comma.
#[inline]
pub(super) fn plain(text: &[u8]) -> Option<(f32, usize)> {
    // The sign is random, so nothing may branch on it.
    let sign = usize::from(*text.first()? == b'-');
    let window: &[u8; WINDOW] = text.get(sign..)?.first_chunk()?;
    let lead = u64::from(window[0].wrapping_sub(b'0'));
    if lead > 9 || window[1] != b'.' {
        return None;
    }
    let (first, second, third) = (
        Word::at::<2>(window),
        Word::at::<10>(window),
        Word::at::<18>(window),
    );
    let first_count = first.digits();
    // Nearly all fractions of an answer have 8 to 15 digits, or nearly all have more, so that both
    // conditions here are predicted well. How many digits exactly varies; nothing branches on it.
    let second_count = if first_count == 8 { second.digits() } else { 0 };
    let mut count = first_count + second_count;
    let mantissa = (lead * POWERS_OF_TEN[first_count] + first.value(first_count))
        * POWERS_OF_TEN[second_count]
        + second.value(second_count);
    let mut value = to_f64(mantissa) * power_of_ten(count);
    if count == 16 {
        let third_count = third.digits();
        count += third_count;
        value += to_f64(third.value(third_count)) * power_of_ten(count);
    }
    if count == 0 || near_midpoint(value) {
        return None;
    }
    Some((narrow(value, sign == 1), sign + 2 + count))
}

/// Reads the number at the start of `text`; returns it with its length. `None` if there is none, or
/// one that JSON does not allow, such as `01`, `+1`, `.5`, `1.` and `1e`.
pub(super) fn any(text: &[u8]) -> Option<(f32, usize)> {
    let digits_from = |start: usize| {
        let digits = text.get(start..).unwrap_or_default();
        let count = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        (count > 0).then(|| &digits[..count])
    };
    let negative = text.first() == Some(&b'-');
    let mut end = usize::from(negative);
    let whole = digits_from(end)?;
    if whole.len() > 1 && whole[0] == b'0' {
        return None;
    }
    end += whole.len();
    let mut fraction = &[][..];
    if text.get(end) == Some(&b'.') {
        fraction = digits_from(end + 1)?;
        end += 1 + fraction.len();
    }
    let mut exponent = 0;
    if let Some(b'e' | b'E') = text.get(end) {
        let sign = text.get(end + 1).filter(|byte| matches!(byte, b'+' | b'-'));
        let digits = digits_from(end + 1 + usize::from(sign.is_some()))?;
        // No text is long enough for its fraction to make up for an exponent that was capped.
        let size = digits.iter().fold(0, |size, digit| {
            (size * 10 + i64::from(digit - b'0')).min(1 << 50)
        });
        exponent = if sign == Some(&b'-') { -size } else { size };
        end += 1 + usize::from(sign.is_some()) + digits.len();
    }
    let value = match scaled(whole, fraction, exponent) {
        Some(value) => value,
        None => str::from_utf8(&text[usize::from(negative)..end])
            .ok()?
            .parse()
            .ok()?,
    };
    Some((narrow(value, negative), end))
}

/// The number without its sign, if 19 of its digits tell what `f32` it is.
fn scaled(whole: &[u8], fraction: &[u8], mut exponent: i64) -> Option<f64> {
    let mut mantissa = 0_u64;
    for (digits, weight) in [(whole, 0), (fraction, 1)] {
        for digit in digits {
            if mantissa < 10_u64.pow(18) {
                mantissa = mantissa * 10 + u64::from(digit - b'0');
                exponent -= weight;
            } else {
                exponent += 1 - weight;
            }
        }
    }
    if mantissa == 0 {
        return Some(0.0);
    }
    let power = SCALES.get(SMALLEST_SCALE.checked_add_signed(isize::try_from(exponent).ok()?)?)?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "this rounding is one of those that near_midpoint allows for"
    )]
    let value = mantissa as f64 * power;
    (!near_midpoint(value)).then_some(value)
}

/// Whether `value` is too close to where the rounding to `f32` turns for its `f32` to be trusted.
///
/// Let t be the number as written and r the `f64` nearest to it, which is what `str::parse` gives,
/// and u = 2⁻⁵³. The claim: if this returns false, then `value as f32 == r as f32`.
///
/// - `value` is within 4.1 u of t, relatively: in [`scaled`], u each for mantissa, power and
///   product, and less than 10⁻¹⁸ < 0.01 u for digits beyond the nineteenth; in [`plain`], those 3
///   u for either summand, both positive, and u for the sum; in `wide.rs`, u for either half of the
///   fraction's digits, u for their sum, u for the power, and u for their product with the whole
///   number added, all positive.
/// - r is within u of t, so `value` is within 5.2 u of r. The step between neighbouring `f64` is
///   more than u times either, so at most 6 steps lie between `value` and r.
/// - Rounding to `f32` is monotonic and turns only at midpoints of neighbouring `f32`. For normal
///   `f32`, and where infinity begins, these are just the `f64` whose low 29 bits are a one and
///   zeros. With more than 8 steps between `value` and any of them, none lies between `value` and
///   r, nor is r one.
/// - `value` is zero, if all digits are, or else at least 10⁻³⁷, a normal `f32`.
#[inline]
fn near_midpoint(value: f64) -> bool {
    const DISCARDED: u64 = (1 << 29) - 1;
    const MIDPOINT: u64 = 1 << 28;
    (value.to_bits() & DISCARDED).wrapping_sub(MIDPOINT - 8) <= 16
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "this is the second of the two roundings that are promised"
)]
fn narrow(value: f64, negative: bool) -> f32 {
    f32::from_bits((value as f32).to_bits() | u32::from(negative) << 31)
}

/// A mantissa below 2⁶³ is converted as signed, for which there is one instruction.
#[inline]
#[expect(
    clippy::cast_precision_loss,
    reason = "this rounding is one of those that near_midpoint allows for"
)]
fn to_f64(mantissa: u64) -> f64 {
    mantissa.cast_signed() as f64
}

/// Eight bytes of text, the first in the lowest byte, each with the bits of `0` flipped so that a
/// digit is its value.
#[derive(Clone, Copy)]
struct Word(u64);

impl Word {
    #[inline]
    fn at<const START: usize>(window: &[u8; WINDOW]) -> Self {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&window[START..START + 8]);
        Self(u64::from_le_bytes(bytes) ^ 0x3030_3030_3030_3030)
    }

    /// How many digits the word begins with.
    #[inline]
    fn digits(self) -> usize {
        // Adding 0x76 carries 10 and above into the top bit of a byte. What overflows a byte
        // reaches only the bytes behind it, and that byte had its top bit set already, so the first
        // one marked is right.
        let marks = (self.0.wrapping_add(0x7676_7676_7676_7676) | self.0) & 0x8080_8080_8080_8080;
        (marks.trailing_zeros() / 8) as usize
    }

    /// The value of the first `count` digits.
    #[inline]
    fn value(self, count: usize) -> u64 {
        // Shifting in zeros before the digits drops what stands behind them. Then digits are added
        // up to pairs, pairs to fours, fours to eight, the neighbour that counts more standing in
        // the lower byte.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a word has eight digits at most"
        )]
        let digits = self.0.unbounded_shl(64 - 8 * count as u32);
        let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
        let outer = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
        let inner = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
        outer.wrapping_add(inner) >> 32
    }
}

const POWERS_OF_TEN: [u64; 9] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

/// Ten to the minus `exponent`, which is 24 at most.
#[inline]
fn power_of_ten(exponent: usize) -> f64 {
    SCALES[SMALLEST_SCALE - exponent]
}

/// The first of [`SCALES`] is ten to the minus this.
const SMALLEST_SCALE: usize = 37;

/// Powers of ten, each the nearest `f64`. A mantissa times the first is still a normal `f32`.
#[rustfmt::skip]
const SCALES: [f64; 64] = [
    1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29, 1e-28,
    1e-27, 1e-26, 1e-25, 1e-24, 1e-23, 1e-22, 1e-21, 1e-20, 1e-19, 1e-18,
    1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8,
    1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2,
    1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
    1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    1e23, 1e24, 1e25, 1e26,
];
