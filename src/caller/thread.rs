//! Threads that wait for an answer, and those that must not.

use crate::error::{Error, Kind, Result};
use crossbeam_channel::Receiver;
use std::pin::pin;
use std::task::{Context, Waker};
use tokio::runtime::Handle;

/// A port that is dropped unanswered belonged to a system that is no more.
pub(crate) fn wait<T>(answer: &Receiver<T>) -> Result<T> {
    answer.recv().map_err(|_| Error::new(Kind::Closed))
}

/// Errs on a thread that is running an async task. A thread that a runtime keeps for blocking
/// work (`spawn_blocking`, `web::block`) is fine.
pub(crate) fn refuse_inside_runtime() -> Result<()> {
    if Handle::try_current().is_ok() && is_running_a_task() {
        return Err(Error::new(Kind::InsideRuntime));
    }
    Ok(())
}

/// Tokio limits how much a task may do before it yields, and does not limit blocking threads. A
/// task's allowance is spent here to see whether there is one: 128 polls at the time of writing.
/// The task, which is about to get an error, merely yields earlier.
fn is_running_a_task() -> bool {
    const MORE_THAN_ANY_ALLOWANCE: usize = 1024;
    let mut context = Context::from_waker(Waker::noop());
    (0..MORE_THAN_ANY_ALLOWANCE).any(|_| {
        let yielding = pin!(tokio::task::consume_budget());
        yielding.poll(&mut context).is_pending()
    })
}
