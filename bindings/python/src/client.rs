//! The native client: where requests go, and the system of each process that sends them.

use crate::bridge::Bridge;
use crate::call::{Call, Question};
use crate::exception;
use crate::landing::landing;
use crate::preference::{RequestProcessingPreference, for_call};
use crate::process::PerProcess;
use crate::progress::Listener;
use crate::stream::EmbedStream;
use crate::wait::wait;
use crate::wrapper::{HttpClientWrapper, Pool};
use hedgerow::{ApiKey, BlockingClient};
use pyo3::prelude::*;

/// A client of one service. It starts nothing before its first call, and nothing of its parent's
/// is used after a fork.
#[pyclass(module = "hedgerow._hedgerow", frozen)]
pub(crate) struct Client {
    base_url: String,
    api_key: Option<String>,
    pool: Pool,
    core: PerProcess<BlockingClient>,
}

type GivenPreference<'a, 'py> = Option<&'a Bound<'py, RequestProcessingPreference>>;

#[pymethods]
impl Client {
    #[new]
    fn new(
        base_url: String,
        api_key: Option<String>,
        wrapper: &HttpClientWrapper,
    ) -> PyResult<Self> {
        let builder = BlockingClient::builder(&base_url);
        builder
            .validate()
            .map_err(|error| exception::bad_value(&error))?;
        if let Some(key) = &api_key {
            ApiKey::new(key).map_err(|error| exception::bad_value(&error))?;
        }
        Ok(Self {
            base_url,
            api_key,
            pool: wrapper.pool(),
            core: PerProcess::new(),
        })
    }

    /// Makes a call and waits for its answer.
    fn wait(
        &self,
        py: Python<'_>,
        call: &Call,
        preference: GivenPreference<'_, '_>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let core = self.core(py)?;
        let (listener, on_progress) = progress.map(Listener::new).unzip();
        let listener = listener.as_ref();
        match call.take(for_call(py, preference, on_progress))? {
            Question::Embed(call) => wait(py, core.begin_embed(call), listener),
            Question::Rerank(call) => wait(py, core.begin_rerank(call), listener),
            Question::Classify(call) => wait(py, core.begin_classify(call), listener),
            Question::Post(call) => wait(py, core.begin_post(call), listener),
        }
    }

    /// Makes a call, whose answer resolves `future` of the bridge's event loop. The number that is
    /// returned is what `Bridge.forget` takes.
    fn start(
        &self,
        py: Python<'_>,
        call: &Call,
        preference: GivenPreference<'_, '_>,
        progress: Option<Py<PyAny>>,
        bridge: &Bridge,
        future: Py<PyAny>,
    ) -> PyResult<u64> {
        let core = self.core(py)?;
        let core = core.as_async();
        let (listener, on_progress) = progress.map(Listener::new).unzip();
        let flight = match call.take(for_call(py, preference, on_progress))? {
            Question::Embed(call) => landing(core.embed(call)),
            Question::Rerank(call) => landing(core.rerank(call)),
            Question::Classify(call) => landing(core.classify(call)),
            Question::Post(call) => landing(core.post(call)),
        };
        bridge.start(py, flight, future, listener)
    }

    /// A stream of batches over `inputs`: an iterator, or None where they are fed.
    fn stream(
        &self,
        py: Python<'_>,
        call: &Call,
        preference: GivenPreference<'_, '_>,
        inputs: Option<Py<PyAny>>,
        in_order: bool,
    ) -> PyResult<EmbedStream> {
        let core = self.core(py)?;
        match call.take(for_call(py, preference, None))? {
            Question::Embed(call) => {
                let core = core.as_async();
                Ok(EmbedStream::new(core, call, inputs, in_order))
            }
            _ => Err(pyo3::exceptions::PyTypeError::new_err("no embeddings")),
        }
    }
}

impl Client {
    fn core(&self, py: Python<'_>) -> PyResult<BlockingClient> {
        if let Some(core) = self.core.get() {
            return Ok(core);
        }
        let system = self.pool.system(py)?;
        let make = || {
            let mut builder = BlockingClient::builder(&self.base_url).system(system.clone());
            if let Some(key) = &self.api_key {
                builder = builder.api_key(key);
            }
            Ok(BlockingClient::new(builder.build()?))
        };
        self.core
            .get_or_make(make)
            .map_err(|error: hedgerow::Error| exception::raise_plain(py, &error))
    }
}
