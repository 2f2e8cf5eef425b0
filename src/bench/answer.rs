//! What comes back: a request as Workers see it, and what is read off its answer.

mod operation;

mod measured;

mod sse;

mod wire;

pub(super) use measured::Expected;
pub(crate) use measured::Measured;
pub(super) use operation::Prepared;
pub(crate) use sse::events;
