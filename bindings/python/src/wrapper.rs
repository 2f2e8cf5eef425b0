//! `HttpClientWrapper`: a connection pool, which is an actor system of its own.

use crate::exception;
use crate::process::PerProcess;
use hedgerow::System;
use hedgerow::transport::{HttpSettings, HttpVersion, Proxy};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// How connections are made and how much may come over them, and a system that starts when it is first
/// used, in each process.
#[derive(Clone)]
pub(crate) struct Pool {
    system: Arc<PerProcess<System>>,
    http: Arc<HttpSettings>,
    limits: Limits,
}

/// How much may come, in bytes, where it is not as much as by default.
#[derive(Clone, Copy, Default)]
struct Limits {
    response: Option<usize>,
    buffered: Option<usize>,
}

static DEFAULT: LazyLock<Pool> =
    LazyLock::new(|| Pool::new(HttpSettings::default(), Limits::default()));

impl Pool {
    fn new(http: HttpSettings, limits: Limits) -> Self {
        Self {
            system: Arc::new(PerProcess::new()),
            http: Arc::new(http),
            limits,
        }
    }

    /// The system of this process, started if need be.
    pub(crate) fn system(&self) -> hedgerow::Result<System> {
        let start = || {
            let mut builder = System::builder().http((*self.http).clone());
            if let Some(most) = self.limits.response {
                builder = builder.max_response_bytes(most);
            }
            if let Some(most) = self.limits.buffered {
                builder = builder.max_buffered_bytes(most);
            }
            builder.start()
        };
        self.system.get_or_make(start)
    }
}

/// A connection pool that several clients share.
///
/// Clients that are given none share one of the process's own. A wrapper starts nothing until a
/// call is made with it, and after `os.fork()` the child has connections of its own. Pickling it
/// leaves the proxy's user and password out, unless `pickle_password` was set to True.
///
/// Args:
///     http_version: 1 or 2. With 2, many requests share a connection: over TLS where the server
///         agrees (else HTTP/1.1), in clear text by prior knowledge.
///     proxy: "http://[user:password@]host:port", or https where the proxy itself speaks TLS.
///         Default: that of HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.
///     max_response_bytes: the largest answer that is accepted, unpacked. Default: 1 GiB.
///     max_buffered_bytes: what all answers under way hold together while they are read and
///         unpacked; more of them wait. Default: 2 GiB.
///
/// Raises:
///     ValueError: for any other value.
#[pyclass(module = "hedgerow", frozen)]
pub(crate) struct HttpClientWrapper {
    pool: Pool,
    pickle_password: AtomicBool,
}

#[pymethods]
impl HttpClientWrapper {
    #[new]
    #[pyo3(signature = (http_version=1, proxy=None, max_response_bytes=None, max_buffered_bytes=None))]
    fn new(
        http_version: i64,
        proxy: Option<String>,
        max_response_bytes: Option<i64>,
        max_buffered_bytes: Option<i64>,
    ) -> PyResult<Self> {
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
        let limits = Limits {
            response: bytes("max_response_bytes", max_response_bytes)?,
            buffered: bytes("max_buffered_bytes", max_buffered_bytes)?,
        };
        Ok(Self::of(Pool::new(http, limits)))
    }

    /// Whether pickling includes the user and the password of the proxy. Default False.
    #[getter]
    fn pickle_password(&self) -> bool {
        self.pickle_password.load(Ordering::Relaxed)
    }

    #[setter]
    fn set_pickle_password(&self, whether: bool) {
        self.pickle_password.store(whether, Ordering::Relaxed);
    }

    /// The proxy's host and port alone: its URL may hold a password.
    fn __repr__(&self) -> String {
        let version = self.http_version();
        let proxy = match &self.pool.http.proxy {
            Proxy::Environment => String::new(),
            named => format!(", proxy={named:?}"),
        };
        let whose = if self.is_default() {
            "  # the process's own"
        } else {
            ""
        };
        let limit = |name: &str, most: Option<usize>| {
            most.map_or_else(String::new, |most| format!(", {name}={most}"))
        };
        let response = limit("max_response_bytes", self.pool.limits.response);
        let buffered = limit("max_buffered_bytes", self.pool.limits.buffered);
        format!("HttpClientWrapper(http_version={version}{proxy}{response}{buffered}){whose}")
    }

    /// Another process has connections of its own; what is shared here is shared there.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        let module = py.import("hedgerow._hedgerow")?;
        if self.is_default() {
            return Ok((module.getattr("default_wrapper")?, PyTuple::empty(py), None));
        }
        let keeps = self.pickle_password();
        let mut proxy = self.pool.http.proxy.clone();
        if !keeps {
            proxy = proxy.without_password();
        }
        let proxy = match proxy {
            Proxy::At(url) => Some(url),
            _ => None,
        };
        let Limits { response, buffered } = self.pool.limits;
        let arguments = (self.http_version(), proxy, response, buffered).into_pyobject(py)?;
        let class = module.getattr("HttpClientWrapper")?;
        Ok((class, arguments, keeps.then_some(true)))
    }

    fn __setstate__(&self, pickle_password: bool) {
        self.set_pickle_password(pickle_password);
    }

    /// In one process a copy shares what it is a copy of.
    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }
}

/// What makes a copy, its arguments, and its state.
type Reduced<'py> = (Bound<'py, PyAny>, Bound<'py, PyTuple>, Option<bool>);

impl HttpClientWrapper {
    fn of(pool: Pool) -> Self {
        Self {
            pool,
            pickle_password: AtomicBool::new(false),
        }
    }

    fn http_version(&self) -> u8 {
        match self.pool.http.version {
            HttpVersion::Http1 => 1,
            HttpVersion::Http2 => 2,
        }
    }

    fn is_default(&self) -> bool {
        Arc::ptr_eq(&self.pool.system, &DEFAULT.system)
    }

    pub(crate) fn pool(&self) -> Pool {
        self.pool.clone()
    }
}

/// A number of bytes that a setting gives, at least one.
fn bytes(name: &str, given: Option<i64>) -> PyResult<Option<usize>> {
    let Some(given) = given else {
        return Ok(None);
    };
    let bytes = usize::try_from(given).ok().filter(|bytes| *bytes > 0);
    let wrong = || PyValueError::new_err(format!("{name} must be at least 1 (got {given})"));
    bytes.map(Some).ok_or_else(wrong)
}

/// The wrapper that clients share which are given none.
#[pyfunction]
pub(crate) fn default_wrapper() -> HttpClientWrapper {
    HttpClientWrapper::of(DEFAULT.clone())
}
