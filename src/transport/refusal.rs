//! What a server says when it does not do what it was asked: an answer that is no success.

mod advice;

mod complaint;

pub(crate) use advice::{retry_after, span};

use super::body::read_beginning;
use super::decompress::Codings;
use super::secret::Secrets;
use super::{Head, Response, rate, redirect};
use crate::headers::Headers;
use crate::policy::pace::RateReport;
use crate::policy::retry::Advice;
use crate::policy::shape::Complaint;
use http::HeaderValue;
use std::time::{Duration, SystemTime};

/// So much of the body is kept for the error.
const MOST_KEPT: usize = 64 << 10;
/// So much is read of one that is packed: zstd unpacks blocks of 128 KiB.
const MOST_PACKED: usize = 256 << 10;

/// An answer whose status is no success.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub code: u16,
    /// Without any key that was sent.
    pub headers: Headers,
    /// Its beginning, as text, without any key that was sent.
    pub body: Box<str>,
    /// Where it sends the request, without a query or a key.
    pub location: Option<Box<str>>,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
    /// What it says of another try.
    pub advice: Advice,
    /// What its headers say of the server's rates.
    pub rates: Option<Box<RateReport>>,
    /// What it says of the inputs.
    pub complaint: Complaint,
}

impl Refusal {
    /// The refusal that a body of an answer of status 2xx holds in place of what was asked for:
    /// `{"error": {"code": 429, ...}}`, as gateways send it that had begun to answer.
    /// `secret` is what the answer says that no error may show.
    pub(crate) fn within(
        body: &[u8],
        headers: &Headers,
        secret: Option<&HeaderValue>,
        head: &Head,
    ) -> Option<Self> {
        // A longer one is no error.
        let body = body.get(..=MOST_KEPT).is_none().then_some(body)?;
        let code = advice::status_within(body)?;
        let text = String::from_utf8_lossy(body).into_owned();
        Some(Self::told(code, headers.clone(), text, secret, head))
    }

    fn told(
        code: u16,
        headers: Headers,
        text: String,
        secret: Option<&HeaderValue>,
        head: &Head,
    ) -> Self {
        let said = retry_after(&headers, SystemTime::now());
        let secrets = Secrets::of(head, secret);
        Self {
            code,
            retry_after: said.or_else(|| advice::retry_after_in_words(code, &text)),
            advice: advice::of(code, &headers, &text),
            rates: rate::report(&headers),
            location: redirect::told(code, &headers, secret, head),
            complaint: complaint::of(code, &text),
            body: secrets.out_of(text),
            headers: secrets.out_of_headers(headers),
        }
    }

    /// Reads the answer to a request with `head`. A body that cannot be read is no second failure.
    pub(crate) async fn read(response: Response, head: &Head) -> Self {
        let Response {
            status,
            headers,
            body,
            secret,
            ..
        } = response;
        let is_packed = headers.tell_content_encoding();
        let most = if is_packed { MOST_PACKED } else { MOST_KEPT };
        let mut text = read_beginning(body, most).await;
        match Codings::of(&headers) {
            Ok(None) => text.truncate(MOST_KEPT),
            Ok(Some(codings)) => text = codings.unpack_beginning(&text, MOST_KEPT),
            Err(cause) => {
                log::debug!("the body of a refusal ({status}) cannot be unpacked: {cause}");
                text.clear();
            }
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        Self::told(status, headers, text, secret.as_ref(), head)
    }
}
