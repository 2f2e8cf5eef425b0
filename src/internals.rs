//! What the benchmarks measure from outside and tests bring about; no program should use it.

pub use crate::policy::split::{Limits, Plan, split};

pub mod fuzz;

use crate::actor::System;
#[cfg(feature = "bench")]
use crate::headers::Headers;
#[cfg(feature = "bench")]
use crate::transport;

/// Makes the Worker at this place (of as many as there are) panic, as only a fault of this crate's
/// own can.
pub fn crash_worker(system: &System, worker: usize) {
    system.crash(worker);
}

/// Makes a control request, as the harness does, on the calling thread: status, headers, body.
///
/// # Errors
///
/// As the request ends; also when a setting is bad.
#[cfg(feature = "bench")]
pub fn ask(
    settings: &transport::HttpSettings,
    head: &transport::Head,
    within: std::time::Duration,
    longest: usize,
) -> Result<(u16, Headers, Option<Vec<u8>>), transport::TransportError> {
    actix::System::new().block_on(async {
        let control = settings.control();
        let control =
            control.map_err(|cause| transport::TransportError::BadRequest(cause.to_string()))?;
        let answer = control.ask(head, within, longest).await?;
        Ok((answer.status, answer.headers, answer.body))
    })
}
