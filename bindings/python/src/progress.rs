//! How far a call is, from the core's threads to the user's function.

use hedgerow::OnProgress;
use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use std::sync::Arc;

/// How far a call is, as it is given to a `progress` function.
///
/// Attributes:
///     done: inputs whose requests have ended.
///     total: inputs of the call; None where a stream's are not known.
///     elapsed: seconds since the call began.
///     held_back: what holds the call back at its endpoint, in words, as "window 64 of 256, 2 %
///         refused"; None where nothing does.
#[pyclass(module = "hedgerow", frozen, get_all)]
pub(crate) struct Progress {
    done: usize,
    total: Option<usize>,
    elapsed: f64,
    held_back: Option<String>,
}

#[pymethods]
impl Progress {
    #[new]
    #[pyo3(signature = (done, total, elapsed, held_back=None))]
    fn new(done: usize, total: Option<usize>, elapsed: f64, held_back: Option<String>) -> Self {
        Self {
            done,
            total,
            elapsed,
            held_back,
        }
    }

    /// Inputs a second, from the beginning to now.
    #[getter]
    #[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    fn rate(&self) -> f64 {
        if self.elapsed > 0.0 {
            self.done as f64 / self.elapsed
        } else {
            0.0
        }
    }

    fn __repr__(&self) -> String {
        format!(
            "Progress(done={}, total={}, elapsed={:.3})",
            self.done,
            self.total.map_or("None".into(), |total| total.to_string()),
            self.elapsed
        )
    }
}

impl From<hedgerow::Progress> for Progress {
    fn from(progress: hedgerow::Progress) -> Self {
        Self {
            done: progress.done,
            total: Some(progress.total),
            elapsed: progress.elapsed.as_secs_f64(),
            held_back: progress.held_back.map(|why| why.to_string()),
        }
    }
}

/// The user's function, and the news that it has not been told. The core leaves news here; whoever
/// waits for the call tells them, with the interpreter.
pub(crate) struct Listener {
    function: Py<PyAny>,
    news: Arc<Mutex<Option<hedgerow::Progress>>>,
}

impl Listener {
    pub(crate) fn new(function: Py<PyAny>) -> (Self, OnProgress) {
        let news = Arc::new(Mutex::new(None));
        let inbox = Arc::clone(&news);
        let on_progress = OnProgress::new(move |progress| *inbox.lock() = Some(progress));
        (Self { function, news }, on_progress)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)
    }

    /// Calls the function if there is news. What it raises ends the call.
    pub(crate) fn tell(&self, py: Python<'_>) -> PyResult<()> {
        let latest = self.news.lock().take();
        if let Some(latest) = latest {
            self.function.call1(py, (Progress::from(latest),))?;
        }
        Ok(())
    }
}
