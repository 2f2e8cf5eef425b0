//! What a refusal says of its request's inputs: that they are too many or too much, and what the
//! limit is; that one of them is bad; or nothing.
//!
//! Services say it in words, each in its own. What is read are the messages and codes of an error,
//! never what a server sends back of the request.

use crate::policy::shape::{Complaint, ShapeLimit};
use serde_json::Value;

/// What a refusal of this status and body says.
pub(super) fn of(status: u16, body: &str) -> Complaint {
    match status {
        400 | 413 | 422 => of_a_client_s_fault(status, &words(body)),
        424 | 500 if has_one_of(&words(body), &INPUT_AT_FAULT) => Complaint::Input,
        _ => Complaint::None,
    }
}

fn of_a_client_s_fault(status: u16, words: &str) -> Complaint {
    let limit = LIMITS.iter().find_map(|(pattern, kind)| {
        let (most, asked) = read(pattern, words)?;
        Some(match kind {
            Of::Inputs => ShapeLimit::Inputs { most },
            Of::Tokens | Of::TokensPerhapsOfOne => ShapeLimit::Tokens {
                most,
                asked,
                of_one: *kind == Of::TokensPerhapsOfOne,
            },
            Of::Bytes => ShapeLimit::Bytes { most: Some(most) },
        })
    });
    if let Some(limit) = limit {
        Complaint::Shape(limit)
    } else if has_one_of(words, &INPUT_TOO_LONG) {
        Complaint::Input
    } else if status == 413 || has_one_of(words, &BODY_TOO_LARGE) {
        Complaint::Shape(ShapeLimit::Bytes { most: None })
    } else if has_one_of(words, &NOT_AN_INPUT) {
        Complaint::None
    } else if has_one_of(words, &INPUT_AT_FAULT) {
        Complaint::Input
    } else {
        Complaint::Perhaps
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Inputs,
    Tokens,
    /// The same words are said of a single input.
    TokensPerhapsOfOne,
    Bytes,
}

/// How services name a limit. `{most}` is the limit, `{asked}` what the request had, `..` anything
/// between.
const LIMITS: [(&str, Of); 17] = [
    // text-embeddings-inference.
    ("maximum allowed batch size {most}", Of::Inputs),
    // DashScope.
    (
        "batch size is invalid, it should not be larger than {most}",
        Of::Inputs,
    ),
    // Gemini.
    ("at most {most} requests can be in one batch", Of::Inputs),
    // Cohere.
    ("number of texts must be at most {most}", Of::Inputs),
    // OpenAI.
    ("expected an array with maximum length {most}", Of::Inputs),
    // FastAPI, over pydantic 2 and 1: Infinity and many more.
    ("list should have at most {most} item", Of::Inputs),
    ("ensure this value has at most {most} item", Of::Inputs),
    // Azure.
    ("the max number of inputs is {most}", Of::Inputs),
    (
        "too many inputs: {asked}, the maximum is {most}",
        Of::Inputs,
    ),
    // Voyage.
    ("batch size limit is {most}", Of::Inputs),
    // Vertex.
    ("{most} instance(s) is allowed per prediction", Of::Inputs),
    // OpenAI.
    (
        "requested {asked} tokens, max {most} tokens per request",
        Of::Tokens,
    ),
    // Voyage.
    (
        "max allowed tokens per submitted batch is {most}..your batch has {asked} tokens",
        Of::Tokens,
    ),
    // Mistral.
    (
        "too many tokens in batch. max is {most} got {asked}",
        Of::Tokens,
    ),
    // Vertex.
    (
        "input token count is {asked} but the model supports up to {most}",
        Of::Tokens,
    ),
    // text-embeddings-inference.
    (
        "must have less than {most} tokens. given: {asked}",
        Of::TokensPerhapsOfOne,
    ),
    // Gemini.
    ("payload size exceeds the limit: {most} bytes", Of::Bytes),
];

/// A body is larger than a server or a proxy before it reads, and how large it may be is not said.
const BODY_TOO_LARGE: [&str; 5] = [
    "length limit exceeded",
    "request entity too large",
    "payload too large",
    "request body too large",
    "body exceeded",
];

/// A single input is longer than the model reads.
const INPUT_TOO_LONG: [&str; 4] = [
    "maximum context length",
    "maximum input length",
    "max_seq_len",
    "input is too long",
];

/// What else may be wrong with a request.
const NOT_AN_INPUT: [&str; 17] = [
    "model_not_found",
    "model not found",
    "model_not_exist",
    "does not exist",
    "unknown model",
    "invalid model",
    "no such model",
    "unsupported model",
    "not a valid model",
    "api key",
    "api_key",
    "unauthorized",
    "encoding_format",
    "base64",
    "dimensions",
    "param:model",
    "loc:body.model",
];

/// An input is at fault, whichever it is.
const INPUT_AT_FAULT: [&str; 9] = [
    "unsupported value: nan",
    "nan values",
    "contains nan",
    "out of range float values are not json compliant",
    "empty string",
    "cannot be empty",
    "must not be empty",
    "blank",
    "too large to process",
];

fn has_one_of(words: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| words.contains(phrase))
}

/// What an error says, in lower case: its messages and codes where it is JSON, else all of it.
fn words(body: &str) -> String {
    let mut words = String::new();
    match serde_json::from_str(body) {
        Ok(value) => collect(&value, &mut words),
        Err(_) => words.push_str(body),
    }
    words.make_ascii_lowercase();
    words
}

fn collect(value: &Value, words: &mut String) {
    /// Members whose text is the server's own.
    const SAID: [&str; 8] = [
        "message", "msg", "detail", "details", "error", "errors", "code", "type",
    ];
    match value {
        Value::String(text) => {
            words.push_str(text);
            words.push('\n');
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, words)),
        Value::Object(members) => {
            for (name, value) in members {
                if SAID.contains(&name.as_str()) || name == "error_type" {
                    collect(value, words);
                } else if name == "loc" || name == "param" {
                    place(name, value, words);
                }
            }
        }
        _ => {}
    }
}

/// Where in the request something is wrong: `param:model`, `loc:body.model`.
fn place(name: &str, value: &Value, words: &mut String) {
    let steps = match value {
        Value::String(step) => vec![step.as_str()],
        Value::Array(steps) => steps.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    for part in [name, ":", &steps.join("."), "\n"] {
        words.push_str(part);
    }
}

/// What a pattern finds in `words`: the limit, and what was asked for where it names that.
fn read(pattern: &str, words: &str) -> Option<(usize, Option<usize>)> {
    let (opening, _) = pattern.split_once('{')?;
    let mut starts = words.match_indices(opening);
    if opening.is_empty() {
        // The number comes first: it is what stands before the words.
        let (_, closing) = pattern.split_once('}')?;
        let (before, _) = words.split_once(closing)?;
        let digits = before.len() - before.trim_end_matches(is_in_a_number).len();
        let (most, rest) = number(&before[before.len() - digits..])?;
        return rest.is_empty().then_some((most, None));
    }
    starts.find_map(|(start, _)| follow(pattern, &words[start..]))
}

/// Walks through a pattern and a text that begin alike.
fn follow(pattern: &str, text: &str) -> Option<(usize, Option<usize>)> {
    let (mut most, mut asked) = (None, None);
    let (mut pattern, mut text) = (pattern, text);
    while let Some((literal, rest)) = pattern.split_once('{') {
        text = match literal.split_once("..") {
            None => text.strip_prefix(literal)?,
            Some((near, far)) => text.strip_prefix(near)?.split_once(far)?.1,
        };
        let (name, rest) = rest.split_once('}')?;
        let (value, behind) = number(text)?;
        *(if name == "most" {
            &mut most
        } else {
            &mut asked
        }) = Some(value);
        (pattern, text) = (rest, behind);
    }
    text.strip_prefix(pattern)?;
    Some((most?, asked))
}

fn is_in_a_number(c: char) -> bool {
    c.is_ascii_digit() || c == ',' || c == '_'
}

/// The number that a text begins with, `300000` or `300,000`, and what follows.
fn number(text: &str) -> Option<(usize, &str)> {
    let end = text.find(|c| !is_in_a_number(c)).unwrap_or(text.len());
    // A comma that ends a part of the sentence is none of the number's.
    let written = text[..end].trim_end_matches([',', '_']);
    let digits: String = written.chars().filter(char::is_ascii_digit).collect();
    Some((digits.parse().ok()?, &text[written.len()..]))
}

#[cfg(test)]
mod tests;
