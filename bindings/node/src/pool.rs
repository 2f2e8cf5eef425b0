//! Connection pools: each is an actor system, which starts with its first call.

use crate::failure::refused;
use hedgerow::System;
use hedgerow::transport::{HttpSettings, HttpVersion, Proxy};
use napi::Result;
use napi_derive::napi;
use parking_lot::Mutex;
use std::sync::{Arc, LazyLock};

/// Shared by all clients of the process that are given no pool, whatever their thread.
static DEFAULT: LazyLock<Pool> =
    LazyLock::new(|| Pool::with(HttpSettings::default(), Limits::default()));

/// How much may come, in bytes, where it is not as much as by default.
#[napi(object)]
#[derive(Clone, Default)]
pub(crate) struct Limits {
    pub max_response_bytes: Option<i64>,
    pub max_buffered_bytes: Option<i64>,
}

/// A connection pool.
#[napi]
#[derive(Clone)]
pub(crate) struct Pool {
    http: Arc<HttpSettings>,
    limits: Limits,
    /// The system, once it has started.
    started: Arc<Mutex<Option<System>>>,
}

#[napi]
impl Pool {
    /// A pool of its own. Without a proxy, that of the environment is used.
    #[napi(constructor)]
    pub fn new(http2: bool, proxy: Option<String>, limits: Limits) -> Result<Self> {
        let http = HttpSettings {
            version: if http2 {
                HttpVersion::Http2
            } else {
                HttpVersion::Http1
            },
            proxy: proxy.map_or(Proxy::Environment, Proxy::At),
            ..HttpSettings::default()
        };
        http.proxy.validate().map_err(|error| refused(&error))?;
        Ok(Self::with(http, limits))
    }

    /// The process's own.
    #[napi(factory)]
    pub fn shared() -> Self {
        DEFAULT.clone()
    }
}

impl Pool {
    fn with(http: HttpSettings, limits: Limits) -> Self {
        Self {
            http: Arc::new(http),
            limits,
            started: Arc::default(),
        }
    }

    /// The system, which is started if need be.
    pub(crate) fn system(&self) -> hedgerow::Result<System> {
        let mut started = self.started.lock();
        if let Some(system) = &*started {
            return Ok(system.clone());
        }
        let mut builder = System::builder().http((*self.http).clone());
        let bytes = |given: Option<i64>| given.and_then(|most| usize::try_from(most).ok());
        if let Some(most) = bytes(self.limits.max_response_bytes) {
            builder = builder.max_response_bytes(most);
        }
        if let Some(most) = bytes(self.limits.max_buffered_bytes) {
            builder = builder.max_buffered_bytes(most);
        }
        let system = builder.start()?;
        *started = Some(system.clone());
        Ok(system)
    }
}
