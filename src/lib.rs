//! Sends very many HTTP requests to inference services, well.
mod actor;
mod blocking;
mod cancel;
mod client;
mod config;
#[doc(hidden)]
pub mod decode;
mod error;
#[cfg(feature = "mock")]
pub mod mock;
mod operation;
mod policy;
pub mod transport;

pub use actor::{MetricsSnapshot, Placement, Progress, System, SystemBuilder};
pub use blocking::BlockingClient;
pub use cancel::CancellationToken;
pub use client::{Client, ClientBuilder, Pending};
pub use config::{ApiKey, Preference, init_logging};
pub use decode::Usage;
pub use error::{Error, Result};
pub use operation::{Embed, Embeddings, EncodingFormat, Headers, Inputs, RequestRecord};
