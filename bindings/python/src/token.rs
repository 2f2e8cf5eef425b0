//! `CancellationToken`: cancels calls from any thread, and outlives a fork.

use crate::process::PerProcess;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};

/// Cancels every call whose preference has it, from any thread.
///
/// Only `cancel()` changes it. A child after `os.fork()` has a token of the same state, which
/// cancels the child's calls.
///
/// Example:
///     >>> token = CancellationToken()
///     >>> preference = RequestProcessingPreference(cancel_token=token)
///     >>> token.cancel()  # calls with this preference raise ValueError
#[pyclass(module = "hedgerow", frozen)]
pub(crate) struct CancellationToken {
    cancelled: AtomicBool,
    /// What the calls of this process watch. It has a lock that another thread may hold at a fork.
    core: PerProcess<hedgerow::CancellationToken>,
}

#[pymethods]
impl CancellationToken {
    #[new]
    fn new() -> Self {
        Self {
            cancelled: AtomicBool::new(false),
            core: PerProcess::new(),
        }
    }

    /// Ends all calls that have the token, within milliseconds: their sockets are closed and they
    /// raise. So do calls that are started with it later.
    fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        if let Some(core) = self.core.get() {
            core.cancel();
        }
    }

    /// Whether `cancel()` was called.
    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    fn __repr__(&self) -> String {
        let state = if self.is_cancelled() {
            "cancelled"
        } else {
            "not cancelled"
        };
        format!("<CancellationToken: {state}>")
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a CancellationToken cannot be pickled: it cancels calls of its own process",
        ))
    }
}

impl CancellationToken {
    /// The core's token, for calls of this process.
    pub(crate) fn core(&self) -> hedgerow::CancellationToken {
        let make = || Ok::<_, Infallible>(hedgerow::CancellationToken::new());
        let Ok(core) = self.core.get_or_make(make);
        // `cancel` sets the flag first: one of the two sees the other.
        if self.is_cancelled() {
            core.cancel();
        }
        core
    }
}
