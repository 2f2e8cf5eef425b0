//! How one request of a run went, as the engine tells the recording.
//!
//! All times are from the run's start. What follows from them is defined here, once: latency runs
//! from the scheduled start, so that a client that was late cannot hide it.

use std::fmt;
use std::time::Duration;

/// One request that ended, however.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Closed loop: the user, from 0. Partly open: the session. Open loop: 0.
    pub user: u32,
    /// When the request should have started.
    pub scheduled: Duration,
    /// When its last attempt was sent, at the socket.
    pub sent: Duration,
    /// When its last byte was read, or it failed for good.
    pub ended: Duration,
    /// When the first byte of the answer was read.
    pub first_byte: Option<Duration>,
    /// When the first content token was read. A chunk that only names the role is none.
    pub first_token: Option<Duration>,
    /// When the first reasoning token was read.
    pub first_reasoning: Option<Duration>,
    /// Times between content tokens.
    pub token_gaps: Vec<Duration>,
    /// Times between chunks of the stream.
    pub chunk_gaps: Vec<Duration>,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer, those of its reasoning included.
    pub completion_tokens: Option<u64>,
    /// The server told no `usage`: the token counts are the client's own estimate.
    pub tokens_estimated: bool,
    /// Attempts made, at least 1.
    pub attempts: u32,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// Success, or how the last attempt failed.
    pub outcome: Result<(), FailureKind>,
    /// The last error in words, where the request failed. Only the first few are kept.
    pub error: Option<String>,
    /// The request belongs to the warm-up and counts for no figure of the steady state.
    pub warmup: bool,
}

/// How a request failed. `Display` gives its key in the report's `errors`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum FailureKind {
    /// The server answered with a status that is no success: `http_503`.
    Status(u16),
    /// It took longer than the request's timeout.
    Timeout,
    /// No connection could be made.
    Connect,
    /// The connection broke, or the answer ended early.
    Network,
    /// The answer was whole, and not what was asked for.
    Answer,
    /// The run ended first. Neither a success nor a failure of the server's.
    Cancelled,
    /// Anything else.
    Other,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status(code) => return write!(f, "http_{code}"),
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Network => "network",
            Self::Answer => "answer",
            Self::Cancelled => "cancelled",
            Self::Other => "other",
        })
    }
}

impl Sample {
    /// From the scheduled start to the end: what a user of the service would have waited.
    pub(crate) fn latency(&self) -> Duration {
        self.ended.saturating_sub(self.scheduled)
    }

    /// From the last attempt's sending to the end: the server's and the network's part.
    pub(crate) fn service(&self) -> Duration {
        self.ended.saturating_sub(self.sent)
    }

    /// From the scheduled start to the last attempt's sending: the client's own queue, and the
    /// attempts and pauses before the last.
    pub(crate) fn queue(&self) -> Duration {
        self.sent.saturating_sub(self.scheduled)
    }

    /// From the scheduled start to the first content token.
    pub(crate) fn time_to_first_token(&self) -> Option<Duration> {
        Some(self.first_token?.saturating_sub(self.scheduled))
    }

    /// From the scheduled start to the first reasoning token.
    pub(crate) fn time_to_first_reasoning(&self) -> Option<Duration> {
        Some(self.first_reasoning?.saturating_sub(self.scheduled))
    }

    /// From the scheduled start to the first byte of the answer.
    pub(crate) fn time_to_first_byte(&self) -> Option<Duration> {
        Some(self.first_byte?.saturating_sub(self.scheduled))
    }

    /// Time per output token: from the first token, reasoning or content, to the last, over one
    /// less than there were. `None` below two tokens.
    pub(crate) fn time_per_token(&self) -> Option<Duration> {
        let content = self.first_token?;
        let first = self.first_reasoning.map_or(content, |at| at.min(content));
        let last = content + self.token_gaps.iter().sum::<Duration>();
        let seen = self.token_gaps.len() as u64 + 1;
        let steps = self.completion_tokens.unwrap_or(seen).checked_sub(1)?;
        let nanos = u64::try_from(last.saturating_sub(first).as_nanos()).unwrap_or(u64::MAX);
        Some(Duration::from_nanos(nanos.checked_div(steps)?))
    }
}

impl Sample {
    /// A request of which no more is known than that it was scheduled, and then made once.
    pub(crate) fn started(user: u32, scheduled: Duration) -> Self {
        Self {
            user,
            scheduled,
            sent: scheduled,
            ended: scheduled,
            first_byte: None,
            first_token: None,
            first_reasoning: None,
            token_gaps: Vec::new(),
            chunk_gaps: Vec::new(),
            prompt_tokens: None,
            completion_tokens: None,
            tokens_estimated: false,
            attempts: 1,
            bytes: 0,
            outcome: Ok(()),
            error: None,
            warmup: false,
        }
    }
}

#[cfg(test)]
impl Sample {
    /// A success that was scheduled and sent at `at` and took `latency`.
    pub(crate) fn success(at: Duration, latency: Duration) -> Self {
        Self {
            ended: at + latency,
            ..Self::started(0, at)
        }
    }

    /// A request that failed after `latency`.
    pub(crate) fn failure(at: Duration, latency: Duration, kind: FailureKind) -> Self {
        Self {
            outcome: Err(kind),
            error: Some(format!("the last attempt: {kind}")),
            ..Self::success(at, latency)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn latency_runs_from_the_scheduled_start_and_is_queue_and_service() {
        let mut sample = Sample::success(100 * MS, 900 * MS);
        sample.sent = 400 * MS;
        sample.first_byte = Some(500 * MS);
        sample.first_token = Some(600 * MS);
        assert_eq!(sample.latency(), 900 * MS);
        assert_eq!(sample.queue(), 300 * MS);
        assert_eq!(sample.service(), 600 * MS);
        assert_eq!(sample.time_to_first_byte(), Some(400 * MS));
        assert_eq!(sample.time_to_first_token(), Some(500 * MS));
    }

    #[test]
    fn time_per_token_is_over_one_less_than_the_tokens() {
        let mut sample = Sample::success(Duration::ZERO, 900 * MS);
        assert_eq!(sample.time_per_token(), None, "no stream");
        sample.first_token = Some(100 * MS);
        assert_eq!(sample.time_per_token(), None, "one token");
        sample.token_gaps = vec![30 * MS, 50 * MS];
        assert_eq!(sample.time_per_token(), Some(40 * MS));
        // Several tokens a chunk: the server's count stands.
        sample.completion_tokens = Some(9);
        assert_eq!(sample.time_per_token(), Some(10 * MS));
        // Reasoning is output too.
        sample.first_reasoning = Some(20 * MS);
        assert_eq!(sample.time_per_token(), Some(20 * MS));
    }

    #[test]
    fn every_kind_of_failure_has_a_key_of_its_own() {
        let kinds = [
            FailureKind::Status(503),
            FailureKind::Timeout,
            FailureKind::Connect,
            FailureKind::Network,
            FailureKind::Answer,
            FailureKind::Cancelled,
            FailureKind::Other,
        ];
        let keys: std::collections::BTreeSet<String> =
            kinds.iter().map(ToString::to_string).collect();
        assert_eq!(keys.len(), kinds.len());
        assert!(keys.contains("http_503"));
    }
}
