//! `HttpClientWrapper`: a connection pool, which is an actor system of its own.

use crate::exception;
use crate::process::PerProcess;
use hedgerow::System;
use hedgerow::transport::{HttpSettings, HttpVersion, Proxy};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::{Arc, LazyLock};

/// How connections are made, and a system that starts when it is first used, in each process.
#[derive(Clone)]
pub(crate) struct Pool {
    system: Arc<PerProcess<System>>,
    http: Arc<HttpSettings>,
}

static DEFAULT: LazyLock<Pool> = LazyLock::new(|| Pool::new(HttpSettings::default()));

impl Pool {
    fn new(http: HttpSettings) -> Self {
        Self {
            system: Arc::new(PerProcess::new()),
            http: Arc::new(http),
        }
    }

    /// The system of this process, started if need be.
    pub(crate) fn system(&self, py: Python<'_>) -> PyResult<System> {
        let start = || System::builder().http((*self.http).clone()).start();
        let started = self.system.get_or_make(start);
        started.map_err(|error| exception::raise_plain(py, &error))
    }
}

/// A connection pool that several clients share.
///
/// Clients that are given none share one of the process's own. A wrapper starts nothing until a
/// call is made with it, and after `os.fork()` the child has connections of its own.
///
/// Args:
///     http_version: 1 or 2. With 2, many requests share a connection: over TLS where the server
///         agrees (else HTTP/1.1), in clear text by prior knowledge.
///     proxy: "http://[user:password@]host:port", or https where the proxy itself speaks TLS.
///         Default: that of HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.
///
/// Raises:
///     ValueError: for any other value.
#[pyclass(module = "hedgerow", frozen)]
pub(crate) struct HttpClientWrapper(Pool);

#[pymethods]
impl HttpClientWrapper {
    #[new]
    #[pyo3(signature = (http_version=1, proxy=None))]
    fn new(http_version: i64, proxy: Option<String>) -> PyResult<Self> {
        let version = match http_version {
            1 => HttpVersion::Http1,
            2 => HttpVersion::Http2,
            _ => {
                let text = format!("http_version must be 1 or 2 (got {http_version})");
                return Err(PyValueError::new_err(text));
            }
        };
        let http = HttpSettings {
            version,
            proxy: proxy.map_or(Proxy::Environment, Proxy::At),
            ..HttpSettings::default()
        };
        http.proxy
            .validate()
            .map_err(|error| exception::bad_value(&error))?;
        Ok(Self(Pool::new(http)))
    }

    /// The proxy's host and port alone: its URL may hold a password.
    fn __repr__(&self) -> String {
        let version = self.http_version();
        let proxy = match &self.0.http.proxy {
            Proxy::Environment => String::new(),
            named => format!(", proxy={named:?}"),
        };
        let whose = if self.is_default() {
            "  # the process's own"
        } else {
            ""
        };
        format!("HttpClientWrapper(http_version={version}{proxy}){whose}")
    }

    /// Another process has connections of its own; what is shared here is shared there.
    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let module = py.import("hedgerow._hedgerow")?;
        if self.is_default() {
            return Ok((module.getattr("default_wrapper")?, PyTuple::empty(py)));
        }
        let proxy = match &self.0.http.proxy {
            Proxy::At(url) => Some(url),
            _ => None,
        };
        let arguments = (self.http_version(), proxy).into_pyobject(py)?;
        Ok((module.getattr("HttpClientWrapper")?, arguments))
    }
}

impl HttpClientWrapper {
    fn http_version(&self) -> u8 {
        match self.0.http.version {
            HttpVersion::Http1 => 1,
            HttpVersion::Http2 => 2,
        }
    }

    fn is_default(&self) -> bool {
        Arc::ptr_eq(&self.0.system, &DEFAULT.system)
    }

    pub(crate) fn pool(&self) -> Pool {
        self.0.clone()
    }
}

/// The wrapper that clients share which are given none.
#[pyfunction]
pub(crate) fn default_wrapper() -> HttpClientWrapper {
    HttpClientWrapper(DEFAULT.clone())
}
