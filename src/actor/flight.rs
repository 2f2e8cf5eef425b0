//! One operation under way: its window, its requests, its retry budget, its caller.
//!
//! A state machine that the Dispatcher drives: what is to be sent is put into the [`Turn`], which
//! the Dispatcher sends when its turn ends.

mod outcome;

mod pieces;

use super::entrance::Permit;
use super::hedger::{Settlement, Watched};
use super::messages::{Attempt, AttemptId, RequestKey};
use super::request::{ActiveRequest, Base64};
use super::turn::Surroundings;
use crate::caller::{OperationId, Progress};
use crate::job::Job;
use crate::policy::budget::Budget;
use crate::policy::limit::Admission;
use crate::policy::pieces::Requests;
use crate::policy::retry::GateTerms;
use crate::policy::split::Plan;
use crate::policy::timers::later;
use crate::transport::Trace;
use pieces::Pieces;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Progress is told at most so often, and at the end.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// An operation under way.
pub(super) struct Flight {
    id: OperationId,
    job: Job,
    /// Held until the operation has ended.
    _permit: Permit,
    /// On which terms it waits at its endpoint's gate, if it does.
    gate_terms: Option<GateTerms>,
    trace: Trace,
    submitted: Instant,
    pub(super) deadline: Option<Instant>,
    /// `None` until the BatchPlanner has answered.
    plan: Option<Requests>,
    /// The first planned request that was never started.
    next: u32,
    pieces: Pieces,
    /// Requests that were started and have not ended.
    active: FxHashMap<u32, ActiveRequest>,
    /// Requests whose pause is over, waiting for a place in the window.
    again: VecDeque<u32>,
    /// Requests that hold a place in the window: those with an attempt in flight.
    in_window: usize,
    ended_requests: usize,
    ended_inputs: usize,
    progress_due: Instant,
    retry_budget: Budget,
}

impl Flight {
    pub(super) fn new(
        id: OperationId,
        (job, permit): (Job, Permit),
        trace: Trace,
        now: Instant,
    ) -> Self {
        let whole = || job.settings.total_timeout.map(|total| later(now, total));
        let deadline = job.deadline.or_else(whole);
        Self {
            id,
            gate_terms: job.settings.retry.at_the_gate(),
            job,
            _permit: permit,
            trace,
            submitted: now,
            deadline,
            plan: None,
            next: 0,
            pieces: Pieces::default(),
            active: FxHashMap::default(),
            again: VecDeque::new(),
            in_window: 0,
            ended_requests: 0,
            ended_inputs: 0,
            progress_due: now,
            retry_budget: Budget::of_operation(0, 0.0),
        }
    }

    pub(super) fn job(&self) -> &Job {
        &self.job
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            done: self.ended_inputs,
            total: self.job.operation.inputs(),
            elapsed: self.submitted.elapsed(),
        }
    }

    /// Tells whoever listens; one who is gone does not mind.
    fn tell_progress(&self) {
        if let Some(listener) = &self.job.progress {
            listener.send_replace(self.progress());
        }
    }

    /// Whom its requests go to.
    pub(super) fn origin(&self) -> &Arc<str> {
        &self.job.operation.head().origin
    }

    /// It is planned by the shapes of this version.
    pub(super) fn planned_by(&mut self, shapes: u32) {
        self.pieces.shapes = shapes;
    }

    /// The requests are known: the operation can begin.
    pub(super) fn planned(&mut self, plan: Plan) {
        self.job.gather.planned(plan.len());
        let share = self.job.settings.retry_budget_share;
        self.retry_budget = Budget::of_operation(plan.len(), share);
        self.plan = Some(Requests::new(plan));
    }

    fn planned_requests(&self) -> usize {
        self.plan.as_ref().map_or(0, Requests::planned)
    }

    fn key(&self, request: u32) -> RequestKey {
        RequestKey {
            operation: self.id,
            request,
        }
    }

    fn attempt_id(&self, request: u32, attempt: u32) -> AttemptId {
        AttemptId {
            key: self.key(request),
            attempt,
        }
    }

    /// Starts requests while the window has room and the endpoint's gate is open: those that
    /// waited for another try first.
    pub(super) fn fill(&mut self, around: &mut Surroundings<'_>) {
        while self.in_window < self.job.settings.window && self.has_waiting() {
            let admission = if self.gate_terms.is_some() {
                around.endpoint.gate.admit(around.now)
            } else {
                Admission::Go
            };
            let probing = match admission {
                Admission::Go => false,
                Admission::GoAsProbe => true,
                Admission::WaitUntil(until) => {
                    let origin = Arc::clone(self.origin());
                    around.turn.paused.push((until, origin));
                    return;
                }
                // Its end lets the others go on.
                Admission::WaitForProbe => return,
            };
            let request = self.next_waiting(around);
            if let Some(active) = self.active.get_mut(&request) {
                active.probing = probing;
            }
            self.start(request, around);
        }
    }

    fn has_waiting(&self) -> bool {
        !self.again.is_empty() || self.has_unstarted()
    }

    /// The request that is to be started next: one that was tried before, or else a new one.
    fn next_waiting(&mut self, around: &mut Surroundings<'_>) -> u32 {
        if let Some(request) = self.again.pop_front() {
            around.turn.observed.retries += 1;
            return request;
        }
        let request = self.next_unstarted(around);
        around.endpoint.refusals.request(around.now);
        let operation = &self.job.operation;
        let open = operation.leaves_encoding_open();
        let try_base64 = open && around.encodings.asks_base64(&operation.head().url);
        let active = self.begin(request, try_base64, around);
        self.active.insert(request, active);
        request
    }

    /// Starts an attempt of a request that has none in flight; it takes a place in the window.
    fn start(&mut self, request: u32, around: &mut Surroundings<'_>) {
        if let Some(attempt) = self.attempt(request, around)
            && let Some(active) = self.active.get_mut(&request)
        {
            active.running.first = Some(attempt);
            self.in_window += 1;
            if !active.hedged {
                self.watch(request, around);
            }
        }
    }

    /// A slow request gets its twin, which takes no place in the window. The Hedger has paid for
    /// it, and is told where it is not sent: no other message of the two says so, since a retry may
    /// cross the call for a twin.
    pub(super) fn hedge(&mut self, request: u32, around: &mut Surroundings<'_>) {
        let gate_is_open = around.endpoint.gate.is_open();
        let wanted = self.active.get_mut(&request).filter(|active| {
            let takes_one = !active.hedged && !active.running.is_empty();
            takes_one && gate_is_open
        });
        let Some(active) = wanted else {
            let unsent = Settlement::Unsent(self.key(request));
            around.turn.settled.push(unsent);
            return;
        };
        active.hedged = true;
        around.turn.observed.hedges += 1;
        let twin = self.attempt(request, around);
        if let Some(active) = self.active.get_mut(&request) {
            active.running.twin = twin;
        }
    }

    fn attempt(&mut self, request: u32, around: &mut Surroundings<'_>) -> Option<u32> {
        let inputs = self.plan.as_ref()?.range(request as usize);
        let until = later(around.now, self.job.settings.timeout);
        let until = self.deadline.map_or(until, |deadline| deadline.min(until));
        let key = self.key(request);
        let active = self.active.get_mut(&request)?;
        let attempt = active.made;
        active.made += 1;
        around.turn.observed.attempts += 1;
        around.turn.assign.push(Attempt {
            id: AttemptId { key, attempt },
            operation: Arc::clone(&self.job.operation),
            inputs,
            try_base64: active.base64 == Base64::Tried,
            until,
            trace: self.trace.clone(),
        });
        Some(attempt)
    }

    fn watch(&self, request: u32, around: &mut Surroundings<'_>) {
        if let Some(plan) = self.job.settings.hedge {
            around.turn.watch.push(Watched {
                key: self.key(request),
                started: around.now,
                plan,
                requests: self.planned_requests(),
            });
        }
    }

    /// A request's pause is over.
    pub(super) fn resume(&mut self, request: u32) {
        if self.active.contains_key(&request) {
            self.again.push_back(request);
        }
    }
}
