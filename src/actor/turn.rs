//! What the Dispatcher knows beside its operations, and what one of its turns gives others to do,
//! collected until it ends.

use super::hedger::{Settlement, Watched};
use super::messages::{Attempt, AttemptId, RequestKey};
use super::metrics::Observed;
use crate::caller::OperationId;
use crate::error::Error;
use crate::job::{End, Gather, Job};
use crate::policy::encoding::EncodingMemory;
use crate::policy::limit::EndpointLimits;
use crate::policy::pieces::Requests;
use crate::policy::shape::ShapeMemory;
use crate::policy::split::Limits;
use crate::transport::{Account, Head};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What one turn of the Dispatcher gives others to do.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) assign: Vec<Attempt>,
    pub(super) abort: Vec<AttemptId>,
    pub(super) watch: Vec<Watched>,
    pub(super) settled: Vec<Settlement>,
    /// Requests to be sent again, and when.
    pub(super) pauses: Vec<(Instant, RequestKey)>,
    pub(super) observed: Observed,
    /// Endpoints that take no more for now, and when they are to be asked again.
    pub(super) ask_again: Vec<(Instant, Arc<Account>)>,
    /// Endpoints at which operations wait in line, and something ended.
    pub(super) moved: Vec<Arc<Account>>,
    /// An endpoint at which nothing gets through.
    pub(super) outage: Option<Outage>,
    /// Operations that ended, whose callers are still to be answered.
    pub(super) endings: Vec<Ending>,
}

/// A request went in vain, and with it all who wait for its endpoint.
pub(super) struct Outage {
    pub(super) head: Arc<Head>,
    /// What the server said, or why it could not be reached.
    pub(super) error: Error,
    /// The server is there, and refuses.
    pub(super) refused: bool,
}

impl Outage {
    /// Whether it tells those who ask with `head` anything. A server may refuse one path and not
    /// another; where it is not reached, that is so for all.
    pub(super) fn concerns(&self, head: &Head) -> bool {
        let same = self.head.account == head.account;
        same && (!self.refused || self.head.url == head.url)
    }
}

/// The end of an operation.
pub(super) struct Ending {
    pub(super) gather: Box<dyn Gather>,
    pub(super) end: End,
    pub(super) requests: Option<Requests>,
    pub(super) total_time: Duration,
}

impl Ending {
    pub(super) fn deliver(self) {
        self.gather
            .finish(self.end, self.requests.as_ref(), self.total_time);
    }
}

/// Twice as many endpoints are remembered before the idle ones are forgotten: a service that has a key
/// for each of its users has many.
const MOST_IDLE: usize = 1024;

/// What all operations share.
#[derive(Default)]
pub(super) struct Shared {
    endpoints: FxHashMap<Arc<Account>, Endpoint>,
    /// So many were left when the idle ones were forgotten last.
    in_use: usize,
    encodings: EncodingMemory,
    pub(super) shapes: ShapeMemory,
    pub(super) turn: Turn,
}

/// What is known of an endpoint, and who waits for room there.
struct Endpoint {
    limits: EndpointLimits,
    line: VecDeque<OperationId>,
}

impl Endpoint {
    fn new(now: Instant) -> Self {
        Self {
            limits: EndpointLimits::new(now),
            line: VecDeque::new(),
        }
    }
}

impl Shared {
    /// The part of it that concerns an operation whose requests go to `account`.
    pub(super) fn around(&mut self, account: &Arc<Account>, now: Instant) -> Surroundings<'_> {
        let endpoint = self.endpoints.entry(Arc::clone(account));
        let endpoint = endpoint.or_insert_with(|| Endpoint::new(now));
        Surroundings {
            now,
            endpoint: &mut endpoint.limits,
            line: &mut endpoint.line,
            encodings: &mut self.encodings,
            shapes: &mut self.shapes,
            turn: &mut self.turn,
        }
    }

    /// Forgets endpoints that are idle, each time that there are twice as many as were left.
    pub(super) fn forget_idle(&mut self, now: impl FnOnce() -> Instant) {
        if self.endpoints.len() <= 2 * self.in_use.max(MOST_IDLE) {
            return;
        }
        let now = now();
        let idle = self.endpoints.extract_if(|_, endpoint| {
            let is_awaited = !endpoint.line.is_empty();
            !is_awaited && endpoint.limits.is_idle(now)
        });
        let forgotten = &mut self.turn.observed.forgotten;
        forgotten.extend(idle.map(|(account, _)| account));
        self.in_use = self.endpoints.len();
    }
}

/// What bounds a request of an operation: its own limits, and what its server is known to take.
pub(super) fn limits_of(job: &Job, shapes: &ShapeMemory) -> Limits {
    let operation = &job.operation;
    let own = job.settings.limits;
    let nothing_to_add = own.max_bytes.is_none() && shapes.is_empty();
    if nothing_to_add || !operation.can_be_cut() {
        return own;
    }
    let mut limits = shapes.of(&operation.head().url).narrow(own);
    // What is weighed are the inputs.
    let frame = operation.frame_bytes();
    limits.max_bytes = limits.max_bytes.map(|most| most.saturating_sub(frame));
    limits
}

/// Uniform in 0 to 1, anew each time.
pub(super) fn jitter() -> f64 {
    rand::random()
}

/// What the Dispatcher knows beside its operations, as a flight is shown it.
pub(super) struct Surroundings<'a> {
    pub(super) now: Instant,
    /// The endpoint's limits, which all operations that go there share.
    pub(super) endpoint: &'a mut EndpointLimits,
    /// The operations that wait for room at the endpoint: each starts one request in its turn.
    pub(super) line: &'a mut VecDeque<OperationId>,
    pub(super) encodings: &'a mut EncodingMemory,
    pub(super) shapes: &'a mut ShapeMemory,
    pub(super) turn: &'a mut Turn,
}

impl Surroundings<'_> {
    /// Has whoever waits for room at the endpoint asked again when the turn ends.
    pub(super) fn line_may_move(&mut self, account: &Arc<Account>) {
        if !self.line.is_empty() && !self.turn.moved.contains(account) {
            self.turn.moved.push(Arc::clone(account));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_that_are_idle_are_forgotten_and_those_in_use_are_not() {
        let start = Instant::now();
        let mut shared = Shared::default();
        let account = |key: u32| Arc::new(Account::new(&format!("http://host{key}"), &[]));
        let kept = account(u32::MAX);
        shared.around(&kept, start).endpoint.sent();
        for key in 0..20_000 {
            let now = start + Duration::from_millis(key.into());
            shared.around(&account(key), now);
            shared.forget_idle(|| now);
            assert!(shared.endpoints.len() <= 2 * MOST_IDLE + 1);
        }
        let kept = shared.around(&kept, start);
        assert!(!kept.endpoint.is_idle(start), "it was forgotten");
    }
}
