//! The native half of the Python package `hedgerow`: checks arguments, hands calls to the core,
//! waits for them, and shows answers as Python objects. `python/hedgerow/` is the other half: the
//! signatures, the exceptions, the bars.
//!
//! A call, from top to bottom:
//!
//! ```text
//! texts, payloads ──▶ call ──▶ client ──▶ wait (threads) ────┐
//!                                   └───▶ bridge (asyncio) ──┴──▶ landing, response, failure
//! ```

#![forbid(unsafe_code)]
#![allow(
    clippy::doc_markdown,
    reason = "what documents a class of Python's is a docstring"
)]
#![allow(clippy::unused_self, reason = "getters of Python's have one")]

mod client;

mod call;

mod texts;

mod payloads;

mod json;

mod wait;

mod bridge;

mod stream;

mod progress;

mod landing;

mod failure;

mod response;

mod exception;

mod headers;

mod message_pack;

mod preference;

mod number;

mod token;

mod wrapper;

mod process;

// The harness.
mod bench;

use pyo3::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The native half of `hedgerow`.
#[pymodule(gil_used = false)]
mod _hedgerow {
    use super::{PyModule, PyResult, bench, wrapper};
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::bridge::Bridge;
    #[pymodule_export]
    use super::call::Call;
    #[pymodule_export]
    use super::client::Client;
    #[pymodule_export]
    use super::exception::FailedRequest;
    #[pymodule_export]
    use super::failure::Failure;
    #[pymodule_export]
    use super::payloads::Payloads;
    #[pymodule_export]
    use super::preference::RequestProcessingPreference;
    #[pymodule_export]
    use super::progress::Progress;
    #[pymodule_export]
    use super::response::{
        BatchPostResponse, ClassificationResponse, ClassificationResult, EmbedBatch,
        OpenAIEmbeddingData, OpenAIEmbeddingsResponse, OpenAIUsage, RerankResponse, RerankResult,
        ResponseData, ResponseIterator,
    };
    #[pymodule_export]
    use super::stream::EmbedStream;
    #[pymodule_export]
    use super::texts::Texts;
    #[pymodule_export]
    use super::token::CancellationToken;
    #[pymodule_export]
    use super::wrapper::HttpClientWrapper;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        hedgerow::init_logging();
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add_function(wrap_pyfunction!(wrapper::default_wrapper, module)?)?;
        module.add_function(wrap_pyfunction!(bench::run_benchmark, module)?)
    }
}
