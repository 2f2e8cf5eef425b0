//! A completion: what it says, whole or as events, and when each of its tokens is due.

use std::time::Duration;

use super::print::{push_integer, push_string};
use super::spec::LONGEST;
use super::tokens::token;

/// A completion that is to be given, whole or streamed.
#[derive(Debug)]
pub(super) struct Completion {
    /// Whether its events are those of chat.
    pub(super) chat: bool,
    pub(super) tokens: usize,
    pub(super) model: String,
    pub(super) prompt_tokens: usize,
    /// The client set the number of tokens, so they end for `length`.
    pub(super) limited: bool,
    pub(super) ttft: Duration,
    pub(super) itl: Duration,
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

    pub(super) fn write_whole(&self, body: &mut Vec<u8>) {
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

/// A completion to be streamed: an opening event (chat only), the tokens, the
/// finish reason, the usage if it was asked for, and `[DONE]`.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) completion: Completion,
    pub(super) include_usage: bool,
}

/// One event of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Role,
    Token(usize),
    Finish,
    Usage,
    Done,
}

impl Script {
    pub(super) fn events(&self) -> impl Iterator<Item = Event> + use<> {
        let role = self.completion.chat.then_some(Event::Role);
        let usage = self.include_usage.then_some(Event::Usage);
        let tokens = (0..self.completion.tokens).map(Event::Token);
        role.into_iter()
            .chain(tokens)
            .chain([Event::Finish])
            .chain(usage)
            .chain([Event::Done])
    }

    /// When an event is due, counted from the start of the answer. The role
    /// comes at once, as from real servers: a client that takes it for the
    /// first token measures wrong. What follows the last token comes with it.
    pub(super) fn due(&self, event: Event) -> Duration {
        match event {
            Event::Role => Duration::ZERO,
            Event::Token(token) => self.completion.due(token),
            Event::Finish | Event::Usage | Event::Done => self.completion.takes(),
        }
    }
}
