//! The messages that pass between actors.
//!
//! | message | sender | handler | reply | bound of the mailbox |
//! |---|---|---|---|---|
//! | [`Submit`] | facade, harness | Dispatcher | by the job's port | the callers' own calls |
//! | [`Plan`] | Dispatcher | BatchPlanner | [`Planned`] | operations |
//! | [`Planned`] | BatchPlanner | Dispatcher | | operations |
//! | [`Assign`] | Dispatcher, WorkerPool | WorkerPool, Worker | [`Report`], [`Finished`] | the windows of all operations |
//! | [`Report`] | Worker | WorkerPool | | as `Assign` |
//! | [`Finished`] | WorkerPool | Dispatcher | | as `Assign` |
//! | [`Abort`] | Dispatcher, WorkerPool | WorkerPool, Worker | as `Assign` | as `Assign` |
//! | [`Watch`], [`Settled`] | Dispatcher | Hedger | [`Due`] | as `Assign` |
//! | [`Due`] | Hedger | Dispatcher | | as `Assign` |
//! | [`Cancel`], [`Inspect`] | facade, harness | Dispatcher | | one or a few a call |
//! | [`Observed`] | Dispatcher | MetricsCollector | | one a turn |
//! | [`Flush`], [`Tick`] | an actor to itself | | | one at a time |
//! | [`Shutdown`], [`Stop`], [`WorkerGone`], [`Ended`] | system, and down the tree | | | one a system |
//!
//! All mailboxes are without a limit of their own: `do_send` ignores one. The last column says what
//! bounds each. A message that holds a list carries all that came up in one turn of its sender:
//! between threads it is the wake-up that costs, not the message.

use super::ReplyPort;
use super::failure::Failure;
use crate::config::Checked;
use crate::operation::{Gather, Headers, Operation, Part};
use crate::policy::hedge::HedgePlan;
use crate::policy::split;
use crate::transport::Trace;
use actix::Message;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

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

/// Names a request: its operation, and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RequestKey {
    pub operation: OperationId,
    pub request: u32,
}

/// Names an attempt; attempts of a request are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AttemptId {
    pub key: RequestKey,
    pub attempt: u32,
}

impl AttemptId {
    /// The id by which a server's logs know the attempt. `trace` is the operation's.
    pub(super) fn request_id(self, trace: &Trace) -> String {
        format!("{trace}-{}-{}", self.key.request, self.attempt)
    }
}

/// An operation as the facade hands it over.
pub(crate) struct Job {
    pub operation: Arc<dyn Operation>,
    pub gather: Box<dyn Gather>,
    pub settings: Arc<Checked>,
}

/// Carry out an operation.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Submit {
    pub id: OperationId,
    pub job: Job,
}

/// Cut an operation into requests.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Plan {
    pub id: OperationId,
    pub operation: Arc<dyn Operation>,
    pub limits: split::Limits,
}

/// The requests of an operation.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Planned {
    pub id: OperationId,
    pub plan: split::Plan,
}

/// One try of one request.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub id: AttemptId,
    pub operation: Arc<dyn Operation>,
    pub inputs: Range<usize>,
    pub try_base64: bool,
    /// When it is given up: its own timeout, or its operation's deadline where that is earlier.
    pub until: Instant,
    pub trace: Trace,
}

/// Carry out attempts: all that became due in one turn of the sender.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Assign(pub Vec<Attempt>);

/// What a Worker did in one turn.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Report {
    pub(super) worker: usize,
    /// The attempts that ended.
    pub(super) outcomes: Vec<Outcome>,
    /// How long the Worker's thread has been busy since it began.
    pub(super) busy: Duration,
}

/// Attempts that ended, all of one turn. Each assigned attempt is told of exactly once.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Finished(pub Vec<Outcome>);

/// How an attempt ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub id: AttemptId,
    pub(super) result: Result<Success, Failure>,
    /// It was sent twice, and a server may have read both: a kept connection had ended under it
    /// before anything of an answer came. It counts as two.
    pub resent: bool,
    /// From the start of the attempt to its end.
    pub service_time: Duration,
}

/// What an attempt gave.
#[derive(Debug)]
pub(crate) struct Success {
    pub part: Part,
    pub headers: Headers,
}

/// Give up attempts: nobody waits for them.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Abort(pub Vec<AttemptId>);

/// Requests that want a twin if they have not ended by then.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Watch(pub Vec<Watched>);

/// One request to watch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watched {
    pub key: RequestKey,
    pub started: Instant,
    pub plan: HedgePlan,
    /// The requests of the operation, from which its budget follows.
    pub requests: usize,
}

/// Requests, or whole operations, that need no watching any more, and twins that were not sent.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Settled(pub Vec<Settlement>);

/// What ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Settlement {
    /// A request; `time` says how long the attempt took that succeeded.
    Request {
        key: RequestKey,
        time: Option<Duration>,
    },
    /// A twin that was called for, and not sent: what was spent on it is refunded.
    Unsent(RequestKey),
    /// An operation with all its requests.
    Operation(OperationId),
}

/// Requests whose twin is due.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Due(pub Vec<RequestKey>);

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

/// How far an operation is.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Inspect {
    pub id: OperationId,
    pub reply: ReplyPort<Progress>,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Inputs whose requests have ended.
    pub done: usize,
    /// Inputs of the operation.
    pub total: usize,
    /// Since the operation began.
    pub elapsed: Duration,
}

impl Progress {
    /// Inputs a second, from the beginning to now.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            self.done as f64 / seconds
        } else {
            0.0
        }
    }
}

/// What happened in one turn of the Dispatcher.
#[derive(Message, Debug, Default, PartialEq, Eq)]
#[rtype(result = "()")]
pub(crate) struct Observed {
    pub operations: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub attempts: u64,
    pub retries: u64,
    pub hedges: u64,
    pub hedges_won: u64,
    pub attempts_failed: u64,
    pub attempts_aborted: u64,
    /// The service time of each attempt that succeeded.
    pub service_times: Vec<Duration>,
}

/// The turn is over: send what was collected.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Flush;

/// Something in the actor's schedule is due.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Tick;

/// Stop the system; the port is answered when no Worker is left.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Shutdown(pub Option<ReplyPort<()>>);

/// Stop an actor.
#[derive(Message, Clone, Copy)]
#[rtype(result = "()")]
pub(crate) struct Stop;

/// A Worker has stopped, or died.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct WorkerGone {
    pub worker: usize,
    /// Tells a Worker from the one that took its place.
    pub generation: u64,
}

/// No Worker is left.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Ended;
