//! Ending operations before their time, from anywhere.

use actix::{Message, Recipient};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names an operation, within its process.
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

    /// Makes an operation one that `cancel` ends, until what is returned is dropped; `None` where it
    /// was called already.
    pub(crate) fn register(
        &self,
        id: OperationId,
        dispatcher: &Recipient<Cancel>,
    ) -> Option<Registration> {
        let mut state = self.0.lock();
        if state.cancelled {
            return None;
        }
        state.operations.insert(id, dispatcher.clone());
        Some(Registration {
            token: self.clone(),
            id,
        })
    }
}

/// An operation's place with its token; dropped when it has ended, however.
#[derive(Debug)]
pub(crate) struct Registration {
    token: CancellationToken,
    id: OperationId,
}

impl Registration {
    /// Whether the token was cancelled, also when that was told before the operation came.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.token.0.lock().operations.remove(&self.id);
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancellationToken")
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix::{Actor, Context, Handler};
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Stands where a Dispatcher does, and keeps what it is told to end.
    #[derive(Default)]
    struct Listener(Rc<RefCell<Vec<OperationId>>>);

    impl Actor for Listener {
        type Context = Context<Self>;
    }

    impl Handler<Cancel> for Listener {
        type Result = ();

        fn handle(&mut self, cancel: Cancel, _: &mut Self::Context) {
            self.0.borrow_mut().push(cancel.id);
        }
    }

    #[actix_rt::test]
    async fn a_token_ends_the_operations_under_way_and_remembers_no_others() {
        let listener = Listener::default();
        let told = Rc::clone(&listener.0);
        let port = listener.start().recipient();
        let token = CancellationToken::new();
        let (first, second) = (OperationId::next(), OperationId::next());
        let under_way = token.register(first, &port).expect("not cancelled");
        drop(token.register(second, &port));
        assert_eq!(token.0.lock().operations.len(), 1);
        assert!(!under_way.is_cancelled());

        token.cancel();
        // Whoever comes to the operation later sees it as well.
        assert!(under_way.is_cancelled());
        assert!(token.register(second, &port).is_none());
        drop(under_way);
        assert!(token.0.lock().operations.is_empty());
        tokio::task::yield_now().await;
        assert_eq!(*told.borrow(), [first]);
    }
}
