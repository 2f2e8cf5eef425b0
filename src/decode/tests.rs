//! What answers become, and each complaint by its name. The long tests are below: `agreement.rs`
//! sets the two readers against each other, `numbers.rs` the numbers against `str::parse`;
//! `message_pack.rs` has the other format.

mod agreement;
mod message_pack;
mod numbers;

use super::{
    DecodeError, Format, IndexFault, Rows, Usage, check, embeddings, embeddings_by_serde_json,
    scan, typed,
};

/// Chance that is the same in every run.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from((self.bits() >> 32) % bound as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// An answer of one row for each text.
fn answer(rows: &[&str]) -> Vec<u8> {
    format!(r#"{{"data":[{}]}}"#, rows.join(",")).into_bytes()
}

fn failure(rows: &[&str]) -> DecodeError {
    let body = answer(rows);
    let error = embeddings(&body, rows.len()).unwrap_err();
    assert_eq!(
        embeddings_by_serde_json(&body, rows.len()),
        Err(error.clone())
    );
    error
}

#[test]
fn rows_come_in_input_order() {
    let body = br#"{"object":"list","data":[
        {"object":"embedding","index":2,"embedding":[5,6.0]},{"embedding":[1e0,2],"index":0},{"index":1,"embedding":"AABAQAAAgEA="}
    ],"model":"m","usage":{"prompt_tokens":7,"total_tokens":8}}"#;
    let rows = Rows {
        values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        rows: 3,
        dimensions: 2,
        base64: true,
        model: Some("m".to_owned()),
        usage: Usage {
            prompt_tokens: 7,
            total_tokens: 8,
        },
    };
    assert!(scan::scan(body, 3).is_some());
    assert_eq!(embeddings(body, 3), Ok(rows.clone()));
    assert_eq!(embeddings_by_serde_json(body, 3), Ok(rows));
}

#[test]
fn rows_without_any_index_count_as_ordered() {
    let body = answer(&[r#"{"embedding":[1]}"#, r#"{"embedding":[2],"index":null}"#]);
    assert_eq!(embeddings(&body, 2).unwrap().values, [1.0, 2.0]);
}

#[test]
fn an_answer_without_rows_answers_a_request_without_inputs() {
    assert_eq!(embeddings(br#"{"data":[]}"#, 0), Ok(Rows::default()));
}

#[test]
fn escapes_in_keys_and_base64_are_understood() {
    let body = br#"{"d\u0061ta":[{"embedding":"\/\/9\/fw=="}]}"#;
    assert!(scan::scan(body, 1).is_none());
    assert_eq!(embeddings(body, 1).unwrap().values, [f32::MAX]);
}

#[test]
fn one_allocation_holds_a_large_answer() {
    let row = format!(r#"{{"embedding":[{}]}}"#, vec!["0.5"; 2_000].join(","));
    let rows = embeddings(&answer(&[row.as_str(); 50]), 50).unwrap();
    assert_eq!(
        (rows.values.len(), rows.values.capacity()),
        (100_000, 100_000)
    );
}

#[test]
fn a_wrong_expectation_reserves_no_more_than_the_body_can_fill() {
    let body = answer(&[r#"{"embedding":[1,2,3]}"#]);
    assert!(scan::scan(&body, usize::MAX).unwrap().values.capacity() <= body.len());
    assert_eq!(
        embeddings(&body, usize::MAX),
        Err(DecodeError::Count {
            expected: usize::MAX,
            found: 1
        })
    );
}

#[test]
fn indices_must_be_a_permutation() {
    let [zero, one, two, none] = [
        r#"{"embedding":[1],"index":0}"#,
        r#"{"embedding":[1],"index":1}"#,
        r#"{"embedding":[1],"index":2}"#,
        r#"{"embedding":[1]}"#,
    ];
    let index = |position, fault| DecodeError::Index { position, fault };
    assert_eq!(failure(&[one, one]), index(1, IndexFault::Repeated(1)));
    assert_eq!(failure(&[zero, two]), index(1, IndexFault::OutOfRange(2)));
    assert_eq!(failure(&[zero, none]), index(1, IndexFault::Missing));
}

#[test]
fn vectors_must_be_equally_long_and_not_empty() {
    let (one, two) = (
        r#"{"embedding":[1],"index":1}"#,
        r#"{"embedding":[1,2],"index":0}"#,
    );
    assert_eq!(
        failure(&[one, two]),
        DecodeError::Dimensions {
            row: 0,
            expected: 1,
            found: 2
        }
    );
    assert_eq!(
        failure(&[r#"{"embedding":[]}"#]),
        DecodeError::Empty { row: 0 }
    );
    assert_eq!(
        failure(&[r#"{"embedding":""}"#]),
        DecodeError::Empty { row: 0 }
    );
}

#[test]
fn numbers_must_be_finite() {
    for vector in [
        "[1,1e39]",
        "[-3.5e38,1]",
        "[null,1]",
        r#""AADAfw==""#,
        r#""AACAfw==""#,
    ] {
        let row = format!(r#"{{"embedding":{vector}}}"#);
        assert_eq!(
            failure(&[&row]),
            DecodeError::NonFinite { row: 0 },
            "{vector}"
        );
    }
    let body = answer(&[r#"{"embedding":[1e999]}"#]);
    assert_eq!(embeddings(&body, 1), Err(DecodeError::NonFinite { row: 0 }));
}

#[test]
fn base64_must_be_base64_of_whole_numbers() {
    for text in [
        "AADA",
        "AADAfw=",
        "AADAfw===",
        "AADAf-==",
        "AADAfx==",
        "A",
        "=",
    ] {
        let row = format!(r#"{{"embedding":"{text}"}}"#);
        assert!(
            matches!(failure(&[&row]), DecodeError::Base64 { position: 0, .. }),
            "{text}"
        );
    }
}

#[test]
fn json_of_another_shape_is_shown() {
    for body in [
        r#"{"error":{"message":"no such model"}}"#,
        r"[[0.1,0.2]]",
        r#"{"data":[{"index":0}]}"#,
        r#"{"data":[{"embedding":[[1]]}]}"#,
        r#"{"data":[{"embedding":[1],"embedding":[1]}]}"#,
        r#"{"data":[{"embedding":[1],"index":1.5}]}"#,
        r#"{"data":null}"#,
    ] {
        match embeddings(body.as_bytes(), 1).unwrap_err() {
            DecodeError::Shape { excerpt, .. } => assert_eq!(excerpt, body),
            error => panic!("{error}"),
        }
    }
    let long = format!("\"{}\"", "ü".repeat(1_000));
    assert!(
        matches!(embeddings(long.as_bytes(), 1), Err(DecodeError::Shape { excerpt, .. }) if excerpt.len() < 220)
    );
}

#[test]
fn a_wrong_shape_that_is_cut_short_is_malformed() {
    assert!(
        embeddings(br#"{"data":"no list","#, 1)
            .unwrap_err()
            .is_malformed()
    );
}

#[test]
fn what_is_no_json_is_told_from_what_is_cut() {
    for body in ["<html>", "{\"data\":[]} and more", "not found", "{data:[]}"] {
        let found = embeddings(body.as_bytes(), 1).unwrap_err();
        assert!(matches!(found, DecodeError::NotJson(_)), "{body}: {found}");
    }
    for body in ["", " ", "{", "{\"da", "[1,2", "tru", "\"ab\\"] {
        assert!(
            embeddings(body.as_bytes(), 1).unwrap_err().is_malformed(),
            "{body}"
        );
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let body = "\u{feff}{\"data\":[{\"embedding\":[1.0]}]}";
    assert_eq!(embeddings(body.as_bytes(), 1).unwrap().values, [1.0]);
    assert_eq!(check(Format::Json, body.as_bytes()), Ok(()));
    assert!(typed::<serde_json::Value>(Format::Json, body.as_bytes()).is_ok());
    assert!(
        embeddings("\u{feff}".as_bytes(), 1)
            .unwrap_err()
            .is_malformed()
    );
}

#[test]
fn a_row_of_python_s_names_for_no_number_is_named() {
    let answer = |row: &str| {
        let good = r#"{"embedding":[1.0,2.0]}"#;
        let body =
            format!(r#"{{"model":"a \" NaN","data":[{good},{{"embedding":{row}}},{good}]}}"#);
        embeddings(body.as_bytes(), 3).unwrap_err()
    };
    for row in [
        "[NaN,1.0]",
        "[0.0,-Infinity]",
        "[Infinity,NaN]",
        "[null,1.0]",
    ] {
        assert_eq!(answer(row), DecodeError::NonFinite { row: 1 }, "{row}");
    }
    for row in ["[]", "null"] {
        assert_eq!(answer(row), DecodeError::Empty { row: 1 }, "{row}");
    }
    assert!(matches!(answer("[Nan]"), DecodeError::NotJson(_)));
    assert!(
        embeddings(br#"{"data":[{"embedding":[NaN]"#, 1)
            .unwrap_err()
            .is_malformed()
    );
}
