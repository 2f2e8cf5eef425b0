//! An actor system that sends very many HTTP requests to inference services, well.
//!
//! A call becomes messages; the actors cut it into requests, keep a window of them in flight,
//! retry and hedge, decode the answers on the threads that read them, and join the parts:
//!
//! ```text
//! Client, BlockingClient ──Submit──▶ Dispatcher ──Assign──▶ WorkerPool ──Assign──▶ Worker ──HTTP──▶
//!          ▲                          │ ▲   ▲ │                 │ ▲                  │
//!          └──────────reply port──────┘ │   │ └─Plan─▶ BatchPlanner                  │
//!                                Due ───┘   └─────Finished──────┴───────Report───────┘
//!                            (Hedger)
//! ```
//!
//! # From async code
//!
//! ```no_run
//! # async fn example() -> hedgerow::Result<()> {
//! use hedgerow::{Client, Embed, Preference};
//! use std::time::Duration;
//!
//! let client = Client::builder("https://inference.example.com").build()?;
//! let call = Embed::new(vec!["first text", "second text"], "my-model").preference(Preference {
//!     batch_size: 64,
//!     hedge_delay: Some(Duration::from_millis(300).into()),
//!     total_timeout: Some(Duration::from_secs(60)),
//!     ..Preference::default()
//! });
//! let embeddings = client.embed(call).await?;
//! assert_eq!(embeddings.row(1).len(), embeddings.dimensions());
//! # Ok(())
//! # }
//! ```
//!
//! # From threads
//!
//! [`BlockingClient`] has the same calls and waits for their answers.
//!
//! # From actix
//!
//! [`Client`] is an actor: start it and send it the calls; `examples/actix.rs` does so. With
//! [`Placement::Current`] the whole system runs on the program's own arbiter.

mod client;

mod blocking;

mod stream;

mod pending;

mod operation;

mod actor;

mod job;

mod config;

mod policy;

mod caller;

mod error;

mod headers;

pub mod transport;

#[doc(hidden)]
pub mod decode;

#[cfg(feature = "mock")]
pub mod mock;

#[cfg(feature = "bench")]
pub mod bench;

#[doc(hidden)]
pub mod internals;

pub use actor::{EndpointSnapshot, MetricsSnapshot, Placement, System, SystemBuilder};
pub use blocking::{BlockingClient, EmbedIter, Waiting};
pub use caller::{CancellationToken, HeldBack, Progress};
pub use client::{Client, ClientBuilder};
#[cfg(feature = "env_logger")]
pub use config::init_logging;
pub use config::{ApiKey, CountTokens, ExtraHeaders, OnError, OnProgress, Preference};
pub use decode::{Class, Usage};
pub use error::{Error, Result};
pub use headers::Headers;
pub use job::{PostAnswer, RequestError, RequestRecord};
pub use operation::{
    Answer, BatchPost, Classifications, Classify, Embed, Embeddings, EncodingFormat, Inputs,
    Matrix, Method, Parts, Payload, PostAnswers, Rank, Ranked, Ranking, Rerank,
    TruncationDirection,
};
pub use pending::Pending;
pub use policy::hedge::HedgeDelay;
pub use stream::{Batch, EmbedStream};

// The README's examples are compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
