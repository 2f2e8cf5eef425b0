//! The two readers against each other, on answers written by chance and then damaged.

use base64_simd::{STANDARD, STANDARD_NO_PAD};

use super::{Dice, numbers};
use crate::decode::draft::Draft;
use crate::decode::{DecodeError, embeddings, embeddings_by_serde_json, reference, scan};

/// An answer written by chance, and what it says.
struct Written {
    body: Vec<u8>,
    rows: usize,
    values: Vec<f32>,
    /// Whether the scanner must read it without help.
    usual: bool,
}

const UNKNOWN: [&str; 12] = [
    r#""object":"list""#,
    r#""x":null"#,
    r#""x":[1,{"data":[],"a":[true,false]},"]}"]"#,
    r#""x":-1.5e-7"#,
    r#""x":1e999"#,
    r#""embeddings":{"embedding":[1,2],"index":7}"#,
    r#""x":"a \" quote, \\, \u00e9, \ud83c\udf33, \ud800 and ünïcode 🌳 in a longer string that takes two blocks""#,
    r#""":[]"#,
    r#""x":{"":{},"\n":[[[[[[[[]]]]]]]]}"#,
    r#""ключ":1"#,
    r#""a\"b":1"#,
    r#""x":"\/""#,
];

impl Written {
    fn new(seed: u64) -> Self {
        let dice = &mut Dice::new(seed);
        let (rows, dimensions) = (1 + dice.below(5), 1 + dice.below(20));
        let mut usual = true;
        let with_index = dice.below(4) > 0;
        let mut items = Vec::new();
        let mut values = Vec::new();
        for index in 0..rows {
            let (text, row) = vector(dice, dimensions);
            values.extend(row);
            let mut members = vec![format!(
                r#""embedding"{}:{}{text}"#,
                blanks(dice),
                blanks(dice)
            )];
            if with_index {
                members.push(format!(
                    r#""index"{}:{}{index}"#,
                    blanks(dice),
                    blanks(dice)
                ));
            }
            items.push(object(dice, members, &mut usual));
        }
        if with_index && dice.below(2) == 0 {
            dice.shuffle(&mut items);
        }
        let between = format!("{},{}", blanks(dice), blanks(dice));
        let mut members = vec![format!(
            r#""data":{}[{}{}]"#,
            blanks(dice),
            items.join(&between),
            blanks(dice)
        )];
        let model = dice.pick(&[
            "",
            r#""model":"m""#,
            r#""model": null"#,
            r#""model":"\u00fc \"m\" \/🌳""#,
        ]);
        let usage = dice.pick(&[
            "",
            r#""usage":null"#,
            r#""usage" : {"prompt_tokens" : 5,"total_tokens":5}"#,
            r#""usage":{"total_tokens":null,"x":{"prompt_tokens":1}}"#,
        ]);
        members.extend(
            [model, usage]
                .iter()
                .filter(|member| !member.is_empty())
                .map(ToString::to_string),
        );
        let text = object(dice, members, &mut usual);
        let body = format!("{}{text}{}", blanks(dice), blanks(dice)).into_bytes();
        Self {
            body,
            rows,
            values,
            usual,
        }
    }
}

fn blanks(dice: &mut Dice) -> &'static str {
    dice.pick(&["", "", "", " ", "\n    ", "\t\r\n"])
}

fn object(dice: &mut Dice, mut members: Vec<String>, usual: &mut bool) -> String {
    for _ in 0..dice.below(3) {
        let unknown = dice.pick(&UNKNOWN);
        *usual &=
            unknown.is_ascii() && !unknown.starts_with(r#""a\"#) || unknown.starts_with(r#""x""#);
        members.push(unknown.to_owned());
    }
    dice.shuffle(&mut members);
    let between = format!("{},{}", blanks(dice), blanks(dice));
    format!(
        "{{{}{}{}}}",
        blanks(dice),
        members.join(&between),
        blanks(dice)
    )
}

fn vector(dice: &mut Dice, dimensions: usize) -> (String, Vec<f32>) {
    if dice.below(4) == 0 {
        let values: Vec<f32> = (0..dimensions).map(|_| numbers::finite(dice)).collect();
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let base64 = if dice.below(2) == 0 {
            STANDARD
        } else {
            STANDARD_NO_PAD
        };
        return (format!("\"{}\"", base64.encode_to_string(bytes)), values);
    }
    let between = dice.pick(&[",", ", ", ",\n  ", " ,"]);
    let texts: Vec<String> = (0..dimensions).map(|_| numbers::text(dice)).collect();
    let values = texts.iter().map(|text| numbers::expected(text)).collect();
    (
        format!("[{}{}{}]", blanks(dice), texts.join(between), blanks(dice)),
        values,
    )
}

/// That the scanner, if it reads `body` at all, reads what the typed reader does. Says whether it
/// read it.
fn agree(body: &[u8], rows: usize) -> bool {
    let shown = String::from_utf8_lossy(body);
    let Some(scanned) = scan::scan(body, rows) else {
        return false;
    };
    match reference::read(body, rows) {
        Ok(typed) => assert_same(&scanned, &typed, &shown),
        // serde_json does not read what is no f64; the scanner takes it as the infinity that it is.
        Err(DecodeError::Shape { reason, .. }) if reason.starts_with("number out of range") => {
            assert!(
                scanned.values.iter().any(|value| value.is_infinite()),
                "{shown}"
            );
        }
        Err(error) => panic!("{error}: {shown}"),
    }
    true
}

fn assert_same(scanned: &Draft, typed: &Draft, shown: &str) {
    assert_eq!(
        (&scanned.model, scanned.usage, scanned.rows()),
        (&typed.model, typed.usage, typed.rows()),
        "{shown}"
    );
    assert_eq!(scanned.values.len(), typed.values.len(), "{shown}");
    for (a, b) in scanned.values.iter().zip(&typed.values) {
        // Without its feature float_roundtrip, serde_json may be off by a step.
        assert!(
            a.to_bits().abs_diff(b.to_bits()) <= 1,
            "{a:e} {b:e}: {shown}"
        );
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn whole_answers(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let Written {
            body,
            rows,
            values,
            usual,
        } = Written::new(seed);
        let shown = String::from_utf8_lossy(&body);
        let scanned = agree(&body, rows);
        assert!(scanned || !usual, "not scanned: {shown}");
        let typed = embeddings_by_serde_json(&body, rows)
            .unwrap_or_else(|error| panic!("{error}: {shown}"));
        let read = embeddings(&body, rows).unwrap();
        assert_eq!(
            (read.rows, read.dimensions * rows),
            (rows, values.len()),
            "{shown}"
        );
        assert_eq!(
            (read.model, read.usage),
            (typed.model, typed.usage),
            "{shown}"
        );
        if scanned {
            assert_eq!(bits(&read.values), bits(&values), "{shown}");
        }
    }
}

fn damaged_answers(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let Written { body, rows, .. } = Written::new(seed);
        let dice = &mut Dice::new(!seed);
        for _ in 0..100 {
            let mut body = body.clone();
            for _ in 0..=dice.below(2) {
                let at = dice.below(body.len());
                let symbol = dice.pick(br#""\[]{},:0123456789.-+eE ntux/="#);
                match dice.below(6) {
                    0 => body[at] ^= 1 << dice.below(8),
                    1 => body[at] = symbol,
                    2 => body[at] = u8::try_from(dice.below(256)).unwrap(),
                    3 => body.insert(at, symbol),
                    4 => drop(body.remove(at)),
                    _ => {
                        let end = at + dice.below(body.len() - at + 1);
                        let part = body[at..end].to_vec();
                        body.splice(at..at, part);
                    }
                }
                if body.is_empty() {
                    break;
                }
            }
            agree(&body, rows);
        }
    }
}

#[test]
fn whole_answers_are_read_alike_and_exactly() {
    whole_answers(0..1_000);
}

#[test]
fn damaged_answers_are_never_accepted_by_the_scanner_alone() {
    damaged_answers(0..100);
}

#[test]
#[ignore = "for minutes, in release; run by hand after a change to the scanner"]
fn many_answers() {
    whole_answers(10_000..600_000);
    damaged_answers(10_000..210_000);
}

#[test]
fn an_answer_cut_short_anywhere_is_malformed() {
    for seed in 0..40 {
        let Written { body, rows, .. } = Written::new(seed);
        for cut in 0..body.trim_ascii_end().len() {
            assert!(
                scan::scan(&body[..cut], rows).is_none(),
                "{}",
                String::from_utf8_lossy(&body[..cut])
            );
            assert!(embeddings(&body[..cut], rows).unwrap_err().is_malformed());
        }
    }
}
