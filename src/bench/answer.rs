//! What comes back: a request as Workers see it, and what is read off its answer.

mod operation;

mod measured;

mod timing;

mod tokens;

mod sse;

mod wire;

pub(super) use measured::Expected;
pub(super) use measured::Measured;
pub(super) use operation::WorkloadRequest;
pub(crate) use sse::events;
