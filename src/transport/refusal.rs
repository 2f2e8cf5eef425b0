//! What a server says when it does not do what it was asked: an answer that is no success.

use super::body::read_beginning;
use super::decompress::unpack;
use super::secret::redacted;
use super::{Head, Response};
use crate::headers::Headers;
use std::time::{Duration, SystemTime};

/// So much of the body is kept for the error.
const MOST_KEPT: usize = 64 << 10;
/// A compressed one may be so large when it is unpacked, of which again the beginning is kept.
const MOST_UNPACKED: usize = 16 << 20;

/// An answer whose status is no success.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub code: u16,
    pub headers: Headers,
    /// Its beginning, as text, without any key that was sent.
    pub body: Box<str>,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// Reads the answer to a request with `head`. A body that cannot be read is no second failure.
    pub(crate) async fn read(response: Response, head: &Head) -> Self {
        let Response {
            status,
            headers,
            body,
            secret,
            ..
        } = response;
        let mut text = read_beginning(body, MOST_KEPT).await;
        if let Err(cause) = unpack(&headers, &mut text, MOST_UNPACKED) {
            log::debug!("the body of a refusal ({status}) cannot be decompressed: {cause}");
            text.clear();
        }
        text.truncate(MOST_KEPT);
        let text = String::from_utf8_lossy(&text).into_owned();
        Self {
            code: status,
            retry_after: retry_after(&headers, SystemTime::now()),
            body: redacted(text, secret.as_ref(), head),
            headers,
        }
    }
}

/// How long the server asks to be left alone: `retry-after-ms`, or `retry-after` in seconds or as an
/// HTTP date.
pub(crate) fn retry_after(headers: &Headers, now: SystemTime) -> Option<Duration> {
    if let Some(value) = headers.get("retry-after-ms")
        && let Ok(milliseconds) = value.trim().parse::<f64>()
    {
        return Duration::try_from_secs_f64(milliseconds / 1000.0).ok();
    }
    let value = headers.get("retry-after")?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        Duration::try_from_secs_f64(seconds).ok()
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(now).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_read_as_milliseconds_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 30);
        let after = |name, value| retry_after(&[(name, value)].into_iter().collect(), now);
        assert_eq!(
            after("retry-after-ms", "1500"),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(after("retry-after", "2"), Some(Duration::from_secs(2)));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(after("retry-after", date), Some(Duration::from_secs(30)));
        assert_eq!(after("retry-after", "soon"), None);
        assert_eq!(after("retry-after", "-1"), None);
        assert_eq!(after("retry-after", "1e300"), None);
    }
}
