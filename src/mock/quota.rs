//! What a server says of its rates in headers: the limit, what is left of it, and
//! when it is whole again.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use super::bucket::Bucket;
use super::limit_style::LimitStyle;

pub(super) type Headers = Vec<(&'static str, String)>;

/// How full one bucket is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    limit: u64,
    remaining: u64,
    until_full: Duration,
}

impl Level {
    pub(super) fn of(bucket: &Bucket) -> Self {
        Self {
            limit: bucket.per_minute(),
            remaining: bucket.remaining(),
            until_full: bucket.until_full(),
        }
    }
}

/// How full the buckets are, as far as there are any.
#[derive(Debug, Clone, Copy)]
pub(super) struct Levels {
    pub(super) requests: Option<Level>,
    pub(super) tokens: Option<Level>,
}

impl Levels {
    /// The headers of an answer at `now`.
    pub(super) fn answered(self, style: LimitStyle, now: SystemTime) -> Headers {
        match style {
            LimitStyle::Cohere => self.requests.map_or_else(Headers::new, cohere),
            style => self.refused(style, now),
        }
    }

    /// The headers of a refusal at `now`.
    pub(super) fn refused(self, style: LimitStyle, now: SystemTime) -> Headers {
        match style {
            LimitStyle::OpenAi => self.each(openai),
            LimitStyle::Azure | LimitStyle::Jina => self.each(remaining),
            LimitStyle::Anthropic => {
                self.each(|level, counts, to| anthropic(level, counts, now, to))
            }
            LimitStyle::Mistral => self.each(mistral),
            LimitStyle::Ietf => self.ietf(),
            LimitStyle::Cohere | LimitStyle::Tei | LimitStyle::DashScope | LimitStyle::None => {
                Headers::new()
            }
        }
    }

    fn each(self, mut push: impl FnMut(Level, Counts, &mut Headers)) -> Headers {
        let mut headers = Headers::new();
        if let Some(level) = self.requests {
            push(level, Counts::Requests, &mut headers);
        }
        if let Some(level) = self.tokens {
            push(level, Counts::Tokens, &mut headers);
        }
        headers
    }

    /// Two lists, with an item for each of the rates.
    fn ietf(self) -> Headers {
        let (mut policies, mut states) = (Vec::new(), Vec::new());
        for (name, level) in [("requests", self.requests), ("tokens", self.tokens)] {
            if let Some(level) = level {
                let reset = whole_seconds(level.until_full);
                policies.push(format!("\"{name}\";q={};w=60", level.limit));
                states.push(format!("\"{name}\";r={};t={reset}", level.remaining));
            }
        }
        if policies.is_empty() {
            return Headers::new();
        }
        vec![
            ("ratelimit-policy", policies.join(", ")),
            ("ratelimit", states.join(", ")),
        ]
    }
}

/// What a rate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    Requests,
    Tokens,
}

fn openai(level: Level, counts: Counts, headers: &mut Headers) {
    let [limit, remaining, reset] = match counts {
        Counts::Requests => [
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-reset-requests",
        ],
        Counts::Tokens => [
            "x-ratelimit-limit-tokens",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-tokens",
        ],
    };
    headers.push((limit, level.limit.to_string()));
    headers.push((remaining, level.remaining.to_string()));
    headers.push((reset, spelled(level.until_full)));
}

/// What is left, and nothing else.
fn remaining(level: Level, counts: Counts, headers: &mut Headers) {
    let name = match counts {
        Counts::Requests => "x-ratelimit-remaining-requests",
        Counts::Tokens => "x-ratelimit-remaining-tokens",
    };
    headers.push((name, level.remaining.to_string()));
}

fn mistral(level: Level, counts: Counts, headers: &mut Headers) {
    let [limit, remaining] = match counts {
        Counts::Requests => [
            "x-ratelimit-limit-req-minute",
            "x-ratelimit-remaining-req-minute",
        ],
        Counts::Tokens => [
            "x-ratelimit-limit-tokens-minute",
            "x-ratelimit-remaining-tokens-minute",
        ],
    };
    headers.push((limit, level.limit.to_string()));
    headers.push((remaining, level.remaining.to_string()));
}

/// The limit of a month is none that the mock has, and stands there as it does in
/// life: a client must not take it for a rate.
fn cohere(requests: Level) -> Headers {
    vec![
        ("x-endpoint-monthly-call-limit", "1000".to_owned()),
        ("x-trial-endpoint-call-limit", requests.limit.to_string()),
        (
            "x-trial-endpoint-call-remaining",
            requests.remaining.to_string(),
        ),
    ]
}

fn anthropic(level: Level, counts: Counts, now: SystemTime, headers: &mut Headers) {
    let [limit, remaining, reset] = match counts {
        Counts::Requests => [
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
        ],
        Counts::Tokens => [
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-tokens-reset",
        ],
    };
    headers.push((limit, level.limit.to_string()));
    headers.push((remaining, level.remaining.to_string()));
    headers.push((reset, rfc3339(unix_seconds(now, level.until_full))));
}

/// The time of day at the end of a span from `now` on, in seconds since 1970.
fn unix_seconds(now: SystemTime, span: Duration) -> u64 {
    let now = now.duration_since(SystemTime::UNIX_EPOCH);
    whole_seconds(now.unwrap_or_default().saturating_add(span))
}

/// What a refusal at `now` says of when to come again.
pub(super) fn push_retry_after(
    style: LimitStyle,
    wait: Duration,
    now: SystemTime,
    headers: &mut Headers,
) {
    match style {
        LimitStyle::OpenAi => {
            headers.push(("retry-after-ms", whole_milliseconds(wait).to_string()));
            headers.push(("retry-after", whole_seconds(wait).to_string()));
        }
        LimitStyle::Azure | LimitStyle::Anthropic | LimitStyle::Mistral | LimitStyle::Ietf => {
            headers.push(("retry-after", whole_seconds(wait).to_string()));
        }
        LimitStyle::Cohere => {
            headers.push(("retry-after", whole_seconds(wait).to_string()));
            headers.push(("x-ratelimit-reset", unix_seconds(now, wait).to_string()));
        }
        LimitStyle::Jina | LimitStyle::Tei | LimitStyle::DashScope | LimitStyle::None => {}
    }
}

/// Rounded up: a client that waits so long has waited long enough.
pub(super) fn whole_seconds(span: Duration) -> u64 {
    span.as_secs()
        .saturating_add(u64::from(span.subsec_nanos() > 0))
}

fn whole_milliseconds(span: Duration) -> u128 {
    span.as_nanos().div_ceil(1_000_000)
}

/// A span as `OpenAI` spells it: `120ms`, `6s`, `8.64s`, `1m30s`, `2h0m5s`.
pub(super) fn spelled(span: Duration) -> String {
    let milliseconds = whole_milliseconds(span);
    if (1..1000).contains(&milliseconds) {
        return format!("{milliseconds}ms");
    }
    let (seconds, fraction) = (milliseconds / 1000, milliseconds % 1000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let mut text = String::new();
    // Writing into a string has no way to fail.
    if hours > 0 {
        let _ = write!(text, "{hours}h");
    }
    if hours + minutes > 0 {
        let _ = write!(text, "{minutes}m");
    }
    let _ = write!(text, "{}", seconds % 60);
    if fraction > 0 {
        let _ = write!(text, ".{}", format!("{fraction:03}").trim_end_matches('0'));
    }
    text.push('s');
    text
}

/// Seconds since 1970 as a date and time of day in UTC.
pub(super) fn rfc3339(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let date = jiff::Timestamp::from_second(seconds);
    date.unwrap_or(jiff::Timestamp::MAX).to_string()
}
