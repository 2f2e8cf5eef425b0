//! `/v1/chat/completions` and `/v1/completions`: a set number of tokens at a
//! set pace, as one JSON answer or as a stream of events.

use std::time::Duration;

use serde::Deserialize;

use super::completion::{Completion, Script};
use super::json::{Content, Text, Texts};
use super::refusal::Refusal;
use super::reply::Reply;
use super::request::Request;
use super::shared::Shared;
use super::spec::milliseconds;
use super::tokens::tokens_of;

/// The most tokens that a request may ask for.
const MAX_TOKENS: usize = 10_000_000;

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
