//! Base64 beside the crate of that name; pauses beside plain numbers and jiff's dates.

use crate::floats;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hedgerow::internals::fuzz;
use std::time::{Duration, SystemTime};

/// Floats in base64, whose padding is whole or not there.
pub(crate) fn floats_in_base64(text: &[u8]) -> Option<Vec<f32>> {
    let bytes = STANDARD
        .decode(text)
        .or_else(|_| STANDARD_NO_PAD.decode(text));
    floats(&bytes.ok()?)
}

/// The data is a text.
///
/// # Panics
///
/// When other numbers are read.
pub fn base64(data: &[u8]) {
    let bits = |values: Vec<f32>| -> Vec<u32> { values.into_iter().map(f32::to_bits).collect() };
    let ours = fuzz::base64(data).ok().map(bits);
    assert_eq!(ours, floats_in_base64(data).map(bits));
}

/// Of the data, one line is `retry-after-ms` and the other `retry-after`; one alone is the latter.
///
/// # Panics
///
/// When another pause is read, or one from what is none.
pub fn retry_after(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let values = (lines.next().unwrap_or_default(), lines.next());
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let ask = |headers: &[(&str, &[u8])]| fuzz::retry_after(headers, now);
    let (seconds, milliseconds) = match values {
        (seconds, None) => (seconds, None),
        (milliseconds, Some(seconds)) => (seconds, Some(milliseconds)),
    };
    // A header's value has no line break.
    if seconds.contains(&b'\n') || data.contains(&0) {
        return;
    }
    let ours = ask(&[("retry-after", seconds)]);
    let expected =
        text(seconds).and_then(|text| number(text, 1).unwrap_or_else(|()| date(text, now)));
    if text(seconds).is_some() {
        assert_eq!(ours, expected, "{:?}", seconds.escape_ascii().to_string());
    }
    if let Some(milliseconds) = milliseconds {
        let both = ask(&[("retry-after", seconds), ("retry-after-ms", milliseconds)]);
        // What is no number of milliseconds leaves the other to be asked.
        if let Some(milliseconds) = text(milliseconds) {
            assert_eq!(both, number(milliseconds, 1000).unwrap_or(ours));
        }
    }
}

/// ASCII, without what is trimmed.
fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value)
        .ok()
        .filter(|text| text.is_ascii())
        .map(str::trim)
}

/// A pause of so many `parts` of a second, or `Err` where the text is no number at all: signs and
/// exponents make none. A number that is more than a `Duration` holds is no pause.
fn number(text: &str, parts: u32) -> Result<Option<Duration>, ()> {
    let strange = |c: char| !matches!(c, '0'..='9' | '.');
    if text.starts_with('.') || text.contains(strange) {
        return Err(());
    }
    if let Ok(whole) = text.parse::<u32>() {
        return Ok(Some(Duration::from_secs(whole.into()) / parts));
    }
    let number: f64 = text.parse().map_err(drop)?;
    let seconds = number / f64::from(parts);
    let is_one = seconds >= 0.0 && seconds < 2f64.powi(64);
    Ok(is_one.then(|| Duration::from_secs_f64(seconds)))
}

/// How long it is until a date in one of HTTP's three forms.
fn date(text: &str, now: SystemTime) -> Option<Duration> {
    let ours = httpdate::parse_http_date(text).ok()?;
    // The form that is written today is also that of mail.
    if text.len() == 29
        && let Ok(theirs) = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text)
    {
        assert_eq!(SystemTime::from(theirs), ours);
    }
    Some(ours.duration_since(now).unwrap_or_default())
}
