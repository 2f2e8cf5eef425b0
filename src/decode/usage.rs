//! The tokens that a server counted, however it writes them: no vector is lost for a count.

use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// The tokens that a server counted. What it does not state, or not as a number, is zero; `82.0` and
/// `"82"` are numbers too.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Usage {
    /// Tokens of the inputs.
    pub prompt_tokens: u64,
    /// Tokens of inputs and outputs together; for embeddings the same number.
    pub total_tokens: u64,
}

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| value.usage)
    }
}

/// A value of any kind, as far as it counts tokens.
#[derive(Default)]
pub(super) struct Value {
    /// What it is as a number.
    pub(super) count: u64,
    /// What it is as an object, or as a list of what an object would have.
    usage: Usage,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    PromptTokens,
    TotalTokens,
    #[serde(other)]
    Other,
}

impl Value {
    fn of(count: u64) -> Self {
        Self {
            count,
            ..Self::default()
        }
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_u64<E>(self, count: u64) -> Result<Value, E> {
        Ok(Value::of(count))
    }

    fn visit_i64<E>(self, count: i64) -> Result<Value, E> {
        Ok(Value::of(u64::try_from(count).unwrap_or_default()))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is no number of tokens becomes the nearest that is one"
    )]
    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::of(number as u64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        let text = text.trim();
        match text.parse() {
            Ok(count) => Ok(Value::of(count)),
            Err(_) => self.visit_f64(text.parse().unwrap_or_default()),
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::default())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::default())
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Value, E> {
        Ok(Value::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut next = || {
            let element = list.next_element::<Value>();
            element.map(|element| element.unwrap_or_default().count)
        };
        let usage = Usage {
            prompt_tokens: next()?,
            total_tokens: next()?,
        };
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value { count: 0, usage })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut usage = Usage::default();
        while let Some(member) = members.next_key()? {
            match member {
                Member::PromptTokens => usage.prompt_tokens = members.next_value::<Value>()?.count,
                Member::TotalTokens => usage.total_tokens = members.next_value::<Value>()?.count,
                Member::Other => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Value { count: 0, usage })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{embeddings, embeddings_by_serde_json};

    #[test]
    fn what_is_a_number_counts_and_nothing_else_costs_the_vectors() {
        let both = r#"{"prompt_tokens": 82, "total_tokens": 82}"#;
        for (usage, prompt, total) in [
            (both, 82, 82),
            (r#"{"prompt_tokens": 82.0, "total_tokens": "82"}"#, 82, 82),
            (r#"{"prompt_tokens": [82], "total_tokens": -1}"#, 0, 0),
            (r#"{"prompt_tokens": {"a": [1]}, "total_tokens": 7}"#, 0, 7),
            (r#"{"prompt_tokens": true, "total_tokens": "many"}"#, 0, 0),
            (r#"{"prompt_tokens": null, "total_tokens": -0.5}"#, 0, 0),
            (
                r#"{"prompt_tokens": 1e30, "total_tokens": 2.5}"#,
                u64::MAX,
                2,
            ),
            (r#"{"prompt_tokens": 1, "prompt_tokens": 2}"#, 2, 0),
            ("{}", 0, 0),
            ("null", 0, 0),
            ("82", 0, 0),
            ("\"82\"", 0, 0),
            ("[82]", 82, 0),
            ("[\"1\", 2.0, 3, {}]", 1, 2),
            ("[]", 0, 0),
        ] {
            let body = format!(r#"{{"data":[{{"embedding":[1.5]}}],"usage":{usage},"model":"m"}}"#);
            let expected = Usage {
                prompt_tokens: prompt,
                total_tokens: total,
            };
            for read in [embeddings, embeddings_by_serde_json] {
                let rows = read(body.as_bytes(), 1).expect(usage);
                assert_eq!((rows.values, rows.usage), (vec![1.5], expected), "{usage}");
            }
        }
    }
}
