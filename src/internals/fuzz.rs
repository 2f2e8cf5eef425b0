//! The parsers of what servers send, over plain types: `tests/fuzz` compares them with others.

pub use crate::transport::http1::plain::{PlainFraming, PlainHead, chunks, head};

use crate::headers::Headers;
use crate::transport;
use std::time::{Duration, SystemTime};

/// How long headers ask for a pause.
#[must_use]
pub fn retry_after(headers: &[(&str, &[u8])], now: SystemTime) -> Option<Duration> {
    let headers = Headers::from_pairs(|| headers.iter().copied());
    transport::retry_after(&headers, now)
}

/// How many tokens a text is taken to have.
#[must_use]
pub fn estimated_tokens(text: &str) -> usize {
    crate::policy::tokens::estimate(text)
}

/// The numbers in base64.
///
/// # Errors
///
/// When it is none.
pub fn base64(text: &[u8]) -> Result<Vec<f32>, &'static str> {
    let mut values = Vec::new();
    crate::decode::base64::append(text, &mut Vec::new(), &mut values)?;
    Ok(values)
}

/// The data of server-sent events, and how much of the body there is with each.
#[cfg(feature = "bench")]
#[must_use]
pub fn events(body: &[u8]) -> Vec<(Vec<u8>, usize)> {
    crate::bench::events(body)
        .map(|event| (event.data().into_owned(), event.end))
        .collect()
}
