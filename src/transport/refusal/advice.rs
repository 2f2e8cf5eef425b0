//! What a refusal says of another try: whether, and when.
//!
//! Services say it in headers (`retry-after`, RFC 9110, 10.2.3; `retry-after-ms` and `x-should-retry`
//! as `OpenAI` has them), and some in words alone (Azure: "Please retry after 4 seconds.").

use crate::headers::Headers;
use crate::policy::retry::{Advice, asks_for_less};
use serde::Deserialize;
use std::time::{Duration, SystemTime};

/// Codes and types of errors that no pause ends: money is missing, or a contract.
const FINAL: [&str; 4] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "exceeded_current_quota_error",
];

/// What is said of another try, beside the status.
pub(super) fn of(status: u16, headers: &Headers, body: &str) -> Advice {
    if status == 429 && names_what_is_final(body) {
        return Advice::GiveUp;
    }
    match only(headers, "x-should-retry") {
        Some("true") => Advice::Retry,
        Some("false") => Advice::GiveUp,
        _ => Advice::None,
    }
}

/// An error as most services write it, with what a reader of it needs here.
#[derive(Deserialize)]
struct Envelope {
    error: Named,
}

#[derive(Deserialize)]
struct Named {
    code: Option<serde_json::Value>,
    r#type: Option<serde_json::Value>,
}

fn names_what_is_final(body: &str) -> bool {
    let Ok(Envelope { error }) = serde_json::from_str(body) else {
        return false;
    };
    let names = [error.code, error.r#type];
    let mut names = names.iter().flatten().filter_map(|name| name.as_str());
    names.any(|name| FINAL.contains(&name))
}

/// The status that an error names within a body, as a number or as its digits.
pub(super) fn status_within(body: &[u8]) -> Option<u16> {
    let Envelope { error } = serde_json::from_slice(body).ok()?;
    let code = match error.code? {
        serde_json::Value::Number(code) => code.as_u64()?,
        serde_json::Value::String(code) => code.parse().ok()?,
        _ => return None,
    };
    let status = u16::try_from(code).ok()?;
    (400..600).contains(&status).then_some(status)
}

/// How long the server asks to be left alone: `retry-after-ms`, or `retry-after` in seconds or as an
/// HTTP date. What is malformed, negative or said twice says nothing.
pub(crate) fn retry_after(headers: &Headers, now: SystemTime) -> Option<Duration> {
    let milliseconds = only(headers, "retry-after-ms").and_then(number);
    if let Some(milliseconds) = milliseconds {
        return Duration::try_from_secs_f64(milliseconds / 1000.0).ok();
    }
    let value = only(headers, "retry-after")?;
    if let Some(seconds) = number(value) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The value of a header that came once.
fn only<'a>(headers: &'a Headers, name: &'a str) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let value = values.next()?;
    values.next().is_none().then(|| value.trim())
}

/// A number of digits, perhaps with a fraction.
fn number(text: &str) -> Option<f64> {
    let plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| plain)
}

/// The same in the words of a body that asks for less.
pub(super) fn retry_after_in_words(status: u16, body: &str) -> Option<Duration> {
    /// What stands before the span.
    const BEFORE: [&str; 2] = ["retry after ", "try again in "];
    if !asks_for_less(status) {
        return None;
    }
    let body = body.to_ascii_lowercase();
    let found = BEFORE.iter().find_map(|before| {
        let (_, rest) = body.split_once(before)?;
        Some(rest)
    });
    span(found?)
}

/// The span that `text` begins with: `4 seconds`, `20s`, `6m0s`, `120ms`, `1.5 minutes`.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut whole = None;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (amount, behind) = rest.split_at(digits.unwrap_or(rest.len()));
        // The point that ends a sentence is none of the number's.
        let Ok(amount) = amount.trim_end_matches('.').parse::<f64>() else {
            return whole;
        };
        let behind = behind.trim_start_matches(' ');
        let letters = behind.find(|c: char| !c.is_ascii_alphabetic());
        let (unit, behind) = behind.split_at(letters.unwrap_or(behind.len()));
        let seconds = match unit {
            "ms" | "millisecond" | "milliseconds" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hour" | "hours" => 3600.0,
            _ => return whole,
        };
        let part = Duration::try_from_secs_f64(amount * seconds).ok()?;
        whole = Some(whole.unwrap_or(Duration::ZERO).checked_add(part)?);
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        pairs.iter().copied().collect()
    }

    #[test]
    fn a_pause_is_read_as_milliseconds_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 30);
        let after = |pairs: &[(&str, &str)]| retry_after(&headers(pairs), now);
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (name, value, milliseconds) in [
            ("retry-after-ms", "1500", 1500),
            ("retry-after", "2", 2000),
            ("retry-after", " 0.5 ", 500),
            ("retry-after", date, 30_000),
        ] {
            let expected = Some(Duration::from_millis(milliseconds));
            assert_eq!(after(&[(name, value)]), expected, "{name}: {value}");
        }
        let both = [("retry-after-ms", "soon"), ("retry-after", "3")];
        assert_eq!(after(&both), Some(Duration::from_secs(3)));
    }

    #[test]
    fn what_is_malformed_negative_or_said_twice_says_nothing() {
        let now = SystemTime::UNIX_EPOCH;
        for value in [
            "", "soon", "-1", "+1", "1e3", "inf", "NaN", "1 2", "1,2", ".5",
        ] {
            let said = headers(&[("retry-after", value)]);
            assert_eq!(retry_after(&said, now), None, "{value}");
        }
        let huge = "9".repeat(40);
        assert_eq!(retry_after(&headers(&[("retry-after", &huge)]), now), None);
        let twice = headers(&[("retry-after", "1"), ("retry-after", "2")]);
        assert_eq!(retry_after(&twice, now), None);
    }

    #[test]
    fn an_error_within_a_body_names_its_status() {
        for (body, status) in [
            (r#"{"error":{"code":429,"message":"x"}}"#, Some(429)),
            (r#"{"error":{"code":"503"},"data":[]}"#, Some(503)),
            (r#"{"error":{"code":"rate_limit_exceeded"}}"#, None),
            (r#"{"error":{"code":200}}"#, None),
            (r#"{"error":{"code":1302}}"#, None),
            (r#"{"error":{"message":"x"}}"#, None),
            (r#"{"error":"x"}"#, None),
            (r#"{"data":[]}"#, None),
        ] {
            assert_eq!(status_within(body.as_bytes()), status, "{body}");
        }
    }

    #[test]
    fn a_pause_is_read_in_words() {
        for (words, milliseconds) in [
            ("Please retry after 4 seconds.", Some(4000)),
            (
                "Rate limit reached. Please try again in 20s. Visit",
                Some(20_000),
            ),
            ("try again in 6m0s.", Some(360_000)),
            ("try again in 120ms", Some(120)),
            ("Retry after 1.5 minutes", Some(90_000)),
            ("please retry after 1 second", Some(1000)),
            ("please retry after a while", None),
            ("retry after 5", None),
            ("retry after 5 requests", None),
            ("too many requests", None),
        ] {
            let expected = milliseconds.map(Duration::from_millis);
            assert_eq!(retry_after_in_words(429, words), expected, "{words}");
        }
        assert_eq!(retry_after_in_words(500, "retry after 4 seconds"), None);
    }

    #[test]
    fn what_no_pause_ends_is_final_and_a_server_s_word_is_taken() {
        let quota =
            r#"{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}"#;
        let limit = r#"{"error":{"message":"x","type":"requests","code":"rate_limit_exceeded"}}"#;
        let none = headers(&[]);
        assert_eq!(of(429, &none, quota), Advice::GiveUp);
        assert_eq!(of(429, &none, limit), Advice::None);
        assert_eq!(of(500, &none, quota), Advice::None);
        assert_eq!(of(429, &none, r#"{"error":{"code":1302}}"#), Advice::None);
        for (value, advice) in [
            ("true", Advice::Retry),
            ("false", Advice::GiveUp),
            ("maybe", Advice::None),
        ] {
            let said = headers(&[("x-should-retry", value)]);
            assert_eq!(of(500, &said, limit), advice, "{value}");
        }
    }
}
