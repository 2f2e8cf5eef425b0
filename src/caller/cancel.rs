//! Ending operations before their time, from anywhere.

use actix::{Message, Recipient};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names an operation within its system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct OperationId(pub u64);

impl OperationId {
    /// One that no other operation of the process has, since a token may be shared by operations
    /// of several systems.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// End an operation before its time.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Cancel {
    pub id: OperationId,
    pub reason: Reason,
}

/// Why an operation is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Its token, or its caller, asked for it.
    Cancelled,
    /// Its caller no longer waits.
    Abandoned,
}

/// Cancels every operation that has this token. Clones share one state, which `cancel` alone
/// changes.
///
/// ```
/// let token = hedgerow::CancellationToken::new();
/// let shared = token.clone();
/// token.cancel();
/// assert!(shared.is_cancelled());
/// ```
#[derive(Clone, Default)]
pub struct CancellationToken(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    cancelled: bool,
    /// The operations under way that have the token.
    operations: HashMap<OperationId, Recipient<Cancel>>,
}

impl CancellationToken {
    /// A token that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends all operations that have the token, and every one that is started with it later:
    /// their sockets are closed and their callers get an error that
    /// [`is_cancelled`](crate::Error::is_cancelled).
    pub fn cancel(&self) {
        let operations = {
            let mut state = self.0.lock();
            state.cancelled = true;
            std::mem::take(&mut state.operations)
        };
        for (id, dispatcher) in operations {
            let reason = Reason::Cancelled;
            dispatcher.do_send(Cancel { id, reason });
        }
    }

    /// Whether `cancel` was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.lock().cancelled
    }

    /// Makes an operation one that `cancel` ends, unless it was called already.
    pub(crate) fn watch(&self, id: OperationId, dispatcher: &Recipient<Cancel>) -> bool {
        let mut state = self.0.lock();
        if !state.cancelled {
            state.operations.insert(id, dispatcher.clone());
        }
        !state.cancelled
    }

    /// The operation has ended.
    pub(crate) fn forget(&self, id: OperationId) {
        self.0.lock().operations.remove(&id);
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancellationToken")
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}
