//! A completion as server-sent events, on an absolute schedule: the lateness of
//! one token never moves the next, so the schedule is the truth to measure against.

use std::time::Instant;

use super::completion::{Event, Script};
use super::connection::{Connection, Form};
use super::deliver::{framing, push_chunk};
use super::reply::Reply;
use super::stats::Serving;
use super::treatment::{Break, Framing, Treatment};
use super::wire::ConnectionEnd;

/// How much is gathered before it is written, where the schedule allows.
const GATHER: usize = 64 << 10;

impl Connection<'_> {
    /// Plays the script of `reply`, from `start` on.
    pub(super) async fn stream(
        &mut self,
        serving: &mut Serving<'_>,
        reply: &Reply,
        script: &Script,
        treatment: &Treatment,
        form: Form,
        start: Instant,
    ) -> Result<(), ConnectionEnd> {
        let framing = match framing(treatment, form) {
            Framing::Length if form.http_1_0 => Framing::UntilClose,
            Framing::Length => Framing::Chunked,
            framing => framing,
        };
        self.body.clear();
        self.write_preamble(reply, treatment, form, framing);
        serving.status(reply.status);

        let middle = Event::Token(script.completion.tokens / 2);
        let mut streamed = 0;
        let mut text = Vec::new();
        for event in script.events() {
            let due = start + script.due(event);
            if due > Instant::now() || self.body.len() > GATHER {
                self.flush().await?;
                self.wire.wait(&self.shared.pacer, Some(due)).await?;
            }
            text.clear();
            script
                .completion
                .write_event(event, script.include_usage, &mut text);
            if treatment.bad_json && event == middle {
                text.truncate(text.len() / 2);
                text.extend_from_slice(b"\n\n");
            }
            let whole = text.len();
            match treatment.breaks {
                Some(Break::Cut(Some(after))) => text.truncate(after - streamed),
                Some(_) if event == middle => text.clear(),
                _ => {}
            }
            streamed += text.len();
            match framing {
                // An empty chunk would end the body.
                Framing::Chunked if !text.is_empty() => push_chunk(&mut self.body, &text),
                _ => self.body.extend_from_slice(&text),
            }
            if text.len() < whole {
                break;
            }
        }
        if let Some(breaks) = treatment.breaks {
            self.flush().await?;
            return self.break_off(serving, breaks, treatment.reset).await;
        }
        if framing == Framing::Chunked {
            self.body.extend_from_slice(b"0\r\n\r\n");
        }
        serving.answered();
        if let Err(end) = self.flush().await {
            serving.undelivered();
            return Err(end);
        }
        if framing == Framing::UntilClose {
            Err(ConnectionEnd::Ours)
        } else {
            Ok(())
        }
    }

    async fn flush(&mut self) -> Result<(), ConnectionEnd> {
        self.wire.write(&self.preamble, &self.body).await?;
        self.preamble.clear();
        self.body.clear();
        Ok(())
    }
}
