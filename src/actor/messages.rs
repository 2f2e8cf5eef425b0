//! The messages that pass between actors: all of them in the table, and those that pass through two
//! actors or more. Any other stands above its handler, but for [`Cancel`], which tokens send from a
//! floor below.
//!
//! | message | sender | handler | reply | bound of the mailbox |
//! |---|---|---|---|---|
//! | [`Submit`] | facade, harness | Dispatcher | by the job's port | a million operations, at the [`Entrance`] |
//! | [`MakePlan`] | Dispatcher | BatchPlanner | [`Planned`] | operations |
//! | [`Planned`] | BatchPlanner | Dispatcher | | operations |
//! | [`Assign`] | Dispatcher, WorkerPool | WorkerPool, Worker | [`Report`], [`Finished`] | the windows of all operations |
//! | [`Report`] | Worker | WorkerPool | | as `Assign` |
//! | [`Finished`] | WorkerPool | Dispatcher | | as `Assign` |
//! | [`Abort`] | Dispatcher, WorkerPool | WorkerPool, Worker | as `Assign` | as `Assign` |
//! | [`Watch`], [`Settled`] | Dispatcher | Hedger | [`Due`] | as `Assign` |
//! | [`Due`] | Hedger | Dispatcher | | as `Assign` |
//! | [`Cancel`], [`Inspect`] | facade, harness, token | Dispatcher | | one or a few a call |
//! | [`EndSeries`] | facade | Dispatcher | | one a stream |
//! | [`Observed`] | Dispatcher | MetricsCollector | | one a turn |
//! | [`Snapshot`] | facade | MetricsCollector | by its port | one a call |
//! | [`Flush`], [`Tick`] | an actor to itself | | | one at a time |
//! | [`Shutdown`] | system | Dispatcher | by its port | a few a system |
//! | [`Stop`] | Dispatcher, WorkerPool | all others | [`WorkerGone`] | one an actor |
//! | [`WorkerGone`] | Worker | WorkerPool | | one a Worker |
//! | [`Ended`] | WorkerPool | Dispatcher | | one a system |
//! | [`Crash`] | a test | WorkerPool, Worker | | one a test |
//!
//! All mailboxes are without a limit of their own: `do_send` ignores one. The last column says what
//! bounds each. A message that holds a list carries all that came up in one turn of its sender:
//! between threads it is the wake-up that costs, not the message.
//!
//! [`Submit`]: super::dispatcher::Submit
//! [`Entrance`]: super::entrance::Entrance
//! [`MakePlan`]: super::planner::MakePlan
//! [`Planned`]: super::dispatcher::Planned
//! [`Report`]: super::pool::Report
//! [`Finished`]: super::dispatcher::Finished
//! [`Watch`]: super::hedger::Watch
//! [`Settled`]: super::hedger::Settled
//! [`Due`]: super::dispatcher::Due
//! [`Cancel`]: crate::caller::Cancel
//! [`Inspect`]: super::dispatcher::Inspect
//! [`EndSeries`]: super::dispatcher::EndSeries
//! [`Observed`]: super::metrics::Observed
//! [`Snapshot`]: super::metrics::Snapshot
//! [`Shutdown`]: super::dispatcher::Shutdown
//! [`WorkerGone`]: super::pool::WorkerGone
//! [`Ended`]: super::dispatcher::Ended

use super::failure::Failure;
use crate::caller::OperationId;
use crate::headers::Headers;
use crate::job::{Operation, Part};
use crate::policy::pace::RateReport;
use crate::transport::Trace;
use actix::Message;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Names a request: its operation, and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RequestKey {
    pub operation: OperationId,
    pub request: u32,
}

/// Names an attempt; attempts of a request are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AttemptId {
    pub key: RequestKey,
    pub attempt: u32,
}

impl AttemptId {
    /// The id by which a server's logs know the attempt. `trace` is the operation's.
    pub(super) fn request_id(self, trace: &Trace) -> String {
        format!("{trace}-{}-{}", self.key.request, self.attempt)
    }
}

/// One try of one request.
#[derive(Clone)]
pub(super) struct Attempt {
    pub id: AttemptId,
    pub operation: Arc<dyn Operation>,
    pub inputs: Range<usize>,
    pub try_base64: bool,
    /// When it is given up: its own timeout, or its operation's deadline where that is earlier.
    pub until: Instant,
    pub trace: Trace,
    /// It goes first, alone, and the head of its answer is told.
    pub probing: bool,
    /// Its request is not made again where it fails on the network.
    pub last_try: bool,
}

/// Carry out attempts: all that became due in one turn of the sender.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Assign(pub Vec<Attempt>);

/// How an attempt ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub id: AttemptId,
    pub(super) result: Result<Success, Failure>,
    /// From the start of the attempt to its end.
    pub service_time: Duration,
}

/// What an attempt gave.
#[derive(Debug)]
pub(super) struct Success {
    pub part: Part,
    pub headers: Headers,
    /// What the headers say of the server's rates.
    pub rates: Option<Box<RateReport>>,
}

/// Give up attempts: nobody waits for them.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Abort(pub Vec<AttemptId>);

/// The turn is over: send what was collected.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Flush;

/// Something in the actor's schedule is due.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Tick;

/// Stop an actor.
#[derive(Message, Clone, Copy)]
#[rtype(result = "()")]
pub(super) struct Stop;

/// Panic. Tests see by it what follows from a Worker's death, which nothing that a transport or a
/// server does brings about.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Crash(pub(crate) usize);
