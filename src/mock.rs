//! The mock inference server: fast, deterministic, and faulty on demand. It is
//! run by `batchbench mock` and, in-process, by tests and benchmarks.
//!
//! | endpoint (all but the last three also below `/v1`) | answers |
//! |---|---|
//! | `POST /embeddings` | [`embedding_of`] each text, as floats or base64 |
//! | `POST /rerank` | [`score_of`] each text, best first |
//! | `POST /predict` | [`labels_of`] each input |
//! | `POST /chat/completions`, `POST /completions` | [`token`]s at a set pace, streamed or not |
//! | any method on `/echo`, `/echo/...` | what it was sent, as JSON or `MessagePack` |
//! | `GET /health` | `{"status":"ok"}` |
//! | `GET`, `DELETE /stats` | [`Stats`]; forgets them |
//! | `GET`, `POST`, `DELETE /mock/rules` | the [`Rule`]s in force; adds one or a list; forgets them |
//! | `GET`, `POST`, `DELETE /mock/limits` | the [`Limits`] in force; puts others in their place; lifts them |
//!
//! A request may itself say how it wants to be treated:
//!
//! | request header | meaning |
//! |---|---|
//! | `x-mock-fault: status=503;retry_after=1,chunked` | these [`Fault`]s, in place of the rules |
//! | `x-mock-latency-ms: 20` | this latency, in place of the server's [`Latency`] |
//! | `x-mock-ttft-ms: 50`, `x-mock-itl-ms: 10` | this pace of a completion |
//! | `x-mock-msgpack: application/x-msgpack` | an answer in `MessagePack`, of this name |
//!
//! A request is followed from top to bottom in `connection.rs`.

// From the socket to the answer and back.
mod connection;
mod deliver;
mod request;
mod routes;
mod server;
mod shared;
mod stream;
mod treatment;
mod wire;

// The endpoints.
mod chat;
mod completion;
mod control;
mod echo;
mod embeddings;
mod ranking;

// What a test or a command line sets, and what it reads.
mod config;
mod fault;
mod latency;
mod limit_style;
mod limits;
mod rules;
mod stats;

// How limits are held.
mod bucket;
mod denial;
mod limiter;
mod quota;
mod share;
mod weight;
mod words;

// Tools of the above.
mod hash;
mod json;
mod memory;
mod pacer;
mod print;
mod refusal;
mod reply;
mod spec;
mod tokens;
mod vectors;

#[cfg(test)]
mod tests;

pub use config::MockConfig;
pub use fault::{Encoding, Fault};
pub use latency::Latency;
pub use limit_style::LimitStyle;
pub use limits::{BadLimit, Limits};
pub use ranking::{labels_of, score_of};
pub use rules::{HeaderMatch, Rule};
pub use server::MockServer;
pub use spec::BadSpec;
pub use stats::Stats;
pub use tokens::{token, tokens_of};
pub use vectors::embedding_of;
