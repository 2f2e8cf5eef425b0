//! Where operations come in: no more than the actors are to hold.
//!
//! A mailbox takes whatever is sent to it, and an operation under way takes memory until it has ended.
//! Each takes a place here; beyond the last, operations are refused.

use super::dispatcher::Submit;
use crate::caller::OperationId;
use crate::error::{Error, Kind};
use crate::job::Job;
use actix::Recipient;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The Dispatcher's port for operations. Clones share their places.
#[derive(Clone)]
pub(crate) struct Entrance {
    submit: Recipient<Submit>,
    taken: Arc<AtomicUsize>,
    most: usize,
}

impl Entrance {
    pub(super) fn new(submit: Recipient<Submit>, most: usize) -> Self {
        Self {
            submit,
            taken: Arc::default(),
            most,
        }
    }

    /// Hands an operation over.
    ///
    /// # Errors
    ///
    /// When as many are under way as there are places: the job is given back.
    pub(crate) fn submit(&self, id: OperationId, job: Job) -> Result<(), Job> {
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return Err(job);
        }
        let place = Place(Arc::clone(&self.taken));
        self.submit.do_send(Submit { id, job, place });
        Ok(())
    }

    /// What is said where all places are taken.
    pub(crate) fn overloaded(&self) -> Error {
        let most = self.most;
        Error::new(Kind::Overloaded { most })
    }

    /// Whether there is still somebody behind it.
    pub(super) fn is_open(&self) -> bool {
        self.submit.connected()
    }
}

/// The place of an operation, which another may take when this is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
