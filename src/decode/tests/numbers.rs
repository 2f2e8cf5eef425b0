//! Numbers against `str::parse`, in every notation, and above all where the rounding to `f32`
//! turns.

use serde::de::IgnoredAny;

use super::Dice;
use crate::decode::number::{any, plain};

/// What a number's text must become.
#[expect(clippy::cast_possible_truncation, reason = "this is what is promised")]
pub(super) fn expected(text: &str) -> f32 {
    text.parse::<f64>().unwrap() as f32
}

/// Any finite `f32`, or one of the size that embeddings have.
pub(super) fn finite(dice: &mut Dice) -> f32 {
    let bits = u32::try_from(dice.bits() >> 32).unwrap();
    let small = bits & 0x83ff_ffff | 0x3c00_0000;
    let value = f32::from_bits(if dice.below(2) == 0 { bits } else { small });
    if value.is_finite() { value } else { 0.0 }
}

/// A number as JSON has it, finite as an `f32`.
pub(super) fn text(dice: &mut Dice) -> String {
    let text = any_text(dice);
    let valid = serde_json::from_str::<IgnoredAny>(&text).is_ok() && expected(&text).is_finite();
    if valid {
        text
    } else {
        "-0.0123456789".to_owned()
    }
}

/// A number in any notation, and now and then none.
fn any_text(dice: &mut Dice) -> String {
    let value = finite(dice);
    match dice.below(10) {
        0 => format!("{value}"),
        1 => format!("{value:e}"),
        2 => format!("{}", f64::from(value)),
        3 | 4 => near_midpoint(dice, value),
        5 => format!("{}", f64::from_bits(dice.bits())),
        6 => (0..=dice.below(12))
            .map(|_| char::from(dice.pick(b"0123456789+-.eE")))
            .collect(),
        7 => dice.pick(&EDGES).to_owned(),
        _ => digits(dice),
    }
}

const EDGES: [&str; 24] = [
    "0",
    "-0",
    "-0.0",
    "0.0",
    "1e-45",
    "7e-46",
    "1E+5",
    "01",
    "+1",
    ".5",
    "1.",
    "1e",
    "-",
    "1e+",
    "16777217",
    "0e999",
    "3.4028235677973366e38",
    "3.4028235677973362e38",
    "0.000000000000000000000001",
    "0.0000000000000000000000001",
    "1.17549435e-38",
    "1.1754943508222875e-38",
    "1e400",
    "18446744073709551616",
];

/// A number at most some steps of `f64` from the midpoint of two `f32`, or just beside it far
/// behind the point.
fn near_midpoint(dice: &mut Dice, value: f32) -> String {
    let midpoint = f64::midpoint(
        f64::from(value),
        f64::from(f32::from_bits(value.to_bits() + 1)),
    );
    let near = f64::from_bits(
        midpoint
            .to_bits()
            .wrapping_add(dice.bits() % 23)
            .wrapping_sub(11),
    );
    match dice.below(7) {
        0 => format!("{near}"),
        1 => format!("{near:e}"),
        2 => format!("{near:.16e}"),
        3 => format!("{near:.18e}"),
        4 => format!("{near:.20}"),
        5 => format!("{near:.24}"),
        // As good as the exact digits of the midpoint, then one more to either side.
        _ => format!("{midpoint:.90}{}", dice.below(2)),
    }
}

fn digits(dice: &mut Dice) -> String {
    let few = dice.pick(&[b"0123456789".as_slice(), b"0123456789", b"09", b"0001"]);
    let run = |dice: &mut Dice, count| {
        (0..count)
            .map(|_| char::from(dice.pick(few)))
            .collect::<String>()
    };
    let whole = if dice.below(3) == 0 {
        dice.below(22)
    } else {
        1
    };
    let fraction = dice.below(31);
    let mut text = format!("{}{}", dice.pick(&["", "-"]), run(dice, whole));
    if fraction > 0 {
        text = format!("{text}.{}", run(dice, fraction));
    }
    if dice.below(4) == 0 {
        text = format!(
            "{text}{}{}",
            dice.pick(&["e", "E", "e-", "E+"]),
            dice.below(80)
        );
    }
    text
}

/// Checks one text, and says whether the plain way read it.
fn check(text: &str) -> bool {
    let valid = serde_json::from_str::<IgnoredAny>(text).is_ok();
    let wanted = valid.then(|| (expected(text).to_bits(), text.len()));
    let bits = |(value, length): (f32, usize)| (value.to_bits(), length);
    // A prefix may be a number where the whole is none; what follows is then neither comma nor
    // bracket.
    let whole = any(text.as_bytes())
        .map(bits)
        .filter(|&(_, length)| length == text.len());
    assert_eq!(whole, wanted, "{text}");
    let padded = format!("{text},0.12345678901234567890123456789");
    let found = plain(padded.as_bytes())
        .map(bits)
        .filter(|&(_, length)| length == text.len());
    assert!(found.is_none() || found == wanted, "{text}: {found:?}");
    found.is_some()
}

fn check_many(seed: u64, count: usize) {
    let dice = &mut Dice::new(seed);
    let plain = (0..count).filter(|_| check(&any_text(dice))).count();
    assert!(
        plain > count / 5,
        "only {plain} of {count} were read the plain way"
    );
}

#[test]
fn numbers_become_what_parse_makes_of_them() {
    check_many(1, 100_000);
    for text in EDGES {
        check(text);
    }
}

#[test]
#[ignore = "for minutes, in release; run by hand after a change to the numbers"]
fn many_numbers() {
    check_many(2, 60_000_000);
}

#[test]
fn every_length_of_a_fraction_is_read_the_plain_way() {
    for length in 1..=24 {
        for lead in ["0.", "-7.", "-0."] {
            assert!(check(&format!(
                "{lead}{}",
                &"987654321012345678901234"[..length]
            )));
            assert!(check(&format!("{lead}{}", "0".repeat(length))));
        }
    }
}

#[test]
fn a_plain_number_needs_its_window() {
    assert_eq!(plain(b"0.5"), None);
    assert_eq!(plain(b""), None);
    assert_eq!(any(b"0.5"), Some((0.5, 3)));
    assert_eq!(any(b""), None);
}

#[test]
fn an_exponent_beyond_any_bound_is_no_overflow() {
    for text in [
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "0e99999999999999999999",
    ] {
        check(text);
    }
    check(&format!("0.{}1e100001", "0".repeat(100_000)));
    check(&format!("1{}e-100001", "0".repeat(100_000)));
}

/// What is read four at a time of a body of these texts: the values, and how many bytes.
#[cfg(target_arch = "x86_64")]
fn read_run(texts: &[String], separator: &str) -> (Vec<f32>, usize) {
    let start = format!(r#"{{"object":"embedding","embedding":[0.25{separator}"#);
    // Numbers close to the end of the body are not read this way.
    let end = "0".repeat(400);
    let body = format!("{start}{}{separator}{end}", texts.join(separator));
    let mut values = Vec::new();
    let at = crate::decode::wide::numbers(body.as_bytes(), start.len(), &mut values);
    (values, at - start.len())
}

/// Checks what is read of these texts, and says how many were.
#[cfg(target_arch = "x86_64")]
fn check_run(texts: &[String], separator: &str) -> usize {
    let (values, read) = read_run(texts, separator);
    let texts = &texts[..values.len()];
    for (text, value) in texts.iter().zip(&values) {
        assert_eq!(value.to_bits(), expected(text).to_bits(), "{text}: {value}");
    }
    let length: usize = texts.iter().map(|text| text.len() + separator.len()).sum();
    assert_eq!(read, length, "{texts:?}");
    values.len()
}

#[cfg(target_arch = "x86_64")]
fn check_runs(seed: u64, count: usize) {
    let dice = &mut Dice::new(seed);
    for _ in 0..count {
        let mut texts: Vec<String> = (0..dice.below(40))
            .map(|_| match dice.below(4) {
                0 => text(dice),
                _ => format!("{:.1$}", finite(dice) % 10.0, 1 + dice.below(24)),
            })
            .collect();
        let separator = dice.pick(&[",", ", "]);
        assert_eq!(check_run(&texts, separator), texts.len(), "{texts:?}");
        if !texts.is_empty() {
            // What is no number, and all behind it, is left to others.
            let odd = dice.below(texts.len());
            texts[odd] = dice
                .pick(&[
                    "", "-", "0", "00.5", "0.5]", "0..5", ".5", "--0.5", "0.5 ", " 0.5",
                ])
                .to_owned();
            let valid = texts[odd] == "0";
            let wanted = if valid { texts.len() } else { odd };
            assert_eq!(check_run(&texts, separator), wanted, "{texts:?}");
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn four_at_a_time_are_read_as_one_by_one() {
    check_runs(3, 20_000);
}

#[cfg(target_arch = "x86_64")]
#[test]
#[ignore = "for minutes, in release; run by hand after a change to the numbers"]
fn many_runs() {
    check_runs(4, 4_000_000);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn another_separator_ends_a_run() {
    for (separator, other) in [(",", ", "), (", ", ","), (",", ",\n"), (", ", " ,")] {
        for before in 0..10 {
            let mut texts = vec!["-0.5".to_owned(); 20];
            texts[before] = format!("-0.5{other}-0.5");
            // The number before the other separator may have been read; none behind it.
            let read = read_run(&texts, separator).0.len();
            assert!((before..=before + 1).contains(&read), "{read} {before}");
        }
    }
}
