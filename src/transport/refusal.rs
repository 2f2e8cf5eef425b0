//! What a server says when it does not do what it was asked: an answer that is no success.

mod advice;

pub(crate) use advice::retry_after;

use super::body::read_beginning;
use super::decompress::unpack;
use super::secret::redacted;
use super::{Head, Response};
use crate::headers::Headers;
use crate::policy::retry::Advice;
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
    /// What it says of another try.
    pub advice: Advice,
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
            retry_after: retry_after(&headers, SystemTime::now())
                .or_else(|| advice::retry_after_in_words(status, &text)),
            advice: advice::of(status, &headers, &text),
            body: redacted(text, secret.as_ref(), head),
            headers,
        }
    }
}
