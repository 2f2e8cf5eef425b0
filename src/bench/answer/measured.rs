//! What is read off an answer: when what came, and how many tokens the server counted.
//!
//! Reading begins after the last byte has come, so that it moves no time that is measured.

use super::sse::{Stamps, events};
use super::timing::Timing;
use super::tokens::TokenCounts;
use super::wire::{Chunk, Whole};
use crate::decode::DecodeError;
use std::time::Duration;
use tokio::time::Instant;

/// What an answer is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) enum Expected {
    /// JSON as a whole, with `usage` where the service counts tokens.
    Json,
    /// Events of a completion.
    Stream,
    /// JSON of any shape, which may happen to have `usage`.
    AnyJson,
    /// Anything; JSON where it says so.
    Anything,
}

/// What is read off one answer.
#[derive(Debug)]
pub(in crate::bench) struct Measured {
    pub sent: Instant,
    /// The head of the answer was there.
    pub first_byte: Instant,
    /// The last byte was there.
    pub ended: Instant,
    pub first_token: Option<Instant>,
    pub first_reasoning: Option<Instant>,
    pub token_gaps: Vec<Duration>,
    pub chunk_gaps: Vec<Duration>,
    pub tokens: TokenCounts,
    pub bytes: u64,
}

impl Measured {
    /// Reads an answer of status 2xx.
    pub(super) fn read(
        expected: Expected,
        body: &[u8],
        timing: &Timing,
    ) -> Result<Self, DecodeError> {
        let ended = timing.pieces.last().map_or(timing.head, |last| last.1);
        let mut measured = Self {
            sent: timing.sent,
            first_byte: timing.head,
            ended,
            first_token: None,
            first_reasoning: None,
            token_gaps: Vec::new(),
            chunk_gaps: Vec::new(),
            tokens: TokenCounts::default(),
            bytes: body.len() as u64,
        };
        match expected {
            Expected::Anything => {}
            Expected::Json => measured.tokens = Whole::read(body)?.tokens(),
            Expected::AnyJson => match Whole::read(body) {
                Ok(whole) => measured.tokens = whole.tokens(),
                Err(DecodeError::Shape { .. }) => {}
                Err(cause) => return Err(cause),
            },
            Expected::Stream => measured.read_stream(body, timing)?,
        }
        Ok(measured)
    }

    fn read_stream(&mut self, body: &[u8], timing: &Timing) -> Result<(), DecodeError> {
        // A compressed body came in pieces that say nothing of its text.
        let timed = timing
            .pieces
            .last()
            .is_some_and(|last| last.0 == body.len());
        let mut stamps = Stamps::new(if timed { &timing.pieces } else { &[] });
        let mut reader = StreamReader::default();
        for event in events(body) {
            let data = event.data();
            let came = stamps.at(event.end);
            if data.as_ref() == b"[DONE]" {
                reader.done = true;
                break;
            }
            reader.chunk(&Chunk::read(&data)?, came);
        }
        if !reader.done {
            // A server that counted to its end and was cut off before it said so has not ended.
            return Err(DecodeError::Malformed(format!(
                "the stream ended without its end ([DONE] or a finish_reason) after {} chunks",
                reader.chunks
            )));
        }
        self.first_token = reader.first_token;
        self.first_reasoning = reader.first_reasoning;
        self.chunk_gaps = reader.chunk_gaps;
        let seen = reader.content + reader.reasoning;
        self.tokens = match reader.usage {
            Some(usage) if usage.completion.is_some() => usage,
            usage => TokenCounts {
                prompt: usage.and_then(|usage| usage.prompt),
                completion: Some(seen),
                estimated: true,
            },
        };
        self.token_gaps = reader.content_gaps;
        if !self.tokens.estimated {
            let counted = self.tokens.completion.unwrap_or(seen);
            spread(&mut self.token_gaps, seen, counted);
        }
        Ok(())
    }
}

/// Where a server sends several tokens a chunk, the time between two chunks is the time of so many
/// tokens: each gap is cut into as many equal ones. Where chunks and tokens are as many, or a few
/// tokens were empty, gaps stay what they are.
fn spread(gaps: &mut Vec<Duration>, chunks: u64, tokens: u64) {
    /// No chunk carries more, whatever a server says.
    const MOST: u64 = 1024;
    let each = tokens.checked_div(chunks).unwrap_or(1).min(MOST);
    if each < 2 {
        return;
    }
    let parts = u32::try_from(each).unwrap_or(1);
    let whole = std::mem::take(gaps);
    gaps.extend(
        whole
            .into_iter()
            .flat_map(|gap| std::iter::repeat_n(gap / parts, parts as usize)),
    );
}

#[derive(Default)]
struct StreamReader {
    done: bool,
    chunks: u64,
    content: u64,
    reasoning: u64,
    first_token: Option<Instant>,
    first_reasoning: Option<Instant>,
    last_chunk: Option<Instant>,
    last_content: Option<Instant>,
    chunk_gaps: Vec<Duration>,
    content_gaps: Vec<Duration>,
    usage: Option<TokenCounts>,
}

impl StreamReader {
    fn chunk(&mut self, chunk: &Chunk, came: Option<Instant>) {
        self.chunks += 1;
        self.done |= chunk.is_last;
        self.usage = chunk.usage.or(self.usage);
        self.content += u64::from(chunk.has_content);
        self.reasoning += u64::from(chunk.has_reasoning);
        let Some(came) = came else { return };
        if let Some(last) = self.last_chunk.replace(came) {
            self.chunk_gaps.push(came - last);
        }
        if chunk.has_reasoning {
            self.first_reasoning.get_or_insert(came);
        }
        if chunk.has_content {
            self.first_token.get_or_insert(came);
            if let Some(last) = self.last_content.replace(came) {
                self.content_gaps.push(came - last);
            }
        }
    }
}

#[cfg(test)]
mod tests;
