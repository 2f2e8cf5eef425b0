//! How attempts end, and what follows for their request and their operation.

use super::{Flight, PROGRESS_EVERY};
use crate::actor::failure::{Failure, refused};
use crate::actor::hedger::Settlement;
use crate::actor::messages::{AttemptId, Outcome, Success};
use crate::actor::request::Base64;
use crate::actor::turn::{Ending, RefusedProbe, Surroundings, jitter};
use crate::config::OnError;
use crate::error::{Error, Kind, Scope};
use crate::job::{End, RequestError, RequestRecord};
use crate::policy::encoding::may_refuse_base64;
use crate::policy::retry::{Charge, Verdict, outlasts};
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
        active.resent += u32::from(outcome.resent);
        self.tell_gate(outcome.id, outcome.result.as_ref().err(), around);
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

    /// What an attempt's end means to the endpoint's gate.
    fn tell_gate(
        &mut self,
        id: AttemptId,
        failure: Option<&Failure>,
        around: &mut Surroundings<'_>,
    ) {
        let Some(terms) = self.gate_terms else {
            return;
        };
        let Some(active) = self.active.get_mut(&id.key.request) else {
            return;
        };
        let probing = std::mem::take(&mut active.probing);
        let gate = &mut around.endpoint.gate;
        if let Some(refusal) = failure.and_then(Failure::too_much) {
            let asked = refusal.retry_after;
            let most = self.job.settings.retry.max_retry_after();
            if outlasts(asked, most) {
                // Nobody waits for so long, and others may be told something else.
                if probing {
                    gate.probe_lost(around.now);
                }
                return;
            }
            gate.refused(around.now, asked, terms.initial_backoff, jitter());
            if probing {
                around.turn.refused_probe = Some(RefusedProbe {
                    key: id.key,
                    head: Arc::clone(self.job.operation.head()),
                    error: Error::new(refused(refusal.clone(), most)),
                });
            }
        } else if probing && failure.is_none_or(Failure::was_answered) {
            // Whatever the server answered, it was not "too much".
            gate.probe_passed();
        } else if probing {
            gate.probe_lost(around.now);
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
            attempts: active.made + active.resent,
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
        let others = active.running.iter();
        around
            .turn
            .abort
            .extend(others.map(|attempt| self.attempt_id(request, attempt)));
        if self.job.settings.hedge.is_some() {
            around.turn.settled.push(Settlement::Request {
                key: self.key(request),
                time,
            });
        }
        let plan = self.plan.as_ref()?;
        self.ended_requests += 1;
        self.ended_inputs += plan.range(request as usize).len();
        if around.now >= self.progress_due {
            self.progress_due = around.now + PROGRESS_EVERY;
            self.tell_progress();
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
        let fault = failure.fault();
        match policy.decide(fault, &mut active.history, elapsed, jitter()) {
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

    /// A probe was refused, and with it all who waited for how it ends: each is charged a retry,
    /// so that an outage ends in errors after as many probes as a request has tries, and not after
    /// as many as all requests have together. Says how the operation ends, if it does.
    pub(in crate::actor) fn refused_with(
        &mut self,
        probe: &RefusedProbe,
        around: &mut Surroundings<'_>,
    ) -> Option<End> {
        let most = self.gate_terms?.max_retries;
        for request in std::mem::take(&mut self.again) {
            let key = self.key(request);
            let Some(active) = self.active.get_mut(&request) else {
                continue;
            };
            active.history.retries += u32::from(key != probe.key);
            if active.history.retries <= most {
                self.again.push_back(request);
                continue;
            }
            let attempt = active.made.saturating_sub(1);
            let end = self.fail(AttemptId { key, attempt }, probe.error.clone(), around);
            if end.is_some() {
                return end;
            }
        }
        while around.endpoint.gate.probes_refused() > most && self.has_waiting() {
            let request = self.next_waiting(around);
            let end = self.fail(self.attempt_id(request, 0), probe.error.clone(), around);
            if end.is_some() {
                return end;
            }
        }
        None
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
        let attempts = attempts.map_or(0, |active| active.made + active.resent);
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
        match self.job.settings.on_error {
            OnError::Raise => End::Failed(error),
            OnError::Return => End::CutShort(error),
        }
    }

    /// Ends the operation: nothing of it stays in flight, and its caller is answered.
    pub(in crate::actor) fn end(mut self, end: End, around: &mut Surroundings<'_>) {
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
        self.tell_progress();
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
