//! The bridge to one asyncio event loop. No thread of its own, and no thread but the loop's ever
//! takes the interpreter:
//!
//! ```text
//! core's threads                      the loop's thread
//! answer ─▶ waker ─▶ ready list       add_reader ─▶ drain ─▶ poll ─▶ future.set_result
//!                └──▶ one byte ──▶ socket ──────────▲
//! ```
//!
//! A byte is written only where none is waiting to be read.

use crate::exception;
use crate::process::Owned;
use crate::progress::Listener;
use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::future::Future;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// A call under way: ends in something that makes the Python object.
pub(crate) type PendingCall = Pin<Box<dyn Future<Output = Landing> + Send>>;
/// Makes the Python object of an answer, on the loop's thread.
pub(crate) type Landing = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// The longest that one turn may hold the loop; the rest is for its next turn.
const TURN: Duration = Duration::from_millis(1);

/// Resolves futures of one event loop as answers come. The loop owns it, and the futures know their
/// loop: it is a part of that circle, which Python's collector finds.
#[pyclass(module = "hedgerow._hedgerow", frozen, weakref)]
pub(crate) struct Bridge {
    signal: Arc<Signal>,
    /// The calls under way, by number.
    calls: Mutex<Owned<HashMap<u64, CallUnderWay>>>,
    next: AtomicU64,
}

struct CallUnderWay {
    pending: PendingCall,
    future: Py<PyAny>,
    listener: Option<Listener>,
}

/// Tells the loop's thread that something is ready.
struct Signal {
    ready: Mutex<Vec<u64>>,
    /// A byte is on its way.
    raised: AtomicBool,
    reader: UnixStream,
    writer: UnixStream,
}

impl Signal {
    fn push(&self, calls: impl IntoIterator<Item = u64>) {
        self.ready.lock().extend(calls);
        if !self.raised.swap(true, Ordering::AcqRel) {
            // It holds one byte at most, so there is room.
            let _ = (&self.writer).write(&[0]);
        }
    }

    /// What is ready. What comes later raises the signal again.
    fn take(&self) -> Vec<u64> {
        let _ = (&self.reader).read(&mut [0; 8]);
        self.raised.store(false, Ordering::Release);
        std::mem::take(&mut *self.ready.lock())
    }
}

struct CallWaker {
    call: u64,
    signal: Arc<Signal>,
}

impl Wake for CallWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.signal.push([self.call]);
    }
}

#[pymethods]
impl Bridge {
    #[new]
    fn new() -> PyResult<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Self {
            signal: Arc::new(Signal {
                ready: Mutex::default(),
                raised: AtomicBool::new(false),
                reader,
                writer,
            }),
            calls: Mutex::new(Owned::new(HashMap::new())),
            next: AtomicU64::new(0),
        })
    }

    /// What the loop is to watch for reading, and to call `drain` for.
    fn fileno(&self) -> i32 {
        self.signal.reader.as_raw_fd()
    }

    /// Resolves the futures of what is ready.
    fn drain(&self, py: Python<'_>) -> PyResult<()> {
        let began = Instant::now();
        let mut result = Ok(());
        let mut ready = self.signal.take().into_iter();
        for call in ready.by_ref() {
            let entry = self
                .calls
                .lock()
                .get_mut()
                .and_then(|calls| calls.remove(&call));
            let polled = entry.map_or(Ok(()), |entry| self.poll(py, call, entry));
            if polled.is_err() || began.elapsed() > TURN {
                result = polled;
                break;
            }
        }
        if ready.len() > 0 {
            self.signal.push(ready);
        }
        result
    }

    /// Aborts a call, if it is still under way.
    fn forget(&self, call: u64) {
        let entry = self
            .calls
            .lock()
            .get_mut()
            .and_then(|calls| calls.remove(&call));
        drop(entry);
    }

    /// Aborts all calls.
    fn close(&self) {
        let calls = self.calls.lock().get_mut().map(std::mem::take);
        drop(calls);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Whoever has the lock is using what is here.
        let calls = self.calls.try_lock();
        let calls = calls.as_ref().and_then(|calls| calls.get());
        for entry in calls.into_iter().flat_map(HashMap::values) {
            visit.call(&entry.future)?;
            if let Some(listener) = &entry.listener {
                listener.traverse(&visit)?;
            }
        }
        Ok(())
    }

    /// Nobody can reach it any more: its calls are aborted.
    fn __clear__(&self) {
        self.close();
    }

    /// How many calls are under way.
    fn __len__(&self) -> usize {
        self.calls.lock().get().map_or(0, HashMap::len)
    }
}

impl Bridge {
    /// Sets a call under way, whose answer resolves `future`.
    pub(crate) fn start(
        &self,
        py: Python<'_>,
        pending: PendingCall,
        future: Py<PyAny>,
        listener: Option<Listener>,
    ) -> PyResult<u64> {
        let call = self.next.fetch_add(1, Ordering::Relaxed);
        let entry = CallUnderWay {
            pending,
            future,
            listener,
        };
        self.poll(py, call, entry)?;
        Ok(call)
    }

    fn poll(&self, py: Python<'_>, call: u64, mut entry: CallUnderWay) -> PyResult<()> {
        let future = entry.future.bind(py);
        if future.call_method0(intern!(py, "done"))?.is_truthy()? {
            // It was cancelled: dropping its future aborts the call.
            return Ok(());
        }
        let waker = Waker::from(Arc::new(CallWaker {
            call,
            signal: Arc::clone(&self.signal),
        }));
        let polled = entry
            .pending
            .as_mut()
            .poll(&mut Context::from_waker(&waker));
        if let Some(listener) = &entry.listener
            && let Err(error) = listener.tell(py)
        {
            return set_exception(future, &error);
        }
        match polled {
            Poll::Ready(landing) => {
                // The function that was told may have cancelled the call.
                if future.call_method0(intern!(py, "done"))?.is_truthy()? {
                    return Ok(());
                }
                match landing(py) {
                    Ok(answer) => future
                        .call_method1(intern!(py, "set_result"), (answer,))
                        .map(drop),
                    Err(error) => set_exception(future, &error),
                }
            }
            Poll::Pending => {
                let mut calls = self.calls.lock();
                let Some(calls) = calls.get_mut() else {
                    return Err(exception::forked());
                };
                calls.insert(call, entry);
                Ok(())
            }
        }
    }
}

fn set_exception(future: &Bound<'_, PyAny>, error: &PyErr) -> PyResult<()> {
    let py = future.py();
    let error = error.value(py);
    future
        .call_method1(intern!(py, "set_exception"), (error,))
        .map(drop)
}
