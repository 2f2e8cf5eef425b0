//! Rankings and classifications: lists of scores, in the bare shapes of text-embeddings-inference.

use super::{DecodeError, Format, IndexFault, typed};
use serde::{Deserialize, Deserializer};

/// The score of one text of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The score; NaN where the server has none.
    pub score: f64,
    /// The text, if the server sent it back.
    pub text: Option<String>,
}

/// A label that a classifier knows, and how well it fits.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Class {
    /// The label.
    pub label: String,
    /// How well it fits: a probability, or raw, as was asked for; NaN where the server has none.
    #[serde(deserialize_with = "null_is_nan")]
    pub score: f64,
}

#[derive(Deserialize)]
struct Ranked {
    index: Option<u64>,
    #[serde(deserialize_with = "null_is_nan")]
    score: f64,
    text: Option<String>,
}

/// Where a server's JSON has no NaN, it writes null. The attribute makes a score that is missing
/// an error all the same.
fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// Reads `[{index, score, text?}]`, in whatever order it came, into the order of the texts.
///
/// # Errors
///
/// When the body is cut short or of another shape, when there are not as many scores as
/// `expected`, or when an index is missing, repeated or out of range.
pub fn ranking(format: Format, body: &[u8], expected: usize) -> Result<Vec<Scored>, DecodeError> {
    let ranked: Vec<Ranked> = typed(format, body)?;
    counted(&ranked, expected)?;
    let mut places: Vec<Option<Scored>> = Vec::new();
    places.resize_with(expected, || None);
    for (position, Ranked { index, score, text }) in ranked.into_iter().enumerate() {
        let fault = |fault| DecodeError::Index { position, fault };
        let index = index.ok_or(fault(IndexFault::Missing))?;
        let place = usize::try_from(index)
            .ok()
            .and_then(|index| places.get_mut(index));
        match place {
            None => return Err(fault(IndexFault::OutOfRange(index))),
            Some(Some(_)) => return Err(fault(IndexFault::Repeated(index))),
            Some(place) => *place = Some(Scored { score, text }),
        }
    }
    // As many as there are places, and none in the place of another: none is left empty.
    Ok(places.into_iter().flatten().collect())
}

/// Reads `[[{label, score}]]`: a list of labels for each input.
///
/// # Errors
///
/// When the body is cut short or of another shape, when there are not as many lists as
/// `expected`, or when there is null in the place of one.
pub fn classes(
    format: Format,
    body: &[u8],
    expected: usize,
) -> Result<Vec<Vec<Class>>, DecodeError> {
    let lists: Vec<Option<Vec<Class>>> = typed(format, body)?;
    counted(&lists, expected)?;
    let lists = lists.into_iter().enumerate();
    let lists = lists.map(|(row, list)| list.ok_or(DecodeError::Empty { row }));
    lists.collect()
}

fn counted<T>(rows: &[T], expected: usize) -> Result<(), DecodeError> {
    let found = rows.len();
    if found == expected {
        Ok(())
    } else {
        Err(DecodeError::Count { expected, found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(body: &str) -> Result<Vec<Scored>, DecodeError> {
        ranking(Format::Json, body.as_bytes(), 2)
    }

    #[test]
    fn scores_come_into_the_order_of_the_texts() {
        let scores = ranked(
            r#"[{"index":1,"score":0.75,"text":"b","more":[]},{"score":-2,"index":0,"text":null}]"#,
        );
        let expected = [(-2.0, None), (0.75, Some("b".to_owned()))];
        let expected = expected.map(|(score, text)| Scored { score, text });
        assert_eq!(scores.unwrap(), expected);
    }

    #[test]
    fn each_index_must_come_once() {
        let zero = r#"{"index":0,"score":1}"#;
        let answer = |second: &str| ranked(&format!("[{zero},{second}]")).unwrap_err();
        let fault = |fault| DecodeError::Index { position: 1, fault };
        assert_eq!(answer(zero), fault(IndexFault::Repeated(0)));
        assert_eq!(answer(r#"{"score":1}"#), fault(IndexFault::Missing));
        let two = r#"{"index":2,"score":1}"#;
        assert_eq!(answer(two), fault(IndexFault::OutOfRange(2)));
        for (body, found) in [("[]".to_owned(), 0), (format!("[{zero},{zero},{zero}]"), 3)] {
            let count = DecodeError::Count { expected: 2, found };
            assert_eq!(ranked(&body).unwrap_err(), count);
        }
    }

    #[test]
    fn a_score_may_be_null_but_not_missing() {
        let scores = ranked(r#"[{"index":1,"score":null},{"index":0,"score":1}]"#).unwrap();
        assert!(scores[1].score.is_nan());
        let missing = ranked(r#"[{"index":1},{"index":0,"score":1}]"#).unwrap_err();
        assert!(matches!(missing, DecodeError::Shape { .. }));
    }

    #[test]
    fn there_is_a_list_of_classes_for_each_input() {
        let body = br#"[[{"label":"a","score":0.5},{"label":"b","score":null}],[]]"#;
        let lists = classes(Format::Json, body, 2).unwrap();
        assert_eq!((lists[0][0].label.as_str(), lists[0][0].score), ("a", 0.5));
        assert!(lists[0][1].score.is_nan());
        assert!(lists[1].is_empty());
        let count = DecodeError::Count {
            expected: 3,
            found: 2,
        };
        assert_eq!(classes(Format::Json, body, 3).unwrap_err(), count);
        let error = classes(Format::Json, br#"{"error":"no"}"#, 1).unwrap_err();
        assert!(matches!(error, DecodeError::Shape { .. }));
        let cut = classes(Format::Json, &body[..20], 2).unwrap_err();
        assert!(cut.is_malformed());
    }
}
