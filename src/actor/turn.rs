//! What the Dispatcher knows beside its operations, and what one of its turns gives others to do,
//! collected until it ends.

use super::hedger::{Settlement, Watched};
use super::messages::{Attempt, AttemptId, RequestKey};
use super::metrics::Observed;
use crate::error::Error;
use crate::job::{End, Gather, Job};
use crate::policy::encoding::EncodingMemory;
use crate::policy::limit::EndpointLimits;
use crate::policy::pieces::Requests;
use crate::policy::shape::ShapeMemory;
use crate::policy::split::Limits;
use crate::transport::Head;
use rustc_hash::FxHashMap;
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
    /// Endpoints that are paused, and until when.
    pub(super) paused: Vec<(Instant, Arc<str>)>,
    /// A probe that was refused, while others wait for how it ends.
    pub(super) refused_probe: Option<RefusedProbe>,
    /// Operations that ended, whose callers are still to be answered.
    pub(super) endings: Vec<Ending>,
}

/// The request that went first after a pause, in vain.
pub(super) struct RefusedProbe {
    pub(super) key: RequestKey,
    pub(super) head: Arc<Head>,
    /// What the server said.
    pub(super) error: Error,
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

/// What all operations share.
#[derive(Default)]
pub(super) struct Shared {
    endpoints: FxHashMap<Arc<str>, EndpointLimits>,
    encodings: EncodingMemory,
    pub(super) shapes: ShapeMemory,
    pub(super) turn: Turn,
}

impl Shared {
    /// The part of it that concerns an operation whose requests go to `origin`.
    pub(super) fn around(&mut self, origin: &Arc<str>, now: Instant) -> Surroundings<'_> {
        let endpoint = self.endpoints.entry(Arc::clone(origin));
        Surroundings {
            now,
            endpoint: endpoint.or_insert_with(|| EndpointLimits::new(now)),
            encodings: &mut self.encodings,
            shapes: &mut self.shapes,
            turn: &mut self.turn,
        }
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
    pub(super) encodings: &'a mut EncodingMemory,
    pub(super) shapes: &'a mut ShapeMemory,
    pub(super) turn: &'a mut Turn,
}
