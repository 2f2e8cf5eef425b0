//! Four numbers at once, where the processor has AVX2 and FMA.
//!
//! Embeddings are long runs of `-0.012345678,`. Comparing 64 bytes at once finds the next four
//! points and commas. The digits behind a point end at the comma, so one load that ends there has
//! them in their places, however many they are, and nothing branches on it. Whatever does not look
//! like that, such as an exponent, is left to [`number::any`].
//!
//! The numbers are the same bit for bit: see `number::near_midpoint`.

#![expect(
    clippy::inline_always,
    reason = "what is not inlined into `V3::vectorize` is compiled without these instructions"
)]

use super::number;
use pulp::x86::V3;
use pulp::{NullaryFnOnce, cast};
use std::arch::x86_64::{__m256d, __m256i};

/// What is looked at to read four numbers: some bytes before them, and at least as many as they can
/// have.
type Area = [u8; 320];

/// Where in it the first of them begins.
const BEFORE: usize = 32;

/// Reads numbers that are followed by a comma, from `at` on; returns where the next number begins.
/// Right before `at` stands the comma before the first, or the blank behind that comma; a blank is
/// then expected behind every comma.
///
/// Stops at whatever is no such number, for others to judge, and close to the end of the body.
pub(super) fn numbers(body: &[u8], at: usize, values: &mut Vec<f32>) -> usize {
    match V3::try_new() {
        Some(simd) if body[..at].ends_with(b" ") => read::<true>(simd, body, at, values),
        Some(simd) => read::<false>(simd, body, at, values),
        None => at,
    }
}

fn read<const BLANK: bool>(simd: V3, body: &[u8], at: usize, values: &mut Vec<f32>) -> usize {
    simd.vectorize(Reader::<BLANK> {
        simd,
        body,
        at,
        values,
    })
}

/// Where in the area a number's point is, and the comma that follows it.
#[derive(Clone, Copy)]
struct Place {
    point: usize,
    comma: usize,
}

struct Reader<'a, const BLANK: bool> {
    simd: V3,
    body: &'a [u8],
    /// Where the next number begins.
    at: usize,
    values: &'a mut Vec<f32>,
}

impl<const BLANK: bool> NullaryFnOnce for Reader<'_, BLANK> {
    type Output = usize;

    #[inline(always)]
    fn call(mut self) -> usize {
        while let Some(area) = self.area() {
            if self.four(area).is_none() && self.each().is_none() {
                break;
            }
        }
        self.at
    }
}

impl<'a, const BLANK: bool> Reader<'a, BLANK> {
    const SEPARATOR: usize = if BLANK { 2 } else { 1 };

    #[inline(always)]
    fn area(&self) -> Option<&'a Area> {
        self.body.get(self.at.checked_sub(BEFORE)?..)?.first_chunk()
    }

    /// Reads the next four numbers, or does not move.
    #[inline(always)]
    fn four(&mut self, area: &Area) -> Option<()> {
        let V3 { avx, avx2, fma, .. } = self.simd;
        let places = self.places(area)?;
        let commas = places.map(|place| place.comma);
        // One less than the digits behind the point.
        let more = places.map(|place| place.comma.wrapping_sub(place.point + 2));
        let most = more.into_iter().fold(0, |all, more| all | more);
        if most >= 32 {
            return None;
        }
        let (digits_odd, mut fraction) =
            self.sixteen(area, commas, more.map(|more| &MASKS[more & 31]));
        let (heads_odd, signs, whole) = self.heads(area, places.map(|place| place.point));
        let mut odd = avx2._mm256_or_si256(digits_odd, heads_odd);
        if most >= 16 {
            let before = commas.map(|comma| comma - 16);
            let (upper_odd, upper) =
                self.sixteen(area, before, more.map(|more| &UPPER_MASKS[more & 31]));
            odd = avx2._mm256_or_si256(odd, upper_odd);
            fraction = fma._mm256_fmadd_pd(upper, avx._mm256_set1_pd(1e16), fraction);
        }
        let powers: __m256d = cast(more.map(|more| POWERS[more & 31]));
        let value = fma._mm256_fmadd_pd(fraction, powers, whole);
        odd = avx2._mm256_or_si256(odd, self.near_midpoint(value));
        if avx._mm256_testz_si256(odd, odd) == 0 {
            return None;
        }
        let next = commas[3] + Self::SEPARATOR;
        // The other separators are seen before the heads.
        if BLANK && area[next - 1] != b' ' {
            return None;
        }
        let value = avx._mm256_or_pd(value, signs);
        let four: [f32; 4] = cast(avx._mm256_cvtpd_ps(value));
        self.values.extend_from_slice(&four);
        self.at += next - BEFORE;
        Some(())
    }

    /// Where the next four numbers are.
    #[inline(always)]
    fn places(&self, area: &Area) -> Option<[Place; 4]> {
        let [a, b, c, d] = self.places_from(area, BEFORE);
        if d.is_some() {
            return Some([a?, b?, c?, d?]);
        }
        // They are long: the other two are looked for where the first two end.
        let [c, d, ..] = self.places_from(area, b?.comma + 1);
        Some([a?, b?, c?, d?])
    }

    /// Where the next four numbers are, as far as they end within 64 bytes from `first` on.
    #[inline(always)]
    fn places_from(&self, area: &Area, first: usize) -> [Option<Place>; 4] {
        let V3 { avx, avx2, .. } = self.simd;
        let low: __m256i = cast(bytes::<32>(area, first));
        let high: __m256i = cast(bytes::<32>(area, first + 32));
        let find = |byte: u8| {
            let wanted = avx._mm256_set1_epi8(byte.cast_signed());
            let low = avx2._mm256_movemask_epi8(avx2._mm256_cmpeq_epi8(low, wanted));
            let high = avx2._mm256_movemask_epi8(avx2._mm256_cmpeq_epi8(high, wanted));
            u64::from(high.cast_unsigned()) << 32 | u64::from(low.cast_unsigned())
        };
        let (mut points, mut commas) = (find(b'.'), find(b','));
        let mut places = [None; 4];
        for place in &mut places {
            *place = (commas != 0).then_some(Place {
                point: first + points.trailing_zeros() as usize,
                comma: first + commas.trailing_zeros() as usize,
            });
            points &= points.wrapping_sub(1);
            commas &= commas.wrapping_sub(1);
        }
        places
    }

    /// The signs of four numbers and what stands before their points, with bits where that is
    /// not the separator, a sign or none, and one digit.
    #[inline(always)]
    fn heads(&self, area: &Area, points: [usize; 4]) -> (__m256i, __m256d, __m256d) {
        let V3 { avx, avx2, .. } = self.simd;
        // The eighth byte of each is the point, the seventh the digit.
        let heads: __m256i = cast(points.map(|point| bytes::<8>(area, point - 7)));
        let minus = avx2._mm256_cmpeq_epi8(heads, avx._mm256_set1_epi8(b'-'.cast_signed()));
        let signs = avx._mm256_and_pd(
            cast(avx2._mm256_slli_epi64::<16>(minus)),
            avx._mm256_set1_pd(-0.0),
        );
        // What is before the sign, if there is one, or else before the digit, as the sixth byte.
        let before =
            avx._mm256_blendv_pd(cast(heads), cast(avx2._mm256_slli_epi64::<8>(heads)), signs);
        let (there, separator) = if BLANK {
            (0xffff << 32, i64::from_le_bytes(*b"\0\0\0\0, \0\0"))
        } else {
            (0xff << 40, i64::from_le_bytes(*b"\0\0\0\0\0,\0\0"))
        };
        let separators = avx2._mm256_xor_si256(
            avx2._mm256_and_si256(cast(before), avx._mm256_set1_epi64x(there)),
            avx._mm256_set1_epi64x(separator),
        );
        let digits = avx2._mm256_and_si256(
            avx2._mm256_srli_epi64::<48>(heads),
            avx._mm256_set1_epi64x(0xff),
        );
        let digits = avx2._mm256_sub_epi64(digits, avx._mm256_set1_epi64x(b'0'.into()));
        let odd = avx2._mm256_or_si256(
            separators,
            avx2._mm256_subs_epu8(digits, avx._mm256_set1_epi8(9)),
        );
        // A small integer in the last places of 2^52 is that much more than 2^52.
        let large = avx._mm256_set1_pd(TWO_TO_52);
        let whole = avx._mm256_sub_pd(cast(avx2._mm256_or_si256(digits, cast(large))), large);
        (odd, signs, whole)
    }

    /// The values of the digits in the 16 bytes that end at each of `ends`, less those that are
    /// masked; with bits where one of them is no digit.
    #[inline(always)]
    fn sixteen(&self, area: &Area, ends: [usize; 4], masks: [&[u8; 16]; 4]) -> (__m256i, __m256d) {
        let V3 { avx, avx2, fma, .. } = self.simd;
        let zero = avx._mm256_set1_epi8(b'0'.cast_signed());
        let windows = ends.map(|end| bytes::<16>(area, end - 16));
        let digits = |first: usize, second: usize| {
            let bytes = avx._mm256_set_m128i(cast(windows[second]), cast(windows[first]));
            let mask = avx._mm256_set_m128i(cast(*masks[second]), cast(*masks[first]));
            avx2._mm256_and_si256(avx2._mm256_sub_epi8(bytes, zero), mask)
        };
        let (first, second) = (digits(0, 1), digits(2, 3));
        let largest = avx2._mm256_max_epu8(first, second);
        let odd = avx2._mm256_subs_epu8(largest, avx._mm256_set1_epi8(9));
        // Digits are added up to pairs, pairs to fours, fours to eights.
        let tens = avx._mm256_set1_epi16(i16::from_le_bytes([10, 1]));
        let hundreds = avx._mm256_set1_epi32((1 << 16) + 100);
        let myriads = avx._mm256_set1_epi32((1 << 16) + 10_000);
        let fours = |digits| {
            let pairs = avx2._mm256_maddubs_epi16(digits, tens);
            avx2._mm256_madd_epi16(pairs, hundreds)
        };
        let fours = avx2._mm256_packus_epi32(fours(first), fours(second));
        let eights = avx2._mm256_madd_epi16(fours, myriads);
        // Two eights are a number: the first of each to the front.
        let order: __m256i = cast([0_u32, 4, 2, 6, 1, 5, 3, 7]);
        let eights = avx2._mm256_permutevar8x32_epi32(eights, order);
        let upper = avx._mm256_cvtepi32_pd(avx._mm256_castsi256_si128(eights));
        let lower = avx._mm256_cvtepi32_pd(avx2._mm256_extracti128_si256::<1>(eights));
        let value = fma._mm256_fmadd_pd(upper, avx._mm256_set1_pd(1e8), lower);
        (odd, value)
    }

    /// [`number::near_midpoint`] of four: bits where it holds.
    #[inline(always)]
    fn near_midpoint(&self, value: __m256d) -> __m256i {
        let V3 { avx, avx2, .. } = self.simd;
        let bits = cast(value);
        let discarded = avx2._mm256_and_si256(bits, avx._mm256_set1_epi64x((1 << 29) - 1));
        // In the upper half of each, zero becomes the largest there is, which is not near.
        let offset = avx._mm256_set1_epi64x(1 << 32 | ((1 << 28) - 8));
        let distance = avx2._mm256_sub_epi32(discarded, offset);
        let least = avx2._mm256_min_epu32(distance, avx._mm256_set1_epi32(16));
        avx2._mm256_cmpeq_epi32(least, distance)
    }

    /// Reads up to four numbers one by one, whatever their notation. `None` where one is none, or
    /// is not followed as it should be.
    #[cold]
    #[inline(never)]
    fn each(&mut self) -> Option<()> {
        let separator = if BLANK { &b", "[..] } else { b"," };
        for _ in 0..4 {
            let text = &self.body[self.at..];
            let (value, length) = number::any(text)?;
            if !text[length..].starts_with(separator) {
                return None;
            }
            self.values.push(value);
            self.at += length + separator.len();
        }
        Some(())
    }
}

/// The bytes from `first` on.
#[inline(always)]
fn bytes<const COUNT: usize>(area: &Area, first: usize) -> [u8; COUNT] {
    let mut bytes = [0; COUNT];
    bytes.copy_from_slice(&area[first..first + COUNT]);
    bytes
}

const TWO_TO_52: f64 = 4_503_599_627_370_496.0;

/// Which of 16 bytes are digits, by one less than the number of digits.
const MASKS: [[u8; 16]; 32] = masks(0);

/// The same of the 16 bytes before these.
const UPPER_MASKS: [[u8; 16]; 32] = masks(16);

const fn masks(behind: usize) -> [[u8; 16]; 32] {
    let mut masks = [[0; 16]; 32];
    let mut more = 0;
    while more < 32 {
        let mut byte = 0;
        while byte < 16 {
            if more + 1 + byte >= 16 + behind {
                masks[more][byte] = 0xff;
            }
            byte += 1;
        }
        more += 1;
    }
    masks
}

/// What the last digit behind the point counts, by one less than the number of digits.
#[rustfmt::skip]
const POWERS: [f64; 32] = [
    1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11,
    1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17, 1e-18, 1e-19, 1e-20, 1e-21,
    1e-22, 1e-23, 1e-24, 1e-25, 1e-26, 1e-27, 1e-28, 1e-29, 1e-30, 1e-31,
    1e-32,
];
