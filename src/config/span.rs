//! Spans of time as people write them.

use crate::error::{Error, Result};
use std::time::Duration;

/// No span is longer.
const LONGEST: Duration = Duration::from_hours(24 * 30);

/// Reads a span: a number, and `ms`, `s` (also where there is none), `m` or `h`.
///
/// # Errors
///
/// When it is none, or above 30 days.
#[cfg_attr(
    not(feature = "bench"),
    expect(unreachable_pub, reason = "it is public as one of the harness's")
)]
pub fn parse_span(text: &str) -> Result<Duration> {
    let trimmed = text.trim();
    let digits = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let scale = match unit.trim() {
        "ms" => Some(0.001),
        "" | "s" => Some(1.0),
        "m" | "min" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    let seconds = number.parse::<f64>().ok().zip(scale);
    let span = seconds.and_then(|(number, scale)| Duration::try_from_secs_f64(number * scale).ok());
    span.filter(|span| *span <= LONGEST).ok_or_else(|| {
        Error::config(format!(
            "a span is a number with ms, s, m or h, at most 30 days (got {text:?})"
        ))
    })
}
