//! One operation under way: its window, its requests, its retry budget, its caller.
//!
//! A state machine that the Dispatcher drives: what is to be sent is put into the [`Turn`], which
//! the Dispatcher sends when its turn ends.

mod outcome;

mod pieces;

use super::entrance::Permit;
use super::hedger::{Hedge, Settlement, Watched};
use super::messages::{Attempt, AttemptId, RequestKey};
use super::request::{ActiveRequest, Base64};
use super::turn::Surroundings;
use crate::caller::{HeldBack, OperationId, Progress};
use crate::job::Job;
use crate::policy::budget::Budget;
use crate::policy::limit::Admission;
use crate::policy::pace::{Hold, Pace};
use crate::policy::pieces::Requests;
use crate::policy::retry::GateTerms;
use crate::policy::split::Plan;
use crate::policy::timers::later;
use crate::policy::tokens::estimate;
use crate::transport::{Account, Trace};
use pieces::Pieces;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// An endpoint that lets nothing through for less is not held to be away.
const WORTH_A_WORD: Duration = Duration::from_secs(1);

/// Progress is told at most so often, and at the end.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// What an operation did with its turn in an endpoint's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    /// It started a request, and may want another.
    Went,
    /// The endpoint has no room.
    Waits,
    /// A rate of its own holds it, and not the endpoint.
    Held,
    /// It has nothing to start, and left the line.
    NeedsNone,
}

/// An operation under way.
pub(super) struct Flight {
    id: OperationId,
    job: Job,
    /// Held until the operation has ended.
    _permit: Permit,
    /// On which terms it waits at its endpoint's gate, if it does.
    gate_terms: Option<GateTerms>,
    /// A hash of the URL.
    path: u64,
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
    /// It waits in its endpoint's line.
    in_line: bool,
    /// The tokens of the request that is to be started next, where they count.
    weighed: Option<(u32, f64)>,
    /// The rate that held it last.
    pace: Option<Pace>,
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
            path: FxBuildHasher.hash_one(&job.operation.head().url),
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
            in_line: false,
            weighed: None,
            pace: None,
            ended_requests: 0,
            ended_inputs: 0,
            progress_due: now,
            retry_budget: Budget::of_operation(0, 0.0),
        }
    }

    pub(super) fn job(&self) -> &Job {
        &self.job
    }

    pub(super) fn progress(&self, around: &Surroundings<'_>) -> Progress {
        Progress {
            done: self.ended_inputs,
            total: self.job.operation.inputs(),
            elapsed: self.submitted.elapsed(),
            held_back: self.held_back(around),
        }
    }

    fn held_back(&self, around: &Surroundings<'_>) -> Option<HeldBack> {
        let state = self.gate_terms.map(|_| around.endpoint.state())?;
        if let Some(closed) = state.closed_since {
            let since = around.now.saturating_duration_since(closed);
            if since >= WORTH_A_WORD {
                return Some(HeldBack::Closed { since });
            }
        }
        if let Some(pace) = self.pace {
            return Some(HeldBack::Paced {
                per_minute: pace.whole_per_minute(),
                tokens: pace.tokens,
            });
        }
        let of = self.job.settings.window;
        let window = state.window.filter(|window| *window < of)?;
        Some(HeldBack::Window {
            window,
            of,
            refused: state.refused,
            served: state.served,
        })
    }

    /// Tells whoever listens; one who is gone does not mind.
    fn tell_progress(&self, around: &Surroundings<'_>) {
        if let Some(listener) = &self.job.progress {
            listener.send_replace(self.progress(around));
        }
    }

    /// Whom its requests go to.
    pub(super) fn account(&self) -> &Arc<Account> {
        &self.job.operation.head().account
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

    /// A request as the Hedger knows it.
    fn as_hedge(&self, request: u32) -> Hedge {
        Hedge {
            key: self.key(request),
            series: self.series(),
        }
    }

    /// The operations that hedge as one with it.
    fn series(&self) -> OperationId {
        self.job.series.unwrap_or(self.id)
    }

    fn attempt_id(&self, request: u32, attempt: u32) -> AttemptId {
        AttemptId {
            key: self.key(request),
            attempt,
        }
    }

    /// Starts requests while the window has room. Where the endpoint has none, or others were there
    /// before, it waits in line for its turns.
    pub(super) fn fill(&mut self, around: &mut Surroundings<'_>) {
        while !self.in_line && self.wants_more(around.now) {
            let passes_by = self.gate_terms.is_none();
            let first = passes_by || around.line.is_empty();
            if first && self.start_next(around) == Turned::Went {
                continue;
            }
            self.in_line = true;
            around.line.push_back(self.id);
        }
        if self.in_line {
            around.line_may_move(self.account());
        }
    }

    /// Its turn has come in its endpoint's line.
    pub(super) fn take_turn(&mut self, around: &mut Surroundings<'_>) -> Turned {
        self.in_line = self.wants_more(around.now);
        if self.in_line {
            self.start_next(around)
        } else {
            Turned::NeedsNone
        }
    }

    /// Nothing is started once the deadline has passed, whose timer may still be on its way.
    fn wants_more(&self, now: Instant) -> bool {
        let in_time = self.deadline.is_none_or(|deadline| now < deadline);
        in_time && self.in_window < self.job.settings.window && self.has_waiting()
    }

    fn has_waiting(&self) -> bool {
        !self.again.is_empty() || self.has_unstarted()
    }

    /// Starts the next request, if the endpoint lets it.
    fn start_next(&mut self, around: &mut Surroundings<'_>) -> Turned {
        let probing = match self.admitted(around) {
            Ok(probing) => probing,
            Err(waits) => return waits,
        };
        let is_new = self.again.is_empty();
        let request = self.next_waiting(around);
        if is_new {
            around.endpoint.refusals.request(around.now);
        } else {
            around.turn.observed.retries += 1;
        }
        let weighed = self
            .weighed
            .take()
            .filter(|(weighed, _)| *weighed == request);
        if let Some(active) = self.active.get_mut(&request) {
            active.probing = probing;
            active.tokens = active.tokens.or(weighed.map(|(_, tokens)| tokens));
        }
        self.start(request, around);
        Turned::Went
    }

    /// Whether the endpoint takes one more: as its probe, or as any other.
    fn admitted(&mut self, around: &mut Surroundings<'_>) -> Result<bool, Turned> {
        if self.gate_terms.is_none() {
            return Ok(false);
        }
        let (until, waits) = match around.endpoint.admit(around.now) {
            Admission::GoAsProbe => return Ok(true),
            Admission::Wait(until) => {
                self.pace = None;
                (until, Turned::Waits)
            }
            Admission::Go => match self.paced(around) {
                Ok(()) => {
                    self.pace = self.pace.filter(|_| self.in_line);
                    return Ok(false);
                }
                Err(Hold {
                    until,
                    by_call,
                    pace,
                }) => {
                    self.pace = Some(pace);
                    let waits = if by_call { Turned::Held } else { Turned::Waits };
                    (Some(until), waits)
                }
            },
        };
        let again = until.map(|at| (at, Arc::clone(self.account())));
        around.turn.ask_again.extend(again);
        Err(waits)
    }

    /// Whether the next request is slow enough behind those before it.
    fn paced(&mut self, around: &mut Surroundings<'_>) -> Result<(), Hold> {
        let rates = self.job.settings.rates;
        let mut tokens = 0.0;
        if around.endpoint.pacer.counts_tokens(rates) {
            let next = self.again.front().or(self.pieces.first_ready());
            let request = next.copied().unwrap_or(self.next);
            let weighed = self.weighed.filter(|(weighed, _)| *weighed == request);
            let active = self.active.get(&request).and_then(|active| active.tokens);
            let known = weighed.map(|(_, tokens)| tokens).or(active);
            tokens = known.or_else(|| self.weigh(request)).unwrap_or_default();
            self.weighed = Some((request, tokens));
        }
        around.endpoint.pacer.admit(around.now, tokens, rates)
    }

    /// The tokens of a request.
    fn weigh(&self, request: u32) -> Option<f64> {
        let inputs = self.plan.as_ref()?.range(request as usize);
        let operation = &self.job.operation;
        let tokens = match &self.job.settings.count_tokens {
            Some(counter) => operation.tokens(inputs, &|text| counter.count(text)),
            None => operation.tokens(inputs, &estimate),
        };
        #[allow(clippy::cast_precision_loss, reason = "no request has 2^52 tokens")]
        Some(tokens as f64)
    }

    /// The request that is to be started next: one that was tried before, or else a new one.
    fn next_waiting(&mut self, around: &mut Surroundings<'_>) -> u32 {
        if let Some(request) = self.again.pop_front() {
            return request;
        }
        let request = self.next_unstarted(around);
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
        let gate_is_open = around.endpoint.gate().is_open();
        let wanted = self.active.get_mut(&request).filter(|active| {
            let takes_one = !active.hedged && !active.running.is_empty();
            takes_one && gate_is_open
        });
        let Some(active) = wanted else {
            let unsent = Settlement::Unsent(self.as_hedge(request));
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
        if self.gate_terms.is_some() {
            around.endpoint.sent();
            let tokens = active.tokens.unwrap_or_default();
            active.mark = Some(around.endpoint.pacer.sent(around.now, tokens));
        }
        around.turn.assign.push(Attempt {
            id: AttemptId { key, attempt },
            operation: Arc::clone(&self.job.operation),
            inputs,
            try_base64: active.base64 == Base64::Tried,
            until,
            trace: self.trace.clone(),
            probing: active.probing,
            last_try: self.job.settings.retry.is_last_try(&active.history),
        });
        Some(attempt)
    }

    fn watch(&self, request: u32, around: &mut Surroundings<'_>) {
        if let Some(plan) = self.job.settings.hedge {
            around.turn.watch.push(Watched {
                hedge: self.as_hedge(request),
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
