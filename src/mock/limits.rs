//! What the server takes in before it says no, and whose words it says it in.

use std::error::Error;
use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::limit_style::LimitStyle;

/// The limits of a server, as real services have them; `Default` has none. They
/// stand before rules and latencies, as a gateway does: a refused request meets
/// neither. `/health`, `/stats` and `/mock/...` are not limited.
///
/// In JSON, for `POST /mock/limits`, which replaces them all, every field may be
/// left out:
///
/// ```json
/// {"max_in_flight": 64, "overload_status": 503, "retry_after": 1,
///  "requests_per_minute": 600, "tokens_per_minute": 1000000,
///  "max_inputs_in_flight": 512, "limit_concurrency": 10, "by_key": true,
///  "max_batch_items": 32, "max_batch_tokens": 300000, "style": "openai"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How many requests are served at once. One is counted from when its head
    /// is read until the last bytes of its answer are written, and one too many
    /// is refused without delay, once its body is read.
    pub max_in_flight: Option<u64>,
    /// How many inputs all requests together may have that are served at once, as
    /// text-embeddings-inference counts (`--max-concurrent-requests`, 512 if not
    /// given). A request whose inputs are too many for the places that are left is
    /// refused whole, as one above `max_in_flight` is.
    pub max_inputs_in_flight: Option<u64>,
    /// uvicorn's `--limit-concurrency`: a request is refused while so many
    /// connections are open, its own among them and idle ones too, so that at most
    /// one fewer can be served. The refusal is uvicorn's whatever the `style`: 503 in
    /// plain text, and the connection is closed behind it.
    pub limit_concurrency: Option<u64>,
    /// The status of the refusal above `max_in_flight` and `max_inputs_in_flight`.
    /// Default 429; Traefik says 503.
    pub overload_status: u16,
    /// Seconds for a `retry-after` header beside `overload_status`. Default none.
    pub retry_after: Option<u64>,
    /// Requests a minute, as a token bucket that is refilled evenly and holds one
    /// second's worth, at least one request. Above it: 429, in the words of
    /// `style`.
    pub requests_per_minute: Option<u64>,
    /// Tokens of input a minute, counted as [`tokens_of`](super::tokens_of) does,
    /// in a bucket of one second's worth. A request of more passes when the bucket
    /// is full, and those behind it wait the longer.
    pub tokens_per_minute: Option<u64>,
    /// Inputs of one request. Above it: 422 from text-embeddings-inference, 400
    /// from others. Such a request takes nothing from the buckets.
    pub max_batch_items: Option<u64>,
    /// Tokens of one request. Above it: 413 from text-embeddings-inference, 400
    /// from others. Such a request takes nothing from the buckets.
    pub max_batch_tokens: Option<u64>,
    /// Whether each `authorization` has limits of its own: all but
    /// `limit_concurrency`, which is the machine's. Requests without one share theirs.
    pub by_key: bool,
    /// Whose headers and bodies the refusals have.
    pub style: LimitStyle,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_in_flight: None,
            max_inputs_in_flight: None,
            limit_concurrency: None,
            overload_status: 429,
            retry_after: None,
            requests_per_minute: None,
            tokens_per_minute: None,
            max_batch_items: None,
            max_batch_tokens: None,
            by_key: false,
            style: LimitStyle::default(),
        }
    }
}

impl Limits {
    /// What `max_in_flight`, `max_inputs_in_flight` and `limit_concurrency` may be.
    pub const IN_FLIGHT: RangeInclusive<u64> = 1..=1_000_000;
    /// What `overload_status` may be.
    pub const STATUS: RangeInclusive<u64> = 400..=599;
    /// What `retry_after` may be: up to a year.
    pub const RETRY_AFTER: RangeInclusive<u64> = 0..=31_536_000;
    /// What `requests_per_minute` and `tokens_per_minute` may be.
    pub const PER_MINUTE: RangeInclusive<u64> = 1..=1_000_000_000_000;
    /// What `max_batch_items` and `max_batch_tokens` may be.
    pub const PER_BATCH: RangeInclusive<u64> = 1..=1_000_000_000;

    /// Whether every limit is in its range.
    ///
    /// # Errors
    ///
    /// Names the first that is not, its value and its range.
    pub fn check(&self) -> Result<(), BadLimit> {
        let status = Some(u64::from(self.overload_status));
        for (field, value, range) in [
            ("max_in_flight", self.max_in_flight, Self::IN_FLIGHT),
            (
                "max_inputs_in_flight",
                self.max_inputs_in_flight,
                Self::IN_FLIGHT,
            ),
            ("limit_concurrency", self.limit_concurrency, Self::IN_FLIGHT),
            ("overload_status", status, Self::STATUS),
            ("retry_after", self.retry_after, Self::RETRY_AFTER),
            (
                "requests_per_minute",
                self.requests_per_minute,
                Self::PER_MINUTE,
            ),
            (
                "tokens_per_minute",
                self.tokens_per_minute,
                Self::PER_MINUTE,
            ),
            ("max_batch_items", self.max_batch_items, Self::PER_BATCH),
            ("max_batch_tokens", self.max_batch_tokens, Self::PER_BATCH),
        ] {
            if let Some(value) = value.filter(|value| !range.contains(value)) {
                return Err(BadLimit {
                    field,
                    value,
                    range,
                });
            }
        }
        Ok(())
    }

    /// Whether a request is to be weighed: for more than that it is there.
    pub(super) fn weighs(&self) -> bool {
        self.max_inputs_in_flight.is_some()
            || self.requests_per_minute.is_some()
            || self.tokens_per_minute.is_some()
            || self.max_batch_items.is_some()
            || self.max_batch_tokens.is_some()
    }
}

/// A limit that is out of its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLimit {
    field: &'static str,
    value: u64,
    range: RangeInclusive<u64>,
}

impl fmt::Display for BadLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.range.start(), self.range.end());
        let (field, value) = (self.field, self.value);
        write!(f, "`{field}` is {value}; it must be {least} to {most}")
    }
}

impl Error for BadLimit {}
