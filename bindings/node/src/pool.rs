//! Connection pools: each is an actor system, which starts with its first call.

use crate::failure::refused;
use hedgerow::System;
use napi::Result;
use napi_derive::napi;
use parking_lot::Mutex;
use std::sync::{Arc, LazyLock};

/// A system, once it has started.
type Started = Arc<Mutex<Option<System>>>;

/// Shared by all clients of the process that are given no pool, whatever their thread.
static DEFAULT: LazyLock<Started> = LazyLock::new(Started::default);

/// A connection pool.
#[napi]
#[derive(Clone)]
pub(crate) struct Pool(Started);

#[napi]
impl Pool {
    /// A pool of its own.
    #[napi(constructor)]
    pub fn new() -> Self {
        Self(Started::default())
    }

    /// The process's own.
    #[napi(factory)]
    pub fn shared() -> Self {
        Self(Arc::clone(&DEFAULT))
    }
}

impl Pool {
    /// The system, which is started if need be.
    pub(crate) fn system(&self) -> Result<System> {
        let mut started = self.0.lock();
        if let Some(system) = &*started {
            return Ok(system.clone());
        }
        let system = System::builder().start().map_err(|error| refused(&error))?;
        *started = Some(system.clone());
        Ok(system)
    }
}
