//! `MessagePack`: the same answers as in JSON, and bodies that are cut or garbled anywhere.

use super::Dice;
use crate::decode::{
    DecodeError, Format, check, classes, embeddings, embeddings_in_message_pack, ranking, typed,
};
use serde::Serialize;
use serde_json::{Value, json};

fn packed(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec(value).unwrap()
}

/// An answer whose rows are the same vectors as numbers, base64 and `bin`.
#[derive(Serialize)]
struct Packed<'a> {
    data: Vec<Row<'a>>,
    model: &'a str,
    usage: Value,
    extra: Extra,
}

#[derive(Serialize)]
struct Row<'a> {
    embedding: Vector<'a>,
    index: u8,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector<'a> {
    Singles([f32; 2]),
    Doubles([f64; 2]),
    Integers([i8; 2]),
    Base64(&'a str),
    Bin(Bin),
}

struct Bin(Vec<u8>);

impl Serialize for Bin {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

/// An extension, which nobody asked for.
#[derive(Serialize)]
#[serde(rename = "_ExtStruct")]
struct Extra((i8, Bin));

fn answer(vectors: Vec<Vector<'_>>) -> Vec<u8> {
    let rows = vectors.into_iter().zip(0..);
    let data = rows.map(|(embedding, index)| Row { embedding, index });
    let answer = Packed {
        data: data.collect(),
        model: "m",
        usage: json!({"prompt_tokens": 7, "total_tokens": null, "more": [1, {"a": -300}]}),
        extra: Extra((5, Bin(vec![1, 2, 3]))),
    };
    rmp_serde::to_vec_named(&answer).unwrap()
}

fn bin(numbers: &[f32]) -> Vector<'static> {
    let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
    Vector::Bin(Bin(bytes.collect()))
}

fn every_kind() -> Vec<u8> {
    answer(vec![
        Vector::Singles([1.5, -2.0]),
        Vector::Doubles([1.5, -2.0]),
        Vector::Integers([1, -2]),
        Vector::Base64("AADAPwAAAMA="),
        bin(&[1.5, -2.0]),
    ])
}

#[test]
fn vectors_of_every_kind_are_read() {
    let rows = embeddings_in_message_pack(&every_kind(), 5).unwrap();
    let expected = [1.5, -2.0, 1.5, -2.0, 1.0, -2.0, 1.5, -2.0, 1.5, -2.0];
    assert_eq!(rows.values, expected);
    assert_eq!((rows.rows, rows.dimensions, rows.base64), (5, 2, true));
    assert_eq!(rows.model.as_deref(), Some("m"));
    assert_eq!((rows.usage.prompt_tokens, rows.usage.total_tokens), (7, 0));
    let numbers = answer(vec![Vector::Singles([1.0, 2.0])]);
    assert!(!embeddings_in_message_pack(&numbers, 1).unwrap().base64);
}

#[test]
fn the_checks_are_those_of_json() {
    for value in [
        json!({"data": [{"index": 1, "embedding": [1]}, {"index": 0, "embedding": [2.5]}]}),
        json!({"data": [{"index": 1, "embedding": [1]}, {"index": 1, "embedding": [2]}]}),
        json!({"data": [{"index": 0, "embedding": [1]}]}),
        json!({"data": [{"embedding": [1]}, {"embedding": [1, 2]}]}),
        json!({"data": [{"embedding": [1]}, {"embedding": [null]}]}),
        json!({"data": [{"embedding": []}, {"embedding": []}]}),
        json!({"data": [{"embedding": "A"}, {"embedding": "A"}]}),
    ] {
        assert_eq!(
            embeddings_in_message_pack(&packed(&value), 2),
            embeddings(value.to_string().as_bytes(), 2),
            "{value}"
        );
    }
    let odd = answer(vec![Vector::Bin(Bin(vec![0; 7]))]);
    let odd = embeddings_in_message_pack(&odd, 1).unwrap_err();
    assert!(
        matches!(odd, DecodeError::Base64 { position: 0, .. }),
        "{odd}"
    );
    let nan = answer(vec![bin(&[1.0, f32::NAN])]);
    let nan = embeddings_in_message_pack(&nan, 1).unwrap_err();
    assert_eq!(nan, DecodeError::NonFinite { row: 0 });
}

#[test]
fn scores_are_read() {
    let body = packed(&json!([{"index": 1, "score": 1}, {"score": 0.5, "index": 0, "text": "t"}]));
    let scores = ranking(Format::MessagePack, &body, 2).unwrap();
    assert_eq!(
        (scores[0].score, scores[0].text.as_deref()),
        (0.5, Some("t"))
    );
    assert_eq!((scores[1].score, &scores[1].text), (1.0, &None));
    let body = packed(&json!([[{"label": "a", "score": 0.25}], []]));
    let lists = classes(Format::MessagePack, &body, 2).unwrap();
    assert_eq!((lists[0][0].label.as_str(), lists[0][0].score), ("a", 0.25));
    assert!(lists[1].is_empty());
}

#[test]
fn a_whole_body_of_another_shape_is_shown() {
    let body = packed(&json!({"error": "no such model"}));
    match embeddings_in_message_pack(&body, 1).unwrap_err() {
        DecodeError::Shape { excerpt, .. } => {
            assert_eq!(excerpt, r"\x81\xa5error\xadno such model");
        }
        error => panic!("{error}"),
    }
}

/// One value of each marker.
fn every_marker() -> Vec<Vec<u8>> {
    let mut bodies = vec![
        vec![0x7f],
        vec![0xe0],
        vec![0xc0],
        vec![0xc2],
        vec![0xc3],
        vec![0x81, 0xa1, b'a', 0x00],
        vec![0x92, 0x00, 0x90],
        vec![0xa1, b'a'],
    ];
    let lengths = |marker: u8, power: u8, behind: &[u8]| {
        let mut body = vec![marker];
        body.resize(1_usize << power, 0);
        body.push(1);
        body.extend_from_slice(behind);
        body
    };
    for power in 0..3 {
        bodies.push(lengths(0xc4 + power, power, &[9]));
        bodies.push(lengths(0xc7 + power, power, &[9, 9]));
        bodies.push(lengths(0xd9 + power, power, b"a"));
    }
    for power in 1..3 {
        bodies.push(lengths(0xdb + power, power, &[0xc0]));
        bodies.push(lengths(0xdd + power, power, &[0xa1, b'a', 0xc0]));
    }
    for (marker, bytes) in [
        (0xca, 4),
        (0xcb, 8),
        (0xcc, 1),
        (0xcd, 2),
        (0xce, 4),
        (0xcf, 8),
        (0xd0, 1),
        (0xd1, 2),
        (0xd2, 4),
        (0xd3, 8),
        (0xd4, 2),
        (0xd5, 3),
        (0xd6, 5),
        (0xd7, 9),
        (0xd8, 17),
    ] {
        let mut body = vec![marker];
        body.resize(1 + bytes, 0);
        bodies.push(body);
    }
    bodies
}

#[test]
fn the_walk_knows_every_marker_and_misses_every_byte() {
    let bodies = every_marker();
    assert_eq!(bodies.len(), 8 + 9 + 4 + 15);
    for body in &bodies {
        assert_eq!(check(Format::MessagePack, body), Ok(()), "{body:02x?}");
        for cut in 0..body.len() {
            let part = check(Format::MessagePack, &body[..cut]);
            assert!(part.is_err_and(|cause| cause.is_malformed()), "{body:02x?}");
        }
        let more = [body.as_slice(), &[0xc0]].concat();
        assert!(check(Format::MessagePack, &more).is_err(), "{body:02x?}");
    }
    assert!(check(Format::MessagePack, &[0xc1]).is_err());
    let all: Vec<u8> = [&[0xdc, 0, 36][..], &bodies.concat()].concat();
    assert_eq!(check(Format::MessagePack, &all), Ok(()));
}

#[test]
fn a_length_that_lies_reserves_nothing() {
    for marker in [0xc6, 0xc9, 0xdb, 0xdd, 0xdf] {
        let body = [marker, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00];
        assert!(
            check(Format::MessagePack, &body)
                .unwrap_err()
                .is_malformed()
        );
        assert!(typed::<Value>(Format::MessagePack, &body).is_err());
        assert!(embeddings_in_message_pack(&body, 1).is_err());
    }
}

#[test]
fn no_nesting_is_too_deep() {
    let mut deep = vec![0x91; 1 << 20];
    assert!(check(Format::MessagePack, &deep).is_err());
    deep.push(0xc0);
    assert_eq!(check(Format::MessagePack, &deep), Ok(()));
    let error = typed::<Value>(Format::MessagePack, &deep).unwrap_err();
    assert!(matches!(error, DecodeError::Shape { .. }), "{error}");
}

#[test]
fn a_body_that_is_cut_anywhere_is_malformed() {
    let ranks = packed(&json!([{"index": 0, "score": 0.5, "text": "t"}]));
    let lists = packed(&json!([[{"label": "a", "score": 0.5}]]));
    let vectors = every_kind();
    for cut in 0..vectors.len() {
        let error = embeddings_in_message_pack(&vectors[..cut], 5).unwrap_err();
        assert!(error.is_malformed(), "{cut}: {error}");
    }
    for cut in 0..ranks.len() {
        let error = ranking(Format::MessagePack, &ranks[..cut], 1).unwrap_err();
        assert!(error.is_malformed(), "{cut}: {error}");
    }
    for cut in 0..lists.len() {
        let error = classes(Format::MessagePack, &lists[..cut], 1).unwrap_err();
        assert!(error.is_malformed(), "{cut}: {error}");
    }
}

#[test]
fn garbled_bytes_never_panic_and_the_walk_agrees_with_the_reader() {
    let body = every_kind();
    let garbled = |bytes: &[u8]| {
        let _ = embeddings_in_message_pack(bytes, 5);
        let _ = ranking(Format::MessagePack, bytes, 5);
        let _ = classes(Format::MessagePack, bytes, 5);
        // Whatever the reader takes is whole.
        if typed::<serde::de::IgnoredAny>(Format::MessagePack, bytes).is_ok() {
            assert_eq!(check(Format::MessagePack, bytes), Ok(()), "{bytes:02x?}");
        }
    };
    for at in 0..body.len() {
        let mut bytes = body.clone();
        for byte in 0..=u8::MAX {
            bytes[at] = byte;
            garbled(&bytes);
        }
    }
    let mut dice = Dice::new(11);
    for _ in 0..20_000 {
        let length = 1 + dice.below(24);
        let bytes: Vec<u8> = (0..length)
            .map(|_| u8::try_from(dice.below(256)).unwrap())
            .collect();
        garbled(&bytes);
    }
}
