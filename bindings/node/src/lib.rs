//! The native half of the npm package `hedgerow`: hands calls to the core, is polled by Node's own
//! thread, and lends answers to JavaScript. `lib/` is the other half: the shapes of arguments, the
//! classes of errors, and what is made of an answer when it is looked at.
//!
//! A call, from top to bottom:
//!
//! ```text
//! texts ──▶ client ──▶ bridge ──▶ answer, failure
//!     preference ┘  └▶ stream ──▶ answer, failure
//! ```

#![allow(
    clippy::needless_pass_by_value,
    reason = "it is how napi hands arguments over"
)]

mod client;

mod texts;

mod preference;

mod bridge;

mod signal;

mod stream;

mod answer;

mod failure;

mod headers;

mod progress;

mod token;

mod pool;

use napi_derive::napi;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The version of the package.
#[napi]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Starts logging to stderr, once.
#[napi]
pub fn init_logging() {
    hedgerow::init_logging();
}
