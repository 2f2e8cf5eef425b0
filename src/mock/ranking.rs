//! `/rerank` and `/predict`, in the bare shapes of text-embeddings-inference.

use serde::Deserialize;

use super::embeddings::rows;
use super::hash::{hash_text, mix};
use super::json::Text;
use super::print::{push_integer, push_string};
use super::refusal::Refusal;
use super::reply::Reply;
use super::request::Request;
use super::treatment::{BadRows, Treatment};
use super::vectors::{on_grid, push_floats};

/// The score that `/rerank` gives a text for a query: in (0, 1), and a function
/// of the two texts alone.
#[must_use]
pub fn score_of(query: &str, text: &str) -> f32 {
    share(mix(hash_text(query)) ^ hash_text(text))
}

/// What `/predict` answers for an input of one text, best first: the labels
/// `positive` and `negative`, whose scores are in (0, 1) and add up to 1. An
/// input of several texts counts as these texts joined by a newline.
#[must_use]
pub fn labels_of(text: &str) -> [(&'static str, f32); 2] {
    let positive = share(!hash_text(text));
    let negative = on_grid(1.0 - f64::from(positive));
    if positive >= negative {
        [("positive", positive), ("negative", negative)]
    } else {
        [("negative", negative), ("positive", positive)]
    }
}

/// A number in (0, 1) with six places.
fn share(hash: u64) -> f32 {
    let steps = u32::try_from(1 + mix(hash) % 999_999).unwrap_or(1);
    on_grid(f64::from(steps) / 1e6)
}

#[derive(Deserialize)]
struct RerankRequest<'a> {
    #[serde(borrow)]
    query: Text<'a>,
    #[serde(borrow)]
    texts: Vec<Text<'a>>,
    raw_scores: Option<bool>,
    return_text: Option<bool>,
}

/// Answers `/rerank`, best first.
pub(super) fn rerank(
    request: &Request<'_>,
    treatment: &Treatment,
    body: &mut Vec<u8>,
) -> Result<Reply, Refusal> {
    let wanted: RerankRequest<'_> = serde_json::from_slice(request.body())?;
    if wanted.texts.is_empty() {
        return Err(Refusal::new("`texts` cannot be empty"));
    }
    let mut ranks: Vec<(usize, &str, f32)> = rows(&wanted.texts, treatment.rows)
        .map(|(index, text)| (index, &**text, score_of(&wanted.query, text)))
        .collect();
    ranks.sort_by(|a, b| b.2.total_cmp(&a.2));
    body.push(b'[');
    for (row, (index, text, score)) in ranks.into_iter().enumerate() {
        body.extend_from_slice(if row > 0 {
            b",{\"index\":"
        } else {
            b"{\"index\":"
        });
        push_integer(body, index);
        if wanted.return_text == Some(true) {
            body.extend_from_slice(b",\"text\":");
            push_string(body, text);
        }
        body.extend_from_slice(b",\"score\":");
        push_score(
            body,
            score,
            wanted.raw_scores,
            row == 0 && treatment.rows == Some(BadRows::NonFinite),
        );
        body.push(b'}');
    }
    body.push(b']');
    Ok(Reply::json())
}

#[derive(Deserialize)]
struct PredictRequest<'a> {
    #[serde(borrow)]
    inputs: Vec<Vec<Text<'a>>>,
    raw_scores: Option<bool>,
}

/// Answers `/predict`.
pub(super) fn predict(
    request: &Request<'_>,
    treatment: &Treatment,
    body: &mut Vec<u8>,
) -> Result<Reply, Refusal> {
    let wanted: PredictRequest<'_> = serde_json::from_slice(request.body())?;
    if wanted.inputs.is_empty() {
        return Err(Refusal::new("`inputs` cannot be empty"));
    }
    body.push(b'[');
    for (row, (_, texts)) in rows(&wanted.inputs, treatment.rows).enumerate() {
        body.extend_from_slice(if row > 0 { b",[" } else { b"[" });
        let labels = match texts.as_slice() {
            [text] => labels_of(text),
            texts => {
                let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
                labels_of(&texts.join("\n"))
            }
        };
        for (place, (label, score)) in labels.into_iter().enumerate() {
            body.extend_from_slice(if place > 0 {
                b",{\"label\":"
            } else {
                b"{\"label\":"
            });
            push_string(body, label);
            body.extend_from_slice(b",\"score\":");
            let not_a_number = row + place == 0 && treatment.rows == Some(BadRows::NonFinite);
            push_score(body, score, wanted.raw_scores, not_a_number);
            body.push(b'}');
        }
        body.push(b']');
    }
    body.push(b']');
    Ok(Reply::json())
}

/// Writes a score, or, raw, the logit that it is the sigmoid of.
fn push_score(body: &mut Vec<u8>, score: f32, raw: Option<bool>, not_a_number: bool) {
    if not_a_number {
        body.extend_from_slice(b"NaN");
    } else if raw == Some(true) {
        let logit = libm::logf(score / (1.0 - score));
        body.extend_from_slice(logit.to_string().as_bytes());
    } else {
        push_floats(body, &[score]);
    }
}
