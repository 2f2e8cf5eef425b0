//! How attempts end, and what follows for their request and their operation.

use super::{Flight, PROGRESS_EVERY};
use crate::actor::failure::Failure;
use crate::actor::hedger::Settlement;
use crate::actor::messages::{AttemptId, Outcome, Success};
use crate::actor::request::{Base64, Running};
use crate::actor::turn::{Ending, Outage, Surroundings, jitter};
use crate::config::OnError;
use crate::error::{Error, Kind, Scope};
use crate::job::{End, RequestError, RequestRecord};
use crate::policy::encoding::may_refuse_base64;
use crate::policy::limit::{Ended, Follows, ProbeStage, Sign};
use crate::policy::retry::{Charge, Verdict, asks_for_less, outlasts};
use crate::policy::shape::Complaint;
use crate::policy::timers::later;
use std::sync::Arc;
use std::time::Duration;

impl Flight {
    /// An attempt ended. Says how the operation ends, if it does.
    pub(in crate::actor) fn outcome(
        &mut self,
        outcome: Outcome,
        around: &mut Surroundings<'_>,
    ) -> Option<End> {
        let AttemptId { key, attempt } = outcome.id;
        let request = key.request;
        let active = self.active.get_mut(&request)?;
        let won_by_twin = active.running.twin == Some(attempt);
        active.running.remove(attempt);
        self.tell_endpoint(&outcome, around);
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
        self.failed(outcome.id, failure, around)
    }

    /// What an attempt's end means to its endpoint, and to all who go there.
    fn tell_endpoint(&mut self, outcome: &Outcome, around: &mut Surroundings<'_>) {
        let Some(terms) = self.gate_terms else {
            return;
        };
        let too_fast = self.tell_pacer(outcome, around);
        let retry = &self.job.settings.retry;
        let failure = outcome.result.as_ref().err();
        let Some(active) = self.active.get_mut(&outcome.id.key.request) else {
            return;
        };
        let ended = Ended {
            too_fast,
            sign: failure.map_or(Sign::Served, |failure| {
                failure.sign(terms, retry.max_retry_after())
            }),
            probing: std::mem::take(&mut active.probing),
            took: outcome.service_time,
            path: self.path,
        };
        let follows = around.endpoint.ended(ended, around.now, jitter);
        active.own_fault = follows == Follows::OwnFault;
        self.tell_news(around);
        let outage = failure.filter(|_| follows == Follows::Outage);
        around.turn.outage = outage.map(|failure| Outage {
            refused: matches!(ended.sign, Sign::TooMuch(_)),
            head: Arc::clone(self.job.operation.head()),
            error: (failure.clone()).into_error(self.job.operation.head(), &self.job.settings),
        });
    }

    /// What an attempt's answer says of its server's rates. Says whether one of them is why it was
    /// refused.
    fn tell_pacer(&mut self, outcome: &Outcome, around: &mut Surroundings<'_>) -> bool {
        let request = outcome.id.key.request;
        let (report, is_refused) = match &outcome.result {
            Ok(success) => (success.rates.as_deref(), false),
            Err(Failure::Refused(refusal)) => {
                (refusal.rates.as_deref(), asks_for_less(refusal.code))
            }
            Err(_) => return false,
        };
        if report.is_none() && !is_refused {
            return false;
        }
        let known = self.active.get(&request).and_then(|active| active.tokens);
        let counts = report.is_some_and(|report| report.tokens.is_some());
        let tokens = known.or_else(|| counts.then(|| self.weigh(request)).flatten());
        let Some(active) = self.active.get_mut(&request) else {
            return false;
        };
        active.tokens = tokens;
        let Some(mark) = active.mark else {
            return false;
        };
        let tokens = tokens.unwrap_or_default();
        let pacer = &mut around.endpoint.pacer;
        if let Some(report) = report {
            pacer.learn(around.now, mark, tokens, report);
        }
        is_refused && pacer.refused(around.now, mark, tokens, report)
    }

    /// What people may want to know of its endpoint's limits.
    fn tell_news(&self, around: &mut Surroundings<'_>) {
        let Some((state, notice)) = around.endpoint.news(around.now) else {
            return;
        };
        let account = self.account();
        if let Some(notice) = notice {
            log::warn!("{account} {notice}");
        }
        let endpoints = &mut around.turn.observed.endpoints;
        endpoints.retain(|(known, _)| known != account);
        endpoints.push((Arc::clone(account), state));
    }

    /// A probe got further.
    pub(in crate::actor) fn probe_got(
        &mut self,
        request: u32,
        stage: ProbeStage,
        around: &mut Surroundings<'_>,
    ) {
        let active = self.active.get_mut(&request);
        if let Some(active) = active.filter(|active| active.probing)
            && around.endpoint.probe_got(stage, around.now)
        {
            active.probing = false;
            self.tell_news(around);
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
        let Success { part, headers, .. } = success;
        let in_vain = match active.base64 {
            Base64::NotTried => false,
            Base64::Tried => part.came_as_floats(),
            Base64::Refused => true,
        };
        if in_vain {
            let url = &self.job.operation.head().url;
            around.encodings.remember_plain(url);
        }
        let record = RequestRecord {
            inputs: plan.range(request as usize),
            time: around.now - active.started,
            headers,
            attempts: active.made + active.inherited,
        };
        let in_base64 = active.base64 == Base64::Tried && !in_vain;
        self.job.gather.accept(request as usize, part, record)?;
        self.note_success(in_base64);
        Ok(())
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
        self.give_up(active.running, active.probing, around);
        let others = active.running.iter();
        around
            .turn
            .abort
            .extend(others.map(|attempt| self.attempt_id(request, attempt)));
        if self.job.settings.hedge.is_some() {
            around.turn.settled.push(Settlement::Request {
                hedge: self.as_hedge(request),
                time,
            });
        }
        let plan = self.plan.as_ref()?;
        self.ended_requests += 1;
        self.ended_inputs += plan.range(request as usize).len();
        if around.now >= self.progress_due {
            self.progress_due = around.now + PROGRESS_EVERY;
            self.tell_progress(around);
        }
        (self.ended_requests == plan.to_end()).then_some(End::Done)
    }

    /// A request has no attempt in flight any more: it is tried again, or has failed for good.
    fn failed(
        &mut self,
        id: AttemptId,
        failure: Failure,
        around: &mut Surroundings<'_>,
    ) -> Option<End> {
        let now = around.now;
        let request = id.key.request;
        let request_id = id.request_id(&self.trace);
        let failure = match self.cut_up(id, failure, around) {
            Ok(end) => return end,
            Err(failure) => failure,
        };
        let active = self.active.get_mut(&request)?;
        if let Failure::Refused(refusal) = &failure
            && active.base64 == Base64::Tried
            && may_refuse_base64(refusal.code)
            && !matches!(refusal.complaint, Complaint::Shape(_))
        {
            log::debug!("{request_id}: {failure}; asked again without base64");
            active.base64 = Base64::Refused;
            self.start(request, around);
            return None;
        }
        if matches!(failure, Failure::Timeout) && self.deadline.is_some_and(|at| at <= now) {
            return Some(self.deadline_end());
        }
        let policy = &self.job.settings.retry;
        let elapsed = now - active.started;
        let fault = if active.own_fault {
            failure.fault().as_any_status()
        } else {
            failure.fault()
        };
        match policy.decide(fault, &mut active.history, elapsed, jitter()) {
            Verdict::Retry { after, charge } if self.can_pay(charge, around) => {
                // Where all wait, it waits with them.
                let is_held = self.gate_terms.is_some() && !around.endpoint.gate().is_open();
                log::debug!("{request_id}: {failure}; again in {after:?}");
                if after.is_zero() || is_held {
                    self.again.push_back(request);
                } else {
                    let key = self.key(request);
                    around.turn.pauses.push((later(now, after), key));
                }
                None
            }
            _ => {
                log::debug!("{request_id}: {failure}");
                let settings = &self.job.settings;
                let is_over = outlasts(fault.retry_after(), settings.retry.max_retry_after());
                let error = failure.into_error(self.job.operation.head(), settings);
                let end = self.fail(id, error.clone(), around);
                match end {
                    // What follows would be told the same.
                    None if is_over => Some(End::CutShort(error)),
                    end => end,
                }
            }
        }
    }

    /// Nothing gets through to the endpoint. An outage ends in errors after as many tries in vain as
    /// a request has, whoever's they were, and not after as many as all requests have together; one
    /// of a server that could be reached before lasts as long as a request's timeout. Says how the
    /// operation ends, if it does.
    pub(in crate::actor) fn suffer(
        &mut self,
        outage: &Outage,
        around: &mut Surroundings<'_>,
    ) -> Option<End> {
        let terms = self.gate_terms?;
        let timeout = self.job.settings.timeout;
        let endpoint = &around.endpoint;
        if !endpoint.is_hopeless(self.submitted, around.now, terms.max_retries, timeout) {
            self.tell_progress(around);
            return None;
        }
        let error = outage.error.clone();
        let error = error.with_request(self.job.operation.head().told());
        while self.has_waiting() {
            let request = self.next_waiting(around);
            let made = self.active.get(&request).map_or(0, |active| active.made);
            let last = self.attempt_id(request, made.saturating_sub(1));
            let end = self.fail(last, error.clone(), around);
            if end.is_some() {
                return end;
            }
        }
        None
    }

    /// Attempts in flight that nobody waits for any more.
    fn give_up(&self, running: Running, probing: bool, around: &mut Surroundings<'_>) {
        if self.gate_terms.is_none() {
            return;
        }
        for _ in running.iter() {
            let ended = Ended {
                too_fast: false,
                sign: Sign::None,
                probing,
                took: Duration::ZERO,
                path: self.path,
            };
            around.endpoint.ended(ended, around.now, jitter);
        }
    }

    fn can_pay(&mut self, charge: Charge, around: &mut Surroundings<'_>) -> bool {
        match charge {
            Charge::Free => true,
            Charge::Operation => self.retry_budget.spend(),
            Charge::Endpoint => around.endpoint.refusals.spend(around.now),
        }
    }

    /// A request has failed for good; `last` was its last attempt.
    pub(super) fn fail(
        &mut self,
        last: AttemptId,
        error: Error,
        around: &mut Surroundings<'_>,
    ) -> Option<End> {
        let request = last.key.request;
        let request_id = last.request_id(&self.trace);
        log::debug!("{request_id}: given up");
        around.turn.observed.failed += 1;
        let error = error.with_request_id(&request_id);
        let inputs = self.plan.as_ref()?.range(request as usize);
        let attempts = self.active.get(&request);
        let attempts = attempts.map_or(0, |active| active.made + active.inherited);
        let failed = RequestError {
            inputs,
            error: error.clone(),
        };
        self.note_failure(request, failed, attempts);
        let ended = self.close(request, None, around);
        match self.job.settings.on_error {
            OnError::Raise => Some(End::Failed(error)),
            OnError::Return => ended,
        }
    }

    /// How the operation ends at its deadline.
    pub(in crate::actor) fn deadline_end(&self) -> End {
        let error = Error::new(Kind::Timeout {
            scope: Scope::Operation,
            after: self.job.settings.total_timeout.unwrap_or_default(),
        });
        let error = error.with_request(self.job.operation.head().told());
        match self.job.settings.on_error {
            OnError::Raise => End::Failed(error),
            OnError::Return => End::CutShort(error),
        }
    }

    /// Ends the operation: nothing of it stays in flight, and its caller is answered.
    pub(in crate::actor) fn end(mut self, end: End, around: &mut Surroundings<'_>) {
        let mut attempts = 0;
        for (request, active) in &self.active {
            attempts += active.made + active.inherited;
            let running = active.running.iter();
            around
                .turn
                .abort
                .extend(running.map(|attempt| self.attempt_id(*request, attempt)));
            self.give_up(active.running, active.probing, around);
        }
        if self.job.settings.hedge.is_some() {
            around.turn.settled.push(Settlement::Operation {
                id: self.id,
                series: self.series(),
            });
        }
        if attempts > 0 {
            self.job.gather.cut_off(attempts);
        }
        self.tell_progress(around);
        self.tell_the_untold();
        around.turn.observed.operations += 1;
        around.turn.endings.push(Ending {
            gather: self.job.gather,
            end,
            requests: self.plan,
            total_time: around.now - self.submitted,
        });
    }
}
