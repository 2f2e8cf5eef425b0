//! The native client: where requests go, and the system of each process that sends them.

use crate::bridge::Bridge;
use crate::call::{Call, Question};
use crate::exception;
use crate::failure::Failure;
use crate::landing::landing;
use crate::preference::{RequestProcessingPreference, for_call};
use crate::process::PerProcess;
use crate::progress::Listener;
use crate::stream::EmbedStream;
use crate::wait::wait;
use crate::wrapper::{HttpClientWrapper, Pool};
use hedgerow::{ApiKey, BlockingClient, Embeddings};
use pyo3::prelude::*;

/// A client of one service. It starts nothing before its first call, and nothing of its parent's
/// is used after a fork.
#[pyclass(module = "hedgerow._hedgerow", frozen)]
pub(crate) struct Client {
    base_url: String,
    /// As it was given: none is sent where it is empty. It is here, and in no `__dict__`.
    #[pyo3(get)]
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
        if let Some(key) = sent(api_key.as_deref()) {
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
        let core = self.core();
        let (listener, on_progress) = progress.map(Listener::new).unzip();
        let listener = listener.as_ref();
        match call.take(for_call(py, preference, on_progress))? {
            Question::Embed(call) => wait(py, core.and_then(|it| it.begin_embed(call)), listener),
            Question::Rerank(call) => wait(py, core.and_then(|it| it.begin_rerank(call)), listener),
            Question::Classify(call) => {
                wait(py, core.and_then(|it| it.begin_classify(call)), listener)
            }
            Question::Post(call) => wait(py, core.and_then(|it| it.begin_post(call)), listener),
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
        let core = self.core();
        let (listener, on_progress) = progress.map(Listener::new).unzip();
        let flight = match call.take(for_call(py, preference, on_progress))? {
            Question::Embed(call) => landing(core.map(|it| it.as_async().embed(call))),
            Question::Rerank(call) => landing(core.map(|it| it.as_async().rerank(call))),
            Question::Classify(call) => landing(core.map(|it| it.as_async().classify(call))),
            Question::Post(call) => landing(core.map(|it| it.as_async().post(call))),
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
        let core = self.core();
        let core = core.map_err(|error| Failure::raised::<Embeddings>(py, error))?;
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
    fn core(&self) -> hedgerow::Result<BlockingClient> {
        if let Some(core) = self.core.get() {
            return Ok(core);
        }
        let system = self.pool.system()?;
        self.core.get_or_make(|| {
            let mut builder = BlockingClient::builder(&self.base_url).system(system.clone());
            if let Some(key) = sent(self.api_key.as_deref()) {
                builder = builder.api_key(key);
            }
            Ok(BlockingClient::new(builder.build()?))
        })
    }
}

fn sent(api_key: Option<&str>) -> Option<&str> {
    api_key.filter(|key| !key.is_empty())
}
