//! What calls ask for: how their requests are written and read, and how their parts join.

mod call;

mod texts;

mod embed;

mod embeddings;

mod rerank;

mod ranking;

mod classify;

mod scoring;

mod post;

mod payload;

mod answer;

mod endpoint;

mod inputs;

mod memory;

pub(crate) use answer::Collect;
pub use answer::{Answer, Parts};
pub(crate) use call::Call;
pub use classify::{Classifications, Classify};
pub use embed::{Embed, EncodingFormat};
pub use embeddings::{Embeddings, Matrix};
pub(crate) use endpoint::Endpoint;
pub use inputs::Inputs;
pub use payload::Payload;
pub use post::{BatchPost, Method, PostAnswers};
pub use ranking::{Rank, Ranked, Ranking};
pub use rerank::Rerank;
pub use scoring::TruncationDirection;
