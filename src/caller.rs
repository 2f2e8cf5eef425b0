//! The caller's side of an operation: where its answer goes, how far it is, and how it is ended.
//!
//! Below everything that carries operations out, so that whoever does can answer a caller without
//! knowing who that is.

mod reply;

mod progress;

mod cancel;

mod thread;

pub use cancel::CancellationToken;
pub(crate) use cancel::{Cancel, OperationId, Reason, Registration};
pub use progress::{HeldBack, Progress};
pub(crate) use reply::ReplyPort;
pub(crate) use thread::{refuse_inside_runtime, wait};
