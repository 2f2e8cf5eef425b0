//! One operation under way: its window, its requests, its retry budget, its caller.
//!
//! A state machine that the Dispatcher drives: what is to be sent is put into the [`Turn`], which
//! the Dispatcher sends when its turn ends.

use super::failure::Failure;
use super::messages::{
    Attempt, AttemptId, Job, Observed, OperationId, Outcome, Progress, RequestKey, Settlement,
    Success, Watched,
};
use crate::error::{Error, Kind, Scope};
use crate::operation::{Gather, RequestRecord};
use crate::policy::budget::Budget;
use crate::policy::encoding::{EncodingMemory, may_refuse_base64};
use crate::policy::retry::{History, Verdict};
use crate::policy::schedule::later;
use crate::policy::split::Plan;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
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
    /// Operations that ended, whose callers are still to be answered.
    pub(super) answers: Vec<Answer>,
}

/// The end of an operation.
pub(super) struct Answer {
    gather: Box<dyn Gather>,
    end: Result<std::time::Duration, Error>,
}

impl Answer {
    pub(super) fn deliver(self) {
        self.gather.finish(self.end);
    }
}

/// An operation under way.
pub(super) struct Flight {
    id: OperationId,
    job: Job,
    trace: Arc<str>,
    submitted: Instant,
    pub(super) deadline: Option<Instant>,
    /// `None` until the BatchPlanner has answered.
    plan: Option<Plan>,
    /// The first request that was never started.
    next: u32,
    /// Requests that were started and have not ended.
    active: HashMap<u32, Active>,
    /// Requests whose pause is over, waiting for a place in the window.
    again: VecDeque<u32>,
    /// Requests that hold a place in the window: those with an attempt in flight.
    in_window: usize,
    ended_requests: usize,
    ended_inputs: usize,
    retry_budget: Budget,
}

/// A request that was started and has not ended.
struct Active {
    started: Instant,
    made: u32,
    /// The attempts in flight: none during a pause, two once hedged.
    running: Running,
    history: History,
    hedged: bool,
    try_base64: bool,
    /// The server refused base64, or may have.
    refused_base64: bool,
}

/// The attempts of one request that are in flight.
#[derive(Default, Clone, Copy)]
struct Running {
    first: Option<u32>,
    twin: Option<u32>,
}

impl Running {
    fn remove(&mut self, attempt: u32) {
        if self.first == Some(attempt) {
            self.first = None;
        }
        if self.twin == Some(attempt) {
            self.twin = None;
        }
    }

    fn iter(self) -> impl Iterator<Item = u32> {
        self.first.into_iter().chain(self.twin)
    }

    fn is_empty(self) -> bool {
        self.first.is_none() && self.twin.is_none()
    }
}

impl Flight {
    pub(super) fn new(id: OperationId, job: Job, trace: Arc<str>, now: Instant) -> Self {
        let deadline = job.settings.total_timeout.map(|total| later(now, total));
        Self {
            id,
            job,
            trace,
            submitted: now,
            deadline,
            plan: None,
            next: 0,
            active: HashMap::new(),
            again: VecDeque::new(),
            in_window: 0,
            ended_requests: 0,
            ended_inputs: 0,
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
        }
    }

    /// The requests are known: the operation can begin.
    pub(super) fn planned(&mut self, plan: Plan) {
        let requests = plan.len();
        self.job.gather.planned(requests);
        self.retry_budget = Budget::of_operation(requests, self.job.settings.retry_budget_share);
        self.plan = Some(plan);
    }

    fn requests(&self) -> usize {
        self.plan.as_ref().map_or(0, Plan::len)
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

    /// Starts requests while the window has room: those that waited for another try first.
    pub(super) fn fill(&mut self, now: Instant, memory: &EncodingMemory, turn: &mut Turn) {
        while self.in_window < self.job.settings.window {
            if let Some(request) = self.again.pop_front() {
                turn.observed.retries += 1;
                self.start(request, now, turn);
            } else if (self.next as usize) < self.requests() {
                let request = self.next;
                self.next += 1;
                let operation = &self.job.operation;
                let open = operation.leaves_encoding_open();
                let active = Active {
                    started: now,
                    made: 0,
                    running: Running::default(),
                    history: History::default(),
                    hedged: false,
                    try_base64: open && memory.asks_base64(&operation.head().url),
                    refused_base64: false,
                };
                self.active.insert(request, active);
                self.start(request, now, turn);
            } else {
                return;
            }
        }
    }

    /// Starts an attempt of a request that has none in flight; it takes a place in the window.
    fn start(&mut self, request: u32, now: Instant, turn: &mut Turn) {
        if let Some(attempt) = self.attempt(request, now, turn)
            && let Some(active) = self.active.get_mut(&request)
        {
            active.running.first = Some(attempt);
            self.in_window += 1;
            if !active.hedged {
                self.watch(request, now, turn);
            }
        }
    }

    /// A slow request gets its twin, which takes no place in the window.
    pub(super) fn hedge(&mut self, request: u32, now: Instant, turn: &mut Turn) {
        let Some(active) = self.active.get_mut(&request) else {
            return;
        };
        if active.hedged || active.running.is_empty() {
            return;
        }
        active.hedged = true;
        turn.observed.hedges += 1;
        let twin = self.attempt(request, now, turn);
        if let Some(active) = self.active.get_mut(&request) {
            active.running.twin = twin;
        }
    }

    fn attempt(&mut self, request: u32, now: Instant, turn: &mut Turn) -> Option<u32> {
        let inputs = self.plan.as_ref()?.range(request as usize);
        let until = later(now, self.job.settings.timeout);
        let until = self.deadline.map_or(until, |deadline| deadline.min(until));
        let key = self.key(request);
        let active = self.active.get_mut(&request)?;
        let attempt = active.made;
        active.made += 1;
        turn.observed.attempts += 1;
        turn.assign.push(Attempt {
            id: AttemptId { key, attempt },
            operation: Arc::clone(&self.job.operation),
            inputs,
            try_base64: active.try_base64,
            until,
            trace: Arc::clone(&self.trace),
        });
        Some(attempt)
    }

    fn watch(&self, request: u32, now: Instant, turn: &mut Turn) {
        if let Some(plan) = self.job.settings.hedge {
            turn.watch.push(Watched {
                key: self.key(request),
                started: now,
                plan,
                requests: self.requests(),
            });
        }
    }

    /// A request's pause is over.
    pub(super) fn resume(&mut self, request: u32) {
        if self.active.contains_key(&request) {
            self.again.push_back(request);
        }
    }

    /// An attempt ended. Says how the operation ends, if it does.
    pub(super) fn outcome(
        &mut self,
        outcome: Outcome,
        jitter: f64,
        memory: &mut EncodingMemory,
        turn: &mut Turn,
    ) -> Option<Result<(), Error>> {
        let AttemptId { key, attempt } = outcome.id;
        let request = key.request;
        let active = self.active.get_mut(&request)?;
        let won_by_twin = active.running.twin == Some(attempt);
        active.running.remove(attempt);
        let failure = match outcome.result {
            Ok(success) => match self.accept(request, success, memory) {
                Ok(()) => {
                    turn.observed.hedges_won += u64::from(won_by_twin);
                    return self.settle(request, turn);
                }
                Err(misfit) => Failure::Misfit(misfit),
            },
            Err(failure) => failure,
        };
        let active = self.active.get_mut(&request)?;
        if !active.running.is_empty() {
            // An error waits for its twin.
            return None;
        }
        self.in_window -= 1;
        self.failed(request, attempt, failure, jitter, turn)
    }

    fn accept(
        &mut self,
        request: u32,
        success: Success,
        memory: &mut EncodingMemory,
    ) -> Result<(), String> {
        let (Some(active), Some(plan)) = (self.active.get(&request), &self.plan) else {
            return Ok(());
        };
        let Success { part, headers } = success;
        if active.refused_base64 || (active.try_base64 && part.came_as_floats()) {
            memory.remember_plain(&self.job.operation.head().url);
        }
        let record = RequestRecord {
            inputs: plan.range(request as usize),
            time: active.started.elapsed(),
            headers,
            attempts: active.made,
        };
        self.job.gather.accept(request as usize, part, record)
    }

    /// A request succeeded: its other attempt is aborted.
    fn settle(&mut self, request: u32, turn: &mut Turn) -> Option<Result<(), Error>> {
        let active = self.active.remove(&request)?;
        self.in_window -= 1;
        let others = active.running.iter();
        turn.abort
            .extend(others.map(|attempt| self.attempt_id(request, attempt)));
        if self.job.settings.hedge.is_some() {
            turn.settled.push(Settlement::Request {
                key: self.key(request),
                hedged: active.hedged,
            });
        }
        turn.observed.succeeded += 1;
        self.ended_requests += 1;
        let plan = self.plan.as_ref()?;
        self.ended_inputs += plan.range(request as usize).len();
        (self.ended_requests == plan.len()).then_some(Ok(()))
    }

    /// A request has no attempt in flight any more: it pauses, or the operation ends with it.
    fn failed(
        &mut self,
        request: u32,
        attempt: u32,
        failure: Failure,
        jitter: f64,
        turn: &mut Turn,
    ) -> Option<Result<(), Error>> {
        let now = Instant::now();
        let key = self.key(request);
        let request_id = format!("{}-{request}-{attempt}", self.trace);
        let active = self.active.get_mut(&request)?;
        if let Failure::Status { code, .. } = failure
            && active.try_base64
            && may_refuse_base64(code)
        {
            log::debug!("{request_id}: answered {code}; asked again without base64");
            active.try_base64 = false;
            active.refused_base64 = true;
            self.start(request, now, turn);
            return None;
        }
        if matches!(failure, Failure::Timeout) && self.deadline.is_some_and(|at| at <= now) {
            return Some(Err(self.deadline_error()));
        }
        let elapsed = now - active.started;
        let policy = &self.job.settings.retry;
        let verdict = policy.decide(failure.fault(), &mut active.history, elapsed, jitter);
        let allowed = match verdict {
            Verdict::GiveUp => None,
            Verdict::Retry { after, charged } => {
                (!charged || self.retry_budget.spend()).then_some(after)
            }
        };
        if let Some(after) = allowed {
            log::debug!("{request_id}: {failure}; again in {after:?}");
            turn.pauses.push((later(now, after), key));
            None
        } else {
            turn.observed.failed += 1;
            let error = failure
                .into_error(self.job.operation.head(), self.job.settings.timeout)
                .with_request_id(&request_id);
            log::debug!("{request_id}: given up: {error}");
            Some(Err(error))
        }
    }

    pub(super) fn deadline_error(&self) -> Error {
        Error::new(Kind::Timeout {
            scope: Scope::Operation,
            after: self.job.settings.total_timeout.unwrap_or_default(),
        })
    }

    /// Ends the operation: nothing of it stays in flight, and its caller is answered.
    pub(super) fn end(self, end: Result<(), Error>, turn: &mut Turn) {
        for (request, active) in &self.active {
            let running = active.running.iter();
            turn.abort
                .extend(running.map(|attempt| self.attempt_id(*request, attempt)));
        }
        if self.job.settings.hedge.is_some() {
            turn.settled.push(Settlement::Operation(self.id));
        }
        if let Some(token) = &self.job.settings.cancel_token {
            token.forget(self.id);
        }
        turn.observed.operations += 1;
        turn.answers.push(Answer {
            end: end.map(|()| self.submitted.elapsed()),
            gather: self.job.gather,
        });
    }
}
