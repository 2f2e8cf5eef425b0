//! How far a run is, from the harness's threads to the user's function.

use hedgerow::bench::Progress;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;
use std::time::Duration;

type News = Arc<Mutex<Option<Progress>>>;

/// The user's function, and the news that it has not been told. Only the latest counts.
pub(super) struct Listener {
    function: Py<PyAny>,
    news: News,
}

impl Listener {
    pub(super) fn new(function: Py<PyAny>) -> (Self, impl Fn(&Progress) + Send + Sync + 'static) {
        let news = News::default();
        let inbox = Arc::clone(&news);
        let tell = move |progress: &Progress| *inbox.lock() = Some(progress.clone());
        (Self { function, news }, tell)
    }

    /// Calls the function if there is news.
    pub(super) fn tell(&self, py: Python<'_>) -> PyResult<()> {
        let latest = self.news.lock().take();
        if let Some(latest) = latest {
            self.function.call1(py, (describe(py, &latest)?,))?;
        }
        Ok(())
    }
}

fn describe<'py>(py: Python<'py>, progress: &Progress) -> PyResult<Bound<'py, PyDict>> {
    let ms = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1e3);
    let dict = PyDict::new(py);
    dict.set_item("elapsed_s", progress.elapsed.as_secs_f64())?;
    dict.set_item("span_s", progress.span.map(|span| span.as_secs_f64()))?;
    dict.set_item("ended", progress.ended)?;
    dict.set_item("succeeded", progress.succeeded)?;
    dict.set_item("failed", progress.failed)?;
    dict.set_item("attempts", progress.attempts)?;
    dict.set_item("dropped", progress.dropped)?;
    dict.set_item("ended_per_s", progress.ended_per_s)?;
    let tokens = progress.completion_tokens_per_s;
    dict.set_item("completion_tokens_per_s", tokens)?;
    dict.set_item("latency_p50_ms", ms(progress.latency_p50))?;
    dict.set_item("latency_p99_ms", ms(progress.latency_p99))?;
    dict.set_item("ttft_p50_ms", ms(progress.ttft_p50))?;
    dict.set_item("waiting_for", progress.waiting_for.as_deref())?;
    Ok(dict)
}
