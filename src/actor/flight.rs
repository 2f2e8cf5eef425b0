//! One operation under way: its window, its requests, its retry budget, its caller.
//!
//! A state machine that the Dispatcher drives: what is to be sent is put into the [`Turn`], which
//! the Dispatcher sends when its turn ends.

use super::active::Active;
use super::failure::Failure;
use super::messages::{
    Attempt, AttemptId, Job, OperationId, Outcome, Progress, RequestKey, Settlement, Success,
    Watched,
};
use super::turn::{Answer, Surroundings};
use crate::config::OnError;
use crate::error::{Error, Kind, Scope};
use crate::operation::{End, RequestError, RequestRecord};
use crate::policy::budget::Budget;
use crate::policy::encoding::may_refuse_base64;
use crate::policy::limit::Admission;
use crate::policy::retry::{Charge, Verdict, asks_for_a_pause};
use crate::policy::schedule::later;
use crate::policy::split::Plan;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

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

    /// Whom its requests go to.
    pub(super) fn origin(&self) -> &Arc<str> {
        &self.job.operation.head().origin
    }

    /// The requests are known: the operation can begin.
    pub(super) fn planned(&mut self, plan: Plan) {
        self.job.gather.planned(&plan);
        let share = self.job.settings.retry_budget_share;
        self.retry_budget = Budget::of_operation(plan.len(), share);
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

    /// Starts requests while the window has room and the endpoint's gate is open: those that
    /// waited for another try first.
    pub(super) fn fill(&mut self, around: &mut Surroundings<'_>) {
        while self.in_window < self.job.settings.window && self.has_waiting() {
            let probing = match around.endpoint.gate.admit(around.now) {
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
        !self.again.is_empty() || (self.next as usize) < self.requests()
    }

    /// The request that is to be started next: one that was tried before, or else a new one.
    fn next_waiting(&mut self, around: &mut Surroundings<'_>) -> u32 {
        if let Some(request) = self.again.pop_front() {
            around.turn.observed.retries += 1;
            return request;
        }
        let request = self.next;
        self.next += 1;
        around.endpoint.refusals.request(around.now);
        let operation = &self.job.operation;
        let open = operation.leaves_encoding_open();
        let try_base64 = open && around.encodings.asks_base64(&operation.head().url);
        self.active
            .insert(request, Active::new(around.now, try_base64));
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

    /// A slow request gets its twin, which takes no place in the window.
    pub(super) fn hedge(&mut self, request: u32, around: &mut Surroundings<'_>) {
        let Some(active) = self.active.get_mut(&request) else {
            return;
        };
        if active.hedged || active.running.is_empty() || !around.endpoint.gate.is_open() {
            return;
        }
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
            try_base64: active.try_base64,
            until,
            trace: Arc::clone(&self.trace),
        });
        Some(attempt)
    }

    fn watch(&self, request: u32, around: &mut Surroundings<'_>) {
        if let Some(plan) = self.job.settings.hedge {
            around.turn.watch.push(Watched {
                key: self.key(request),
                started: around.now,
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
        around: &mut Surroundings<'_>,
    ) -> Option<End> {
        let AttemptId { key, attempt } = outcome.id;
        let request = key.request;
        let active = self.active.get_mut(&request)?;
        let won_by_twin = active.running.twin == Some(attempt);
        active.running.remove(attempt);
        self.tell_gate(request, outcome.result.as_ref().err(), around);
        let failure = match outcome.result {
            Ok(success) => match self.accept(request, success, around) {
                Ok(()) => {
                    around.turn.observed.hedges_won += u64::from(won_by_twin);
                    around.turn.observed.succeeded += 1;
                    return self.settle(request, outcome.service_time, around);
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
        self.failed(request, attempt, failure, around)
    }

    /// What an attempt's end means to the endpoint's gate.
    fn tell_gate(
        &mut self,
        request: u32,
        failure: Option<&Failure>,
        around: &mut Surroundings<'_>,
    ) {
        let Some(active) = self.active.get_mut(&request) else {
            return;
        };
        let probing = std::mem::take(&mut active.probing);
        let gate = &mut around.endpoint.gate;
        match failure {
            Some(Failure::Status {
                code, retry_after, ..
            }) if asks_for_a_pause(*code) => {
                let initial = self.job.settings.retry.initial_backoff;
                gate.refused(around.now, *retry_after, initial, around.jitter);
            }
            // Whatever the server answered, it was not "too much".
            None | Some(Failure::Status { .. } | Failure::Decode(_)) if probing => {
                gate.probe_passed();
            }
            Some(_) if probing => gate.probe_lost(around.now),
            _ => {}
        }
    }

    fn accept(
        &mut self,
        request: u32,
        success: Success,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        let (Some(active), Some(plan)) = (self.active.get(&request), &self.plan) else {
            return Ok(());
        };
        let Success { part, headers } = success;
        if active.refused_base64 || (active.try_base64 && part.came_as_floats()) {
            let url = &self.job.operation.head().url;
            around.encodings.remember_plain(url);
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
    fn settle(
        &mut self,
        request: u32,
        time: Duration,
        around: &mut Surroundings<'_>,
    ) -> Option<End> {
        self.in_window -= 1;
        let active = self.active.get(&request)?;
        // Of a hedged pair the winner's own time would make slow requests look fast.
        let time = if active.hedged {
            around.now - active.started
        } else {
            time
        };
        self.close(request, Some(time), around)
    }

    /// A request has ended, in success or for good, and nothing of it stays in flight.
    fn close(
        &mut self,
        request: u32,
        time: Option<Duration>,
        around: &mut Surroundings<'_>,
    ) -> Option<End> {
        let active = self.active.remove(&request)?;
        let others = active.running.iter();
        around
            .turn
            .abort
            .extend(others.map(|attempt| self.attempt_id(request, attempt)));
        if self.job.settings.hedge.is_some() {
            around.turn.settled.push(Settlement::Request {
                key: self.key(request),
                hedged: active.hedged,
                time,
            });
        }
        let plan = self.plan.as_ref()?;
        self.ended_requests += 1;
        self.ended_inputs += plan.range(request as usize).len();
        (self.ended_requests == plan.len()).then_some(End::Done)
    }

    /// A request has no attempt in flight any more: it is tried again, or has failed for good.
    fn failed(
        &mut self,
        request: u32,
        attempt: u32,
        failure: Failure,
        around: &mut Surroundings<'_>,
    ) -> Option<End> {
        let now = around.now;
        let request_id = format!("{}-{request}-{attempt}", self.trace);
        let active = self.active.get_mut(&request)?;
        if let Failure::Status { code, .. } = failure
            && active.try_base64
            && may_refuse_base64(code)
        {
            log::debug!("{request_id}: answered {code}; asked again without base64");
            active.try_base64 = false;
            active.refused_base64 = true;
            self.start(request, around);
            return None;
        }
        if matches!(failure, Failure::Timeout) && self.deadline.is_some_and(|at| at <= now) {
            return Some(self.deadline_end());
        }
        let policy = &self.job.settings.retry;
        let elapsed = now - active.started;
        let fault = failure.fault();
        match policy.decide(fault, &mut active.history, elapsed, around.jitter) {
            Verdict::Retry { after, charge } if self.can_pay(charge, around) => {
                log::debug!("{request_id}: {failure}; again in {after:?}");
                if after.is_zero() {
                    self.again.push_back(request);
                } else {
                    let key = self.key(request);
                    around.turn.pauses.push((later(now, after), key));
                }
                None
            }
            _ => self.give_up(request, &request_id, failure, around),
        }
    }

    fn can_pay(&mut self, charge: Charge, around: &mut Surroundings<'_>) -> bool {
        match charge {
            Charge::Free => true,
            Charge::Operation => self.retry_budget.spend(),
            Charge::Endpoint => around.endpoint.refusals.spend(around.now),
        }
    }

    fn give_up(
        &mut self,
        request: u32,
        request_id: &str,
        failure: Failure,
        around: &mut Surroundings<'_>,
    ) -> Option<End> {
        log::debug!("{request_id}: given up: {failure}");
        around.turn.observed.failed += 1;
        let error = failure
            .into_error(self.job.operation.head(), self.job.settings.timeout)
            .with_request_id(request_id);
        let inputs = self.plan.as_ref()?.range(request as usize);
        self.job.gather.failed(RequestError {
            inputs,
            error: error.clone(),
        });
        let ended = self.close(request, None, around);
        match self.job.settings.on_error {
            OnError::Raise => Some(End::Failed(error)),
            OnError::Return => ended,
        }
    }

    /// How the operation ends at its deadline.
    pub(super) fn deadline_end(&self) -> End {
        let error = Error::new(Kind::Timeout {
            scope: Scope::Operation,
            after: self.job.settings.total_timeout.unwrap_or_default(),
        });
        match self.job.settings.on_error {
            OnError::Raise => End::Failed(error),
            OnError::Return => End::CutShort(error),
        }
    }

    /// Ends the operation: nothing of it stays in flight, and its caller is answered.
    pub(super) fn end(self, end: End, around: &mut Surroundings<'_>) {
        for (request, active) in &self.active {
            let running = active.running.iter();
            around
                .turn
                .abort
                .extend(running.map(|attempt| self.attempt_id(*request, attempt)));
            if active.probing {
                around.endpoint.gate.probe_lost(around.now);
            }
        }
        if self.job.settings.hedge.is_some() {
            around.turn.settled.push(Settlement::Operation(self.id));
        }
        if let Some(token) = &self.job.settings.cancel_token {
            token.forget(self.id);
        }
        around.turn.observed.operations += 1;
        around.turn.answers.push(Answer {
            gather: self.job.gather,
            end,
            total_time: self.submitted.elapsed(),
        });
    }
}
