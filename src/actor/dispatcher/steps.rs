//! What the Dispatcher's handlers do to its operations, and how a turn is sent.

use super::{Dispatcher, Wake};
use crate::actor::failure::Failure;
use crate::actor::flight::Flight;
use crate::actor::hedger::{Settled, Watch};
use crate::actor::messages::{Abort, Assign, Flush, Outcome};
use crate::actor::metrics::Observed;
use crate::actor::planner::MakePlan;
use crate::actor::turn::{RefusedProbe, Surroundings, limits_of};
use crate::caller::OperationId;
use crate::job::End;
use crate::policy::split;
use actix::{AsyncContext, Context};
use std::sync::Arc;
use tokio::time::Instant;

impl Dispatcher {
    /// What this turn collects is sent when the mailbox has been worked off.
    pub(super) fn end_turn(&mut self, context: &mut Context<Self>) {
        if !self.flushing {
            self.flushing = true;
            context.address().do_send(Flush);
        }
    }

    /// Shows an operation its surroundings, and lets it act. Where that changed what the endpoint
    /// admits, all operations that go there may act on it.
    pub(super) fn with<T>(
        &mut self,
        id: OperationId,
        now: Instant,
        act: impl FnOnce(&mut Flight, &mut Surroundings<'_>) -> T,
    ) -> Option<T> {
        let (flight, _) = self.flights.get_mut(&id)?;
        let mut around = self.shared.around(flight.origin(), now);
        let gate = around.endpoint.gate;
        let result = act(flight, &mut around);
        if around.endpoint.gate != gate {
            let origin = Arc::clone(flight.origin());
            self.fill_all(&origin, now);
        }
        Some(result)
    }

    /// Lets every operation that goes to `origin` start what it may.
    pub(super) fn fill_all(&mut self, origin: &Arc<str>, now: Instant) {
        for (flight, _) in self.flights.values_mut() {
            if flight.origin() == origin {
                flight.fill(&mut self.shared.around(origin, now));
            }
        }
    }

    /// What a probe was told holds for all who asked for the same and waited for how it ends.
    pub(super) fn refuse_with(&mut self, probe: &RefusedProbe, now: Instant) {
        let mut ended = Vec::new();
        for (id, (flight, _)) in &mut self.flights {
            if flight.job().operation.head().url == probe.head.url {
                let mut around = self.shared.around(&probe.head.origin, now);
                let end = flight.refused_with(probe, &mut around);
                ended.extend(end.map(|end| (*id, end)));
            }
        }
        for (id, end) in ended {
            self.end(id, end, now);
        }
    }

    pub(super) fn plan_or_begin(&mut self, id: OperationId, flight: &mut Flight, now: Instant) {
        let job = flight.job();
        let limits = limits_of(job, &self.shared.shapes);
        let shapes = self.shared.shapes.version();
        let inputs = job.operation.inputs();
        let one_request = inputs <= limits.batch_size && limits.only_count();
        if one_request || inputs == 1 {
            flight.planned_by(shapes);
            flight.planned(split::Plan::Even {
                inputs,
                batch_size: inputs,
            });
            let origin = Arc::clone(flight.origin());
            flight.fill(&mut self.shared.around(&origin, now));
        } else {
            self.peers.planner.do_send(MakePlan {
                id,
                operation: Arc::clone(&job.operation),
                limits,
            });
            flight.planned_by(shapes);
        }
    }

    pub(super) fn end(&mut self, id: OperationId, end: End, now: Instant) {
        let Some((flight, deadline)) = self.flights.remove(&id) else {
            return;
        };
        if let Some(deadline) = deadline {
            self.schedule.remove(deadline);
        }
        let origin = Arc::clone(flight.origin());
        let mut around = self.shared.around(&origin, now);
        let gate = around.endpoint.gate;
        flight.end(end, &mut around);
        if around.endpoint.gate != gate {
            // Its probe is lost; another operation's request may go in its place.
            self.fill_all(&origin, now);
        }
    }

    pub(super) fn observe(&mut self, outcome: &Outcome) {
        let observed = &mut self.shared.turn.observed;
        if outcome.resent {
            observed.attempts += 1;
            observed.attempts_failed += 1;
            observed.retries += 1;
        }
        match &outcome.result {
            Ok(_) => observed.service_times.push(outcome.service_time),
            Err(Failure::Aborted) => observed.attempts_aborted += 1,
            Err(_) => observed.attempts_failed += 1,
        }
    }

    /// Sends what the turn collected. Counts go first: a caller who has its answer finds them.
    pub(super) fn flush(&mut self) {
        let turn = &mut self.shared.turn;
        if turn.observed != Observed::default() {
            let observed = std::mem::take(&mut turn.observed);
            self.peers.observed.do_send(observed);
        }
        if !turn.assign.is_empty() {
            let assign = std::mem::take(&mut turn.assign);
            self.peers.assign.do_send(Assign(assign));
        }
        if !turn.abort.is_empty() {
            let abort = std::mem::take(&mut turn.abort);
            self.peers.abort.do_send(Abort(abort));
        }
        if !turn.watch.is_empty() {
            let watch = std::mem::take(&mut turn.watch);
            self.peers.watch.do_send(Watch(watch));
        }
        if !turn.settled.is_empty() {
            let settled = std::mem::take(&mut turn.settled);
            self.peers.settled.do_send(Settled(settled));
        }
        for (at, key) in turn.pauses.drain(..) {
            self.schedule.add(at, Wake::Resume(key));
        }
        for (until, origin) in turn.paused.drain(..) {
            let known = self.pauses.insert(Arc::clone(&origin), until);
            if known != Some(until) {
                self.schedule.add(until, Wake::Endpoint(origin));
            }
        }
        for ending in turn.endings.drain(..) {
            ending.deliver();
        }
        let earliest = self.schedule.earliest();
        if let Some(alarm) = &mut self.alarm {
            alarm.set(earliest);
        }
    }
}
