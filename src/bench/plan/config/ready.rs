//! Whether a service is waited for before its load.

use super::BenchmarkConfig;
use crate::bench::plan::span::check_span;
use crate::error::{Error, Result};
use std::time::Duration;

/// For how long a service is waited for, and what path says that it is ready.
#[derive(Debug, Clone)]
pub(in crate::bench) struct WaitReady {
    pub(in crate::bench::plan) span: Duration,
    pub(in crate::bench::plan) path: String,
}

impl BenchmarkConfig {
    /// Waits until the service is ready before the first request is sent, and before the client is
    /// calibrated: until `path`, which begins with `/`, answers with a status of 2xx at the
    /// endpoint's own scheme, host and port. It is asked with GET, over HTTP/1.1, with the key and
    /// the headers of the run, again and again for `span` at most, which is above 0 and at most 30
    /// days; then the run [fails](Error::is_timeout). No redirect is followed. Default: nothing is
    /// waited for.
    ///
    /// While that takes longer than a second, [progress](Self::with_progress) is told of it.
    #[must_use]
    pub fn with_wait_ready(mut self, span: Duration, path: impl Into<String>) -> Self {
        let path = path.into();
        self.wait_ready = Some(WaitReady { span, path });
        self
    }
}

impl WaitReady {
    pub(in crate::bench::plan) fn check(&self) -> Result<()> {
        if self.span.is_zero() {
            let text = "wait_ready must be above 0 s and at most 30 days (got 0 s)";
            return Err(Error::config(text));
        }
        check_span("wait_ready", self.span)?;
        if self.path.starts_with('/') {
            return Ok(());
        }
        // What is behind a `?` may be a secret.
        let shown = self.path.split(['?', '#']).next().unwrap_or_default();
        let text = format!("ready_path must begin with / (got {shown:?})");
        Err(Error::config(text))
    }
}
