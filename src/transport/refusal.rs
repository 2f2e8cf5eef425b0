//! What a server says when it does not do what it was asked: an answer that is no success.

mod advice;

mod complaint;

pub(crate) use advice::{retry_after, span};

use super::body::read_beginning;
use super::decompress::unpack;
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
/// A compressed one may be so large when it is unpacked, of which again the beginning is kept.
const MOST_UNPACKED: usize = 16 << 20;

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
        let code = advice::status_within(body)?;
        let beginning = body.get(..MOST_KEPT).unwrap_or(body);
        let text = String::from_utf8_lossy(beginning).into_owned();
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
        let mut text = read_beginning(body, MOST_KEPT).await;
        if let Err(cause) = unpack(&headers, &mut text, MOST_UNPACKED) {
            log::debug!("the body of a refusal ({status}) cannot be decompressed: {cause}");
            text.clear();
        }
        text.truncate(MOST_KEPT);
        let text = String::from_utf8_lossy(&text).into_owned();
        Self::told(status, headers, text, secret.as_ref(), head)
    }
}
