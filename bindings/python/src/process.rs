//! Values that belong to one process.
//!
//! After `fork()` a child has its parent's memory and none of its threads: what the parent started
//! can be neither used nor stopped there. It is left as it is, and the child makes its own.

use arc_swap::ArcSwapOption;
use std::sync::Arc;

/// A value of the process that made it. In another it is not dropped but forgotten.
pub(crate) struct Owned<T> {
    process: u32,
    value: Option<T>,
}

impl<T> Owned<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            process: std::process::id(),
            value: Some(value),
        }
    }

    /// The value, in the process that made it.
    pub(crate) fn get(&self) -> Option<&T> {
        self.value.as_ref().filter(|_| self.is_ours())
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        let ours = self.is_ours();
        self.value.as_mut().filter(|_| ours)
    }

    fn is_ours(&self) -> bool {
        self.process == std::process::id()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !self.is_ours() {
            std::mem::forget(self.value.take());
        }
    }
}

/// A value that each process makes when it first needs it. No lock, which a thread that is not
/// there after a fork could have held.
pub(crate) struct PerProcess<T>(ArcSwapOption<Owned<T>>);

impl<T: Clone> PerProcess<T> {
    pub(crate) fn new() -> Self {
        Self(ArcSwapOption::const_empty())
    }

    /// The value of this process, if it was made.
    pub(crate) fn get(&self) -> Option<T> {
        self.0.load().as_deref()?.get().cloned()
    }

    /// The value of this process. Of threads that make it at once, the first one's is kept.
    pub(crate) fn get_or_make<E>(&self, make: impl Fn() -> Result<T, E>) -> Result<T, E> {
        loop {
            let held = self.0.load();
            if let Some(value) = held.as_deref().and_then(Owned::get) {
                return Ok(value.clone());
            }
            let fresh = make()?;
            let owned = Some(Arc::new(Owned::new(fresh.clone())));
            let before = self.0.compare_and_swap(&*held, owned);
            let replaced = match (&*before, &*held) {
                (Some(before), Some(held)) => Arc::ptr_eq(before, held),
                (before, held) => before.is_none() && held.is_none(),
            };
            if replaced {
                return Ok(fresh);
            }
        }
    }
}
