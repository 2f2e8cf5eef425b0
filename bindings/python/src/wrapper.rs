//! `HttpClientWrapper`: a connection pool, which is an actor system of its own.

use crate::failure;
use crate::process::PerProcess;
use hedgerow::System;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::{Arc, LazyLock};

/// A system that starts when it is first used, in each process.
pub(crate) type Pool = Arc<PerProcess<System>>;

static DEFAULT: LazyLock<Pool> = LazyLock::new(|| Arc::new(PerProcess::new()));

/// A connection pool that several clients share.
///
/// Clients that are given none share one of the process's own. A wrapper starts nothing until a
/// call is made with it, and after `os.fork()` the child has connections of its own.
///
/// Args:
///     http_version: 1. HTTP/2 comes with a later release.
///     proxy: None. Proxies come with a later release.
///
/// Raises:
///     ValueError: for any other value.
#[pyclass(module = "hedgerow", frozen)]
pub(crate) struct HttpClientWrapper(Pool);

#[pymethods]
impl HttpClientWrapper {
    #[new]
    #[pyo3(signature = (http_version=1, proxy=None))]
    fn new(http_version: i64, proxy: Option<&str>) -> PyResult<Self> {
        check_transport(http_version, proxy)?;
        Ok(Self(Arc::new(PerProcess::new())))
    }

    fn __repr__(&self) -> &'static str {
        if self.is_default() {
            "HttpClientWrapper(http_version=1)  # the process's own"
        } else {
            "HttpClientWrapper(http_version=1)"
        }
    }

    /// Another process has connections of its own; what is shared here is shared there.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, ())> {
        let module = py.import("hedgerow._hedgerow")?;
        let maker = if self.is_default() {
            "default_wrapper"
        } else {
            "HttpClientWrapper"
        };
        Ok((module.getattr(maker)?, ()))
    }
}

impl HttpClientWrapper {
    fn is_default(&self) -> bool {
        Arc::ptr_eq(&self.0, &DEFAULT)
    }

    pub(crate) fn pool(&self) -> Pool {
        Arc::clone(&self.0)
    }
}

/// The wrapper that clients share which are given none.
#[pyfunction]
pub(crate) fn default_wrapper() -> HttpClientWrapper {
    HttpClientWrapper(Arc::clone(&DEFAULT))
}

/// The system of a pool in this process, started if need be.
pub(crate) fn system_of(py: Python<'_>, pool: &Pool) -> PyResult<System> {
    let start = || System::builder().start();
    pool.get_or_make(start)
        .map_err(|error| failure::raise_plain(py, &error))
}

fn check_transport(http_version: i64, proxy: Option<&str>) -> PyResult<()> {
    if http_version != 1 {
        let text = if http_version == 2 {
            "http_version must be 1 (got 2): HTTP/2 comes with a later release".to_owned()
        } else {
            format!("http_version must be 1 (got {http_version})")
        };
        return Err(PyValueError::new_err(text));
    }
    if proxy.is_some() {
        // It is not shown: some put a password there.
        return Err(PyValueError::new_err(
            "proxy must be None: proxies come with a later release",
        ));
    }
    Ok(())
}
