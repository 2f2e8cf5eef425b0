//! Where an answer goes: to a future or to a blocked thread.

use tokio::sync::oneshot;

/// The caller's end of a question. It travels forward with the work.
#[derive(Debug)]
pub(crate) enum ReplyPort<T> {
    /// A future waits; any runtime can poll it.
    Async(oneshot::Sender<T>),
    /// A thread waits.
    Blocking(crossbeam_channel::Sender<T>),
}

impl<T> ReplyPort<T> {
    /// Answers. A caller that is gone does not mind.
    pub(crate) fn send(self, answer: T) {
        match self {
            Self::Async(port) => drop(port.send(answer)),
            Self::Blocking(port) => drop(port.send(answer)),
        }
    }

    /// Whether the caller has stopped waiting. A blocked thread cannot.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Async(port) => port.is_closed(),
            Self::Blocking(_) => false,
        }
    }
}
