//! How much a request asks for, as limits count it. Read from the body once more,
//! before the endpoint reads it, and only where a limit depends on it.

use serde::Deserialize;

use super::json::{Content, Text, Texts};
use super::request::Request;
use super::tokens::tokens_of;

/// The inputs of a request, and the tokens of all of them together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) items: u64,
    pub(super) tokens: u64,
}

/// The fields of all endpoints that hold input.
#[derive(Deserialize)]
struct Weighed<'a> {
    #[serde(borrow)]
    input: Option<Texts<'a>>,
    #[serde(borrow)]
    prompt: Option<Texts<'a>>,
    #[serde(borrow)]
    query: Option<Text<'a>>,
    #[serde(borrow)]
    texts: Option<Texts<'a>>,
    #[serde(borrow)]
    inputs: Option<Vec<Texts<'a>>>,
    messages: Option<Vec<Message>>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<Content>,
}

impl Weight {
    /// That of a request. A body that cannot be read weighs nothing: its endpoint
    /// says what is wrong with it. Nor do bodies of `/echo`.
    pub(super) fn of(request: &Request<'_>) -> Self {
        let path = request.path();
        let path = path.strip_prefix("/v1").unwrap_or(path);
        if request.method() != "POST" || path == "/echo" || path.starts_with("/echo/") {
            return Self::default();
        }
        serde_json::from_slice(request.body()).map_or_else(|_| Self::default(), Self::sum)
    }

    fn sum(body: Weighed<'_>) -> Self {
        let mut weight = Self::default();
        for texts in [body.input, body.prompt, body.texts] {
            for text in texts.iter().flat_map(|texts| &texts.0) {
                weight.add(1, tokens_of(text));
            }
        }
        for texts in body.inputs.iter().flatten() {
            weight.add(1, texts.0.iter().map(|text| tokens_of(text)).sum());
        }
        weight.add(0, body.query.map_or(0, |query| tokens_of(&query)));
        for content in body.messages.iter().flatten().map(|it| &it.content) {
            weight.add(0, content.as_ref().map_or(0, |content| content.tokens));
        }
        weight
    }

    fn add(&mut self, items: u64, tokens: usize) {
        self.items += items;
        self.tokens += tokens as u64;
    }
}
