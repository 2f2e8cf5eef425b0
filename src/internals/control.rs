//! Control requests, for the tests of how awc makes them.

use crate::headers::Headers;
use crate::transport::{Head, HttpSettings, TransportError};
use std::time::Duration;

/// Makes a control request, as the harness does, on the calling thread: status, headers, body.
///
/// # Errors
///
/// As the request ends; also when a setting is bad.
pub fn ask(
    settings: &HttpSettings,
    head: &Head,
    within: Duration,
    longest: usize,
) -> Result<(u16, Headers, Option<Vec<u8>>), TransportError> {
    actix::System::new().block_on(async {
        let control = settings.control();
        let control = control.map_err(|cause| TransportError::BadRequest(cause.to_string()))?;
        let answer = control.ask(head, within, longest).await?;
        Ok((answer.status, answer.headers, answer.body))
    })
}
