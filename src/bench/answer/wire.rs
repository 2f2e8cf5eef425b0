//! The JSON of answers, as far as a benchmark looks at it: whether there is text, and `usage`.

use super::tokens::TokenCounts;
use crate::decode::{DecodeError, without_mark};
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use std::fmt;
use std::ops::AddAssign;

/// One event of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    /// It carries text of the answer (or of a call of a tool).
    pub(super) has_content: bool,
    /// It carries text of the model's reasoning.
    pub(super) has_reasoning: bool,
    /// It says why the answer ends.
    pub(super) is_last: bool,
    pub(super) usage: Option<TokenCounts>,
}

impl Chunk {
    pub(super) fn read(data: &[u8]) -> Result<Self, DecodeError> {
        let event = Envelope::read(data)?;
        let Choices {
            delta,
            text,
            finish_reason,
            ..
        } = event.choices.unwrap_or_default();
        Ok(Self {
            has_content: delta.content.0 + delta.tool_calls.0 + text.0 > 0,
            has_reasoning: delta.reasoning_content.0 + delta.reasoning.0 > 0,
            is_last: finish_reason.0 > 0,
            usage: event.usage.map(Usage::tokens),
        })
    }
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Whole {
    usage: Option<Usage>,
    text: usize,
}

impl Whole {
    pub(super) fn read(body: &[u8]) -> Result<Self, DecodeError> {
        let begins = body.iter().find(|byte| !byte.is_ascii_whitespace());
        if begins != Some(&b'{') {
            // Rankings and classes come as bare lists.
            parse::<IgnoredAny>(body)?;
            return Ok(Self {
                usage: None,
                text: 0,
            });
        }
        let answer = Envelope::read(body)?;
        let Choices { message, text, .. } = answer.choices.unwrap_or_default();
        Ok(Self {
            usage: answer.usage,
            text: message.content.0 + message.reasoning_content.0 + text.0,
        })
    }

    /// The server's counts; without them, a token for every four bytes of text.
    pub(super) fn tokens(&self) -> TokenCounts {
        let counted = self.usage.map(Usage::tokens).unwrap_or_default();
        if counted.completion.is_some() || self.text == 0 {
            return counted;
        }
        TokenCounts {
            completion: Some(self.text.div_ceil(4) as u64),
            estimated: true,
            ..counted
        }
    }
}

fn parse<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, DecodeError> {
    let text = without_mark(text);
    let read = match std::str::from_utf8(text) {
        // Looked at once as a whole, which is faster than each string on its own.
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(text),
    };
    read.map_err(|cause| {
        if cause.is_data() {
            DecodeError::Shape {
                reason: cause.to_string(),
                excerpt: excerpt(text),
            }
        } else {
            DecodeError::of_json(&cause, text)
        }
    })
}

fn refusal(text: &[u8]) -> DecodeError {
    DecodeError::Shape {
        reason: "the server sent an error in an answer of success".to_owned(),
        excerpt: excerpt(text),
    }
}

fn excerpt(text: &[u8]) -> String {
    const LONGEST: usize = 200;
    let head = &text[..text.len().min(LONGEST)];
    String::from_utf8_lossy(head).into_owned()
}

/// What an answer, or one event of it, has around its text.
#[derive(Deserialize)]
struct Envelope {
    choices: Option<Choices>,
    usage: Option<Usage>,
    error: Option<IgnoredAny>,
}

impl Envelope {
    /// What is there, unless it is an error.
    fn read(text: &[u8]) -> Result<Self, DecodeError> {
        let answer: Self = parse(text)?;
        match answer.error {
            Some(_) => Err(refusal(text)),
            None => Ok(answer),
        }
    }
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Text>,
    message: Option<Text>,
    #[serde(default)]
    text: Length,
    #[serde(default)]
    finish_reason: Length,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
struct Text {
    content: Length,
    reasoning_content: Length,
    reasoning: Length,
    tool_calls: Length,
}

impl AddAssign for Text {
    fn add_assign(&mut self, other: Self) {
        self.content += other.content;
        self.reasoning_content += other.reasoning_content;
        self.reasoning += other.reasoning;
        self.tool_calls += other.tool_calls;
    }
}

/// All choices of an answer, added up: nothing of a single one is asked for.
#[derive(Default)]
struct Choices {
    delta: Text,
    message: Text,
    text: Length,
    finish_reason: Length,
}

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(AddUp)
    }
}

struct AddUp;

impl<'de> Visitor<'de> for AddUp {
    type Value = Choices;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of choices")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Choices, A::Error> {
        let mut all = Choices::default();
        while let Some(choice) = list.next_element::<Choice>()? {
            all.delta += choice.delta.unwrap_or_default();
            all.message += choice.message.unwrap_or_default();
            all.text += choice.text;
            all.finish_reason += choice.finish_reason;
        }
        Ok(all)
    }
}

/// Counts of tokens, under the names of completions and of responses.
#[derive(Debug, Deserialize, Clone, Copy, Default)]
#[serde(default)]
struct Usage {
    #[serde(rename = "prompt_tokens", alias = "input_tokens")]
    prompt: Option<u64>,
    #[serde(rename = "completion_tokens", alias = "output_tokens")]
    completion: Option<u64>,
    #[serde(rename = "total_tokens")]
    total: Option<u64>,
}

impl Usage {
    fn tokens(self) -> TokenCounts {
        TokenCounts {
            // Embeddings have no output, and some services name the total alone.
            prompt: self.prompt.or(self.total),
            completion: self.completion,
            estimated: false,
        }
    }
}

/// How much there is of a value: the bytes of a text, the members of a list or an object; nothing
/// of null. Nothing is kept of it.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
struct Length(usize);

impl AddAssign for Length {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Measure)
    }
}

struct Measure;

impl<'de> Visitor<'de> for Measure {
    type Value = Length;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Length, E> {
        Ok(Length(text.len()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Length, E> {
        Ok(Length(0))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Length, E> {
        Ok(Length(1))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Length, E> {
        Ok(Length(1))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Length, E> {
        Ok(Length(1))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Length, E> {
        Ok(Length(1))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Length, A::Error> {
        let mut members = 0;
        while list.next_element::<IgnoredAny>()?.is_some() {
            members += 1;
        }
        Ok(Length(members))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Length, A::Error> {
        let mut members = 0;
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            members += 1;
        }
        Ok(Length(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(json: &str) -> Chunk {
        Chunk::read(json.as_bytes()).unwrap()
    }

    #[test]
    fn role_reasoning_content_and_end_are_told_apart() {
        let role = chunk(r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#);
        assert!(!role.has_content && !role.has_reasoning && !role.is_last);
        for field in ["reasoning_content", "reasoning"] {
            let json = format!(r#"{{"choices":[{{"delta":{{"content":null,"{field}":"hm"}}}}]}}"#);
            let reasoning = chunk(&json);
            assert!(!reasoning.has_content && reasoning.has_reasoning);
        }
        for delta in [
            r#""delta":{"content":"a"}"#,
            r#""text":"a""#,
            r#""delta":{"tool_calls":[{}]}"#,
        ] {
            let content = chunk(&format!(
                r#"{{"choices":[{{{delta},"finish_reason":null}}]}}"#
            ));
            assert!(content.has_content && !content.has_reasoning && !content.is_last);
        }
        assert!(chunk(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#).is_last);
    }

    #[test]
    fn usage_is_the_count_and_text_the_estimate() {
        let tokens = |json: &str| Whole::read(json.as_bytes()).unwrap().tokens();
        let counted =
            tokens(r#"{"usage":{"prompt_tokens":3,"completion_tokens":5},"choices":null}"#);
        assert_eq!(
            (counted.prompt, counted.completion, counted.estimated),
            (Some(3), Some(5), false)
        );
        let guessed = tokens(r#"{"choices":[{"message":{"content":"12345678"}}],"usage":null}"#);
        assert_eq!(
            (guessed.prompt, guessed.completion, guessed.estimated),
            (None, Some(2), true)
        );
        let embedding = tokens(r#"{"data":[],"usage":{"total_tokens":7}}"#);
        assert_eq!(
            (embedding.prompt, embedding.completion, embedding.estimated),
            (Some(7), None, false)
        );
        assert_eq!(tokens("[[1]]"), TokenCounts::default());
    }

    #[test]
    fn an_answer_that_is_cut_is_malformed_and_an_error_is_another_shape() {
        assert!(Whole::read(b"{\"choices\":[").unwrap_err().is_malformed());
        assert!(Whole::read(b"[1,").unwrap_err().is_malformed());
        assert!(Whole::read(b"").unwrap_err().is_malformed());
        let error = Whole::read(b"{\"error\":{\"message\":\"no\"}}").unwrap_err();
        assert!(!error.is_malformed());
        assert!(
            !Chunk::read(b"{\"error\":\"no\"}")
                .unwrap_err()
                .is_malformed()
        );
    }
}
