//! What is sent: records, read or made up, and the requests that are written from them before a run
//! begins.

mod workload;

mod bodies;

mod dataset;

mod prompts;

pub(super) mod tokenizer;

mod rng;

pub use bodies::Kind;
pub(super) use bodies::Recipe;
pub use dataset::{Record, read_jsonl};
pub(super) use prompts::{CountTokens, Estimate};
pub use prompts::{Lengths, Synthetic};
pub(super) use rng::{Purpose, Rng};
pub(super) use workload::{Output, Workload};
