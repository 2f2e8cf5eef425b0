//! The core's errors, as plain objects. The classes are JavaScript's own: `lib/errors.js`.

use crate::headers::pairs;
use hedgerow::{Error, RequestError};
use napi::Status;
use napi_derive::napi;
use std::error::Error as _;

/// A call, or a request of one, that failed.
#[napi(object, object_from_js = false)]
pub(crate) struct Failure {
    /// What kind of failure it is: which class stands for it.
    pub kind: &'static str,
    pub message: String,
    /// What was behind it, the nearest first.
    pub causes: Vec<String>,
    pub status: Option<u16>,
    pub body: Option<String>,
    /// Names and values, by turns.
    pub headers: Option<Vec<String>>,
    pub request_id: Option<String>,
}

/// A request that failed for good.
#[napi(object, object_from_js = false)]
pub(crate) struct FailedRequest {
    pub start: u32,
    pub end: u32,
    pub failure: Failure,
}

impl Failure {
    pub(crate) fn of(error: &Error) -> Self {
        let causes = std::iter::successors(error.source(), |&cause| cause.source());
        Self {
            kind: error.kind(),
            message: error.to_string(),
            causes: causes.map(ToString::to_string).collect(),
            status: error.status(),
            body: error.body().map(str::to_owned),
            headers: error.headers().map(pairs),
            request_id: error.request_id().map(str::to_owned),
        }
    }
}

impl From<&RequestError> for FailedRequest {
    fn from(failed: &RequestError) -> Self {
        // A call has fewer inputs than 32 bits can count.
        let count = |input| u32::try_from(input).unwrap_or(u32::MAX);
        Self {
            start: count(failed.inputs.start),
            end: count(failed.inputs.end),
            failure: Failure::of(&failed.error),
        }
    }
}

/// What is thrown at once: a value that was refused, or a system that cannot start.
pub(crate) fn refused(error: &Error) -> napi::Error {
    let status = if error.is_config() {
        Status::InvalidArg
    } else {
        Status::GenericFailure
    };
    napi::Error::new(status, error.to_string())
}
