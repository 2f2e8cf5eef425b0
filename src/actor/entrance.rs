//! Where operations come in: no more than the actors are to hold.
//!
//! A mailbox takes whatever is sent to it, and an operation under way takes memory until it has ended.
//! Each takes a permit here; beyond the last, operations are refused.

use super::dispatcher::Submit;
use crate::caller::OperationId;
use crate::error::{Error, Kind};
use crate::job::Job;
use actix::Recipient;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The Dispatcher's port for operations. Clones share their permits.
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
    /// When there is no permit left: the job is given back.
    pub(crate) fn submit(&self, id: OperationId, job: Job) -> Result<(), Job> {
        let one_more = |taken| (taken < self.most).then_some(taken + 1);
        let taken = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        if taken.is_err() {
            return Err(job);
        }
        let permit = Permit(Arc::clone(&self.taken));
        self.submit.do_send(Submit { id, job, permit });
        Ok(())
    }

    /// What is said where no permit is left.
    pub(crate) fn overloaded(&self) -> Error {
        let most = self.most;
        Error::new(Kind::Overloaded { most })
    }

    /// Whether there is still somebody behind it.
    pub(super) fn is_open(&self) -> bool {
        self.submit.connected()
    }
}

/// That of an operation under way, which another may take when this is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
