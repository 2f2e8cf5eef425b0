//! `/v1/chat/completions` and `/v1/completions`: a set number of tokens at a
//! set pace, as one JSON answer or as a stream of events.

use std::time::Duration;

use serde::Deserialize;

use super::json::{Content, Text, Texts};
use super::reply::{Reply, push_integer, push_string};
use super::request::Request;
use super::routes::Refusal;
use super::server::Shared;
use super::spec::{LONGEST, milliseconds};
use super::stream::{Event, Script};

/// The most tokens that a request may ask for.
const MAX_TOKENS: usize = 10_000_000;

/// How many tokens the server counts a text for: one every four bytes.
#[must_use]
pub fn tokens_of(text: &str) -> usize {
    text.len().div_ceil(4)
}

/// The `k`th token of every completion, counted from 0. Tokens end with a space.
#[must_use]
pub fn token(k: usize) -> &'static str {
    const WORDS: [&str; 8] = [
        "mock ", "tokens ", "come ", "at ", "a ", "set ", "steady ", "pace ",
    ];
    WORDS[k % WORDS.len()]
}

#[derive(Deserialize)]
struct CompletionRequest<'a> {
    messages: Option<Vec<Message>>,
    #[serde(borrow)]
    prompt: Option<Texts<'a>>,
    #[serde(borrow)]
    model: Option<Text<'a>>,
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<Content>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// A completion that is to be given, whole or streamed.
#[derive(Debug)]
pub(super) struct Completion {
    /// Whether its events are those of chat.
    pub(super) chat: bool,
    pub(super) tokens: usize,
    model: String,
    prompt_tokens: usize,
    /// The client set the number of tokens, so they end for `length`.
    limited: bool,
    ttft: Duration,
    itl: Duration,
}

/// Answers a completion request; `chat` tells which of the two it is.
pub(super) fn answer(
    request: &Request<'_>,
    chat: bool,
    shared: &Shared,
    body: &mut Vec<u8>,
) -> Result<Reply, Refusal> {
    let wanted: CompletionRequest<'_> = serde_json::from_slice(request.body())?;
    let prompt_tokens = if chat {
        let messages = wanted
            .messages
            .ok_or(Refusal::new("`messages` is missing"))?;
        messages
            .iter()
            .filter_map(|m| m.content.as_ref())
            .map(|content| content.tokens)
            .sum()
    } else {
        let prompt = wanted.prompt.ok_or(Refusal::new("`prompt` is missing"))?;
        prompt.0.iter().map(|text| tokens_of(text)).sum()
    };
    let limit = wanted.max_completion_tokens.or(wanted.max_tokens);
    let tokens = limit.unwrap_or(shared.config.tokens);
    if !(1..=MAX_TOKENS).contains(&tokens) {
        return Err(Refusal::new(format!(
            "`max_tokens` must be between 1 and {MAX_TOKENS}"
        )));
    }
    let completion = Completion {
        chat,
        tokens,
        model: wanted
            .model
            .map_or_else(|| "mock".to_owned(), |model| model.0.into_owned()),
        prompt_tokens,
        limited: limit.is_some(),
        ttft: pace(request, "x-mock-ttft-ms", shared.config.ttft)?,
        itl: pace(request, "x-mock-itl-ms", shared.config.itl)?,
    };
    if wanted.stream == Some(true) {
        let include_usage = wanted
            .stream_options
            .and_then(|o| o.include_usage)
            .unwrap_or(false);
        let reply =
            Reply::of(200, "text/event-stream").with_header("cache-control", "no-cache".into());
        return Ok(Reply {
            script: Some(Script {
                completion,
                include_usage,
            }),
            ..reply
        });
    }
    completion.write_whole(body);
    Ok(Reply {
        takes: completion.takes(),
        ..Reply::json()
    })
}

fn pace(request: &Request<'_>, header: &str, default: Duration) -> Result<Duration, Refusal> {
    let Some(text) = request.mock_header(header) else {
        return Ok(default);
    };
    let ms = text.trim().parse().unwrap_or(f64::NAN);
    milliseconds(ms).map_err(|_| Refusal::new(format!("`{header}: {text}` is no pace")))
}

impl Completion {
    /// When a token is due, counted from the start of the answer.
    pub(super) fn due(&self, token: usize) -> Duration {
        let gaps = self
            .itl
            .saturating_mul(u32::try_from(token).unwrap_or(u32::MAX));
        self.ttft.saturating_add(gaps).min(LONGEST)
    }

    /// When the last token is due.
    pub(super) fn takes(&self) -> Duration {
        self.due(self.tokens - 1)
    }

    fn write_whole(&self, body: &mut Vec<u8>) {
        self.open(
            body,
            if self.chat {
                "chat.completion"
            } else {
                "text_completion"
            },
        );
        let text = if self.chat {
            "\"message\":{\"role\":\"assistant\",\"content\":\""
        } else {
            "\"text\":\""
        };
        body.extend_from_slice(b",\"choices\":[{\"index\":0,");
        body.extend_from_slice(text.as_bytes());
        for k in 0..self.tokens {
            body.extend_from_slice(token(k).as_bytes());
        }
        body.extend_from_slice(if self.chat { b"\"}" } else { b"\"" });
        body.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":\"");
        body.extend_from_slice(self.finish_reason().as_bytes());
        body.extend_from_slice(b"\"}],\"usage\":");
        self.write_usage(body);
        body.push(b'}');
    }

    /// Writes one server-sent event, its empty line with it.
    pub(super) fn write_event(&self, event: Event, include_usage: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        if event == Event::Done {
            out.extend_from_slice(b"[DONE]\n\n");
            return;
        }
        self.open(
            out,
            if self.chat {
                "chat.completion.chunk"
            } else {
                "text_completion"
            },
        );
        out.extend_from_slice(b",\"choices\":[");
        if event != Event::Usage {
            out.extend_from_slice(b"{\"index\":0,");
            self.write_delta(event, out);
            out.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":");
            match event {
                Event::Finish => push_string(out, self.finish_reason()),
                _ => out.extend_from_slice(b"null"),
            }
            out.push(b'}');
        }
        out.push(b']');
        if include_usage {
            out.extend_from_slice(b",\"usage\":");
            match event {
                Event::Usage => self.write_usage(out),
                _ => out.extend_from_slice(b"null"),
            }
        }
        out.extend_from_slice(b"}\n\n");
    }

    fn write_delta(&self, event: Event, out: &mut Vec<u8>) {
        let text = if let Event::Token(k) = event {
            token(k)
        } else {
            ""
        };
        let (before, after) = match (self.chat, event) {
            (true, Event::Role) => ("\"delta\":{\"role\":\"assistant\",\"content\":\"", "\"}"),
            (true, Event::Token(_)) => ("\"delta\":{\"content\":\"", "\"}"),
            (true, _) => ("\"delta\":{", "}"),
            (false, _) => ("\"text\":\"", "\""),
        };
        for part in [before, text, after] {
            out.extend_from_slice(part.as_bytes());
        }
    }

    /// What every object of a completion begins with.
    fn open(&self, out: &mut Vec<u8>, object: &str) {
        let id = if self.chat {
            "chatcmpl-mock"
        } else {
            "cmpl-mock"
        };
        for part in [
            "{\"id\":\"",
            id,
            "\",\"object\":\"",
            object,
            "\",\"created\":0,\"model\":",
        ] {
            out.extend_from_slice(part.as_bytes());
        }
        push_string(out, &self.model);
    }

    fn finish_reason(&self) -> &'static str {
        if self.limited { "length" } else { "stop" }
    }

    fn write_usage(&self, out: &mut Vec<u8>) {
        let (prompt, completion) = (self.prompt_tokens, self.tokens);
        out.extend_from_slice(b"{\"prompt_tokens\":");
        push_integer(out, prompt);
        out.extend_from_slice(b",\"completion_tokens\":");
        push_integer(out, completion);
        out.extend_from_slice(b",\"total_tokens\":");
        push_integer(out, prompt + completion);
        out.push(b'}');
    }
}
