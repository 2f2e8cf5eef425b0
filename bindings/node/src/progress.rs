//! How far a call is.

use hedgerow::OnProgress;
use napi_derive::napi;
use parking_lot::Mutex;
use std::sync::Arc;

/// How far a call is, as JavaScript sees it.
#[napi(object, object_from_js = false)]
pub(crate) struct Progress {
    /// Inputs whose requests have ended.
    pub done: u32,
    /// Inputs of the call.
    pub total: u32,
    /// Seconds since the call began.
    pub elapsed: f64,
    /// Inputs a second, from the beginning to now.
    pub rate: f64,
    /// What holds the call back at its endpoint, in words.
    pub held_back: Option<String>,
}

impl From<hedgerow::Progress> for Progress {
    fn from(progress: hedgerow::Progress) -> Self {
        // A call has fewer inputs than 32 bits can count.
        let count = |inputs| u32::try_from(inputs).unwrap_or(u32::MAX);
        Self {
            done: count(progress.done),
            total: count(progress.total),
            elapsed: progress.elapsed.as_secs_f64(),
            rate: progress.rate(),
            held_back: progress.held_back.map(|why| why.to_string()),
        }
    }
}

/// The latest that was not told. The core leaves it here; the bridge tells it.
pub(crate) struct News(Arc<Mutex<Option<hedgerow::Progress>>>);

impl News {
    pub(crate) fn new() -> (Self, OnProgress) {
        let news = Arc::new(Mutex::new(None));
        let inbox = Arc::clone(&news);
        let on_progress = OnProgress::new(move |progress| *inbox.lock() = Some(progress));
        (Self(news), on_progress)
    }

    pub(crate) fn take(&self) -> Option<Progress> {
        self.0.lock().take().map(Progress::from)
    }
}
