//! Long jobs: batches of embeddings over inputs that come one at a time.

use crate::bridge::{Bridge, Landing};
use crate::exception;
use crate::failure::{Failure, respond};
use crate::process::Owned;
use crate::response::EmbedBatch;
use crate::texts::text;
use crate::wait::LOOK_EVERY;
use futures_util::Stream;
use hedgerow::{Batch, Client, Embed};
use parking_lot::Mutex;
use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// The longest that inputs may be pulled in one go where that holds an event loop.
const PULL: Duration = Duration::from_millis(1);

/// How long closing a stream waits for a thread that is pulling inputs.
const LONGEST_PULL: Duration = Duration::from_secs(1);

/// The batches of a long job. `next()` waits for one on a thread, `start_next()` on an event loop.
#[pyclass(module = "hedgerow._hedgerow", frozen)]
pub(crate) struct EmbedStream {
    /// `None` once it was closed.
    core: Arc<Mutex<Option<Owned<hedgerow::EmbedStream<Inputs>>>>>,
    feed: Arc<Mutex<Feed>>,
}

/// What the stream and whoever feeds it share.
#[derive(Default)]
struct Feed {
    /// Texts that were fed and are not in a batch yet.
    fed: VecDeque<String>,
    ended: bool,
    /// Inputs that were taken.
    taken: usize,
    /// What the iterable raised.
    raised: Option<PyErr>,
    /// Woken when texts are fed.
    stream: Option<Waker>,
    /// Resolved when all that was fed is taken.
    taker: Option<Py<PyAny>>,
    /// One turn may last only so long.
    short: bool,
}

#[pymethods]
impl EmbedStream {
    /// The next batch; None after the last. What the iterable raised is raised after the batches
    /// of what it gave before; what is no `Exception`, at once.
    fn next(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.feed.lock().short = false;
        let parker = Waker::from(Arc::new(Parker(std::thread::current())));
        let mut context = Context::from_waker(&parker);
        loop {
            let polled = poll(&self.core, &mut context)?;
            self.raise_at_once(py)?;
            if let Poll::Ready(batch) = polled {
                return match land(py, batch, &self.feed)? {
                    Some(Ok(batch)) => Ok(Some(batch)),
                    Some(Err(failure)) => Err(failure.get().raise(py)),
                    None => Ok(None),
                };
            }
            py.detach(|| std::thread::park_timeout(LOOK_EVERY));
            py.check_signals()?;
        }
    }

    /// Resolves `future` with the next batch, a Failure, or None after the last.
    fn start_next(&self, py: Python<'_>, bridge: &Bridge, future: Py<PyAny>) -> PyResult<u64> {
        self.feed.lock().short = true;
        let core = Arc::clone(&self.core);
        let feed = Arc::clone(&self.feed);
        let flight = std::future::poll_fn(move |context| {
            let polled = match poll(&core, context) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(batch)) => Ok(batch),
                Err(error) => Err(error),
            };
            let feed = Arc::clone(&feed);
            let landing: Landing = Box::new(move |py| {
                let batch = land(py, polled?, &feed)?;
                Ok(match batch {
                    Some(Ok(batch)) => batch,
                    Some(Err(failure)) => failure.into_any(),
                    None => py.None(),
                })
            });
            Poll::Ready(landing)
        });
        bridge.start(py, Box::pin(flight), future, None)
    }

    /// Feeds one text. Returns how many wait to be taken.
    fn feed(&self, item: &Bound<'_, PyAny>) -> PyResult<usize> {
        let mut feed = self.feed.lock();
        let index = feed.taken + feed.fed.len();
        let text = text(item, || format!("inputs[{index}]"))?;
        feed.fed.push_back(text);
        if let Some(stream) = feed.stream.take() {
            stream.wake();
        }
        Ok(feed.fed.len())
    }

    /// Resolves `future` when all that was fed is taken.
    fn when_taken(&self, future: Py<PyAny>) {
        self.feed.lock().taker = Some(future);
    }

    /// Ends the inputs, with what the iterable raised or None.
    fn end(&self, error: Option<Bound<'_, PyAny>>) {
        let mut feed = self.feed.lock();
        feed.raised = error.map(PyErr::from_value);
        feed.ended = true;
        if let Some(stream) = feed.stream.take() {
            stream.wake();
        }
    }

    /// Whoever feeds it waits on an event loop, which leads back here.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let feed = self.feed.try_lock();
        let taker = feed.as_ref().and_then(|feed| feed.taker.as_ref());
        taker.map_or(Ok(()), |taker| visit.call(taker))
    }

    /// Nobody can reach it any more.
    fn __clear__(&self) {
        let core = self.core.try_lock().and_then(|mut core| core.take());
        let taker = self.feed.try_lock().and_then(|mut feed| feed.taker.take());
        drop((core, taker));
    }

    /// Aborts what is in flight.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        // Whoever has the lock may be pulling inputs, for which it needs the interpreter.
        let core = py.detach(|| self.core.try_lock_for(LONGEST_PULL).map(|mut it| it.take()));
        match core {
            Some(core) => {
                drop(core);
                Ok(())
            }
            None => Err(busy()),
        }
    }
}

impl EmbedStream {
    pub(crate) fn new(
        client: &Client,
        call: Embed,
        inputs: Option<Py<PyAny>>,
        in_order: bool,
    ) -> Self {
        let feed = Arc::new(Mutex::new(Feed::default()));
        let inputs = Inputs {
            iterator: inputs,
            feed: Arc::clone(&feed),
            turn: None,
        };
        let core = client.embed_stream(inputs, call);
        let core = if in_order { core.in_order() } else { core };
        let core = Arc::new(Mutex::new(Some(Owned::new(core))));
        Self { core, feed }
    }

    /// A Ctrl-C while inputs are pulled is not one of the iterable's own errors.
    fn raise_at_once(&self, py: Python<'_>) -> PyResult<()> {
        let mut feed = self.feed.lock();
        let urgent = feed
            .raised
            .take_if(|error| !error.is_instance_of::<PyException>(py));
        drop(feed);
        urgent.map_or(Ok(()), Err)
    }
}

type Core = Mutex<Option<Owned<hedgerow::EmbedStream<Inputs>>>>;
type Step = Option<hedgerow::Result<Batch>>;

/// Polls with the lock held: one caller at a time pulls inputs.
fn poll(core: &Core, context: &mut Context<'_>) -> PyResult<Poll<Step>> {
    let Some(mut core) = core.try_lock() else {
        return Err(busy());
    };
    match core.as_mut() {
        None => Ok(Poll::Ready(None)),
        Some(core) => match core.get_mut() {
            Some(core) => Ok(Pin::new(core).poll_next(context)),
            None => Err(exception::forked()),
        },
    }
}

fn busy() -> PyErr {
    PyRuntimeError::new_err("another thread takes a batch of this stream, or its own iterable does")
}

type Landed = Option<Result<Py<PyAny>, Py<Failure>>>;

fn land(py: Python<'_>, step: Step, feed: &Mutex<Feed>) -> PyResult<Landed> {
    match step {
        Some(Ok(batch)) => EmbedBatch::of(py, batch).map(|batch| Some(Ok(batch))),
        Some(Err(error)) => {
            let answer: hedgerow::Result<hedgerow::Embeddings> = Err(error);
            Ok(respond(py, answer)?.err().map(Err))
        }
        None => {
            let raised = feed.lock().raised.take();
            raised.map_or(Ok(None), Err)
        }
    }
}

/// The inputs of a stream, as the core takes them: pulled out of an iterator, or fed.
struct Inputs {
    iterator: Option<Py<PyAny>>,
    feed: Arc<Mutex<Feed>>,
    /// When the present turn of an event loop began to pull.
    turn: Option<Instant>,
}

impl Stream for Inputs {
    type Item = String;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<String>> {
        if self.iterator.is_some() {
            self.pull(context)
        } else {
            self.take_fed(context)
        }
    }
}

impl Inputs {
    fn pull(&mut self, context: &mut Context<'_>) -> Poll<Option<String>> {
        if self.turn_is_over(context) {
            return Poll::Pending;
        }
        let pulled = Python::attach(|py| {
            let Some(iterator) = &self.iterator else {
                return Ok(None);
            };
            let item = iterator.bind(py).cast::<PyIterator>()?.clone().next();
            let index = self.feed.lock().taken;
            item.map(|item| text(&item?, || format!("inputs[{index}]")))
                .transpose()
        });
        match pulled {
            Ok(Some(text)) => {
                self.feed.lock().taken += 1;
                Poll::Ready(Some(text))
            }
            Ok(None) => Poll::Ready(None),
            Err(error) => {
                self.feed.lock().raised = Some(error);
                Poll::Ready(None)
            }
        }
    }

    fn turn_is_over(&mut self, context: &mut Context<'_>) -> bool {
        if !self.feed.lock().short {
            return false;
        }
        let began = *self.turn.get_or_insert_with(Instant::now);
        if began.elapsed() <= PULL {
            return false;
        }
        self.turn = None;
        context.waker().wake_by_ref();
        true
    }

    fn take_fed(&mut self, context: &mut Context<'_>) -> Poll<Option<String>> {
        let mut feed = self.feed.lock();
        if let Some(text) = feed.fed.pop_front() {
            feed.taken += 1;
            return Poll::Ready(Some(text));
        }
        if feed.ended {
            return Poll::Ready(None);
        }
        feed.stream = Some(context.waker().clone());
        let taker = feed.taker.take();
        drop(feed);
        if let Some(taker) = taker {
            Python::attach(|py| resolve(taker.bind(py)));
        }
        Poll::Pending
    }
}

/// Resolves a future of the loop whose thread this is, unless it was cancelled.
fn resolve(future: &Bound<'_, PyAny>) {
    let done = future.call_method0("done").and_then(|it| it.is_truthy());
    if let Ok(false) = done {
        // It fails only where the loop is closed, and nobody waits.
        let _ = future.call_method1("set_result", (future.py().None(),));
    }
}

/// Wakes a thread that waits for a batch.
struct Parker(Thread);

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
