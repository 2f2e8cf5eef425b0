//! How the requests of an operation went.

use crate::error::Error;
use crate::headers::Headers;
use std::ops::Range;
use std::time::Duration;

/// How one request of a call went.
#[derive(Debug, Clone, Default)]
pub struct RequestRecord {
    /// The inputs that it carried, by their index in the call.
    pub inputs: Range<usize>,
    /// From its first attempt to its success, pauses included.
    pub time: Duration,
    /// The headers of the answer.
    pub headers: Headers,
    /// The attempts that were made, hedges included; 0 where the request did not succeed. One that
    /// a kept connection ended under is sent again over a fresh connection, and counts as two
    /// unless the server is known not to have read the first.
    pub attempts: u32,
}

/// A request that failed for good.
#[derive(Debug, Clone)]
pub struct RequestError {
    /// The inputs that it carried, by their index in the call.
    pub inputs: Range<usize>,
    /// Why it failed.
    pub error: Error,
}
