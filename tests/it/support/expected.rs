//! What the right answers are: the mock server and the simulated network give the same.
//!
//! Of each answer, the inputs whose numbers are in `failed` must be missing, and all others right.

use hedgerow::mock::{embedding_of, labels_of, score_of};
use hedgerow::{Class, Matrix, PostAnswer, Ranked};
use serde_json::{Value, json};

/// What rankings ask.
pub(crate) const QUERY: &str = "which \"one\"?";

pub(crate) fn assert_rows(found: &Matrix, texts: &[String], failed: &[usize]) {
    assert_eq!(found.len(), texts.len());
    for (index, text) in texts.iter().enumerate() {
        let row = found.row(index);
        if failed.contains(&index) {
            assert!(row.iter().all(|value| value.is_nan()), "row {index}");
        } else {
            assert!(!row.is_empty(), "row {index}");
            assert_eq!(row, embedding_of(text, row.len()), "row {index}");
        }
    }
}

pub(crate) fn assert_ranks(found: &Ranked, texts: &[String], failed: &[usize]) {
    let expected = texts.iter().enumerate();
    let mut expected = expected.filter(|(index, _)| !failed.contains(index));
    for rank in found.iter() {
        let (index, text) = expected.next().expect("no more ranks than texts");
        assert_eq!(rank.index, index);
        assert_eq!(rank.score.to_string(), score_of(QUERY, text).to_string());
    }
    assert_eq!(expected.next(), None);
}

pub(crate) fn assert_classes(found: &[Vec<Class>], texts: &[String], failed: &[usize]) {
    assert_eq!(found.len(), texts.len());
    for (index, (text, classes)) in texts.iter().zip(found).enumerate() {
        let found = classes
            .iter()
            .map(|class| (class.label.as_str(), class.score.to_string()));
        let expected = labels_of(text).map(|(label, score)| (label, score.to_string()));
        let expected = expected.into_iter().filter(|_| !failed.contains(&index));
        assert!(found.eq(expected), "input {index}: {classes:?}");
    }
}

/// Posts of texts to `/echo`.
pub(crate) fn assert_echoes(found: &[Option<PostAnswer>], texts: &[String], failed: &[usize]) {
    assert_eq!(found.len(), texts.len());
    for (index, (text, answer)) in texts.iter().zip(found).enumerate() {
        assert_eq!(answer.is_none(), failed.contains(&index), "post {index}");
        if let Some(answer) = answer {
            assert_eq!(answer.json::<Value>().unwrap()["body"], json!(text));
        }
    }
}
