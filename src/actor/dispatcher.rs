//! Dispatcher: owns every operation that is under way.

use super::ReplyPort;
use super::alarm::Alarm;
use super::failure::Failure;
use super::flight::Flight;
use super::messages::{
    Abort, Assign, Cancel, Due, Ended, Finished, Flush, Inspect, Observed, OperationId, Outcome,
    Plan, Planned, RequestKey, Settled, Shutdown, Stop, Submit, Tick, Watch,
};
use super::turn::{RefusedProbe, Shared, Surroundings};
use crate::error::{Error, Kind};
use crate::operation::End;
use crate::policy::schedule::{Key, Schedule};
use crate::policy::split;
use crate::transport::Trace;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Recipient};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Whom the Dispatcher sends to.
pub(super) struct Peers {
    pub(super) planner: Recipient<Plan>,
    pub(super) assign: Recipient<Assign>,
    pub(super) abort: Recipient<Abort>,
    pub(super) watch: Recipient<Watch>,
    pub(super) settled: Recipient<Settled>,
    pub(super) observed: Recipient<Observed>,
    /// All the actors that a shutdown stops.
    pub(super) stop: Vec<Recipient<Stop>>,
}

/// Something to do later.
enum Wake {
    Resume(RequestKey),
    Deadline(OperationId),
    /// The pause of an endpoint is over.
    Endpoint(Arc<str>),
}

/// Operations, their timers, and what is known of endpoints.
pub(super) struct Dispatcher {
    peers: Peers,
    flights: FxHashMap<OperationId, (Flight, Option<Key<Instant>>)>,
    schedule: Schedule<Instant, Wake>,
    alarm: Option<Alarm>,
    shared: Shared,
    /// Endpoints whose operations wait for the end of a pause.
    pauses: FxHashMap<Arc<str>, Instant>,
    flushing: bool,
    request_id_prefix: Arc<str>,
    /// Ends the system that these actors have to themselves, if they do.
    stop_system: Option<Box<dyn FnOnce()>>,
    stopping: Option<Vec<ReplyPort<()>>>,
}

impl Dispatcher {
    pub(super) fn new(
        peers: Peers,
        request_id_prefix: String,
        stop_system: Option<Box<dyn FnOnce()>>,
    ) -> Self {
        Self {
            peers,
            flights: FxHashMap::default(),
            schedule: Schedule::new(),
            alarm: None,
            shared: Shared::default(),
            pauses: FxHashMap::default(),
            flushing: false,
            request_id_prefix: request_id_prefix.into(),
            stop_system,
            stopping: None,
        }
    }

    /// What this turn collects is sent when the mailbox has been worked off.
    fn end_turn(&mut self, context: &mut Context<Self>) {
        if !self.flushing {
            self.flushing = true;
            context.address().do_send(Flush);
        }
    }

    /// Shows an operation its surroundings, and lets it act. Where that changed what the endpoint
    /// admits, all operations that go there may act on it.
    fn with<T>(
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
    fn fill_all(&mut self, origin: &Arc<str>, now: Instant) {
        for (flight, _) in self.flights.values_mut() {
            if flight.origin() == origin {
                flight.fill(&mut self.shared.around(origin, now));
            }
        }
    }

    /// What a probe was told holds for all who asked for the same and waited for how it ends.
    fn refuse_with(&mut self, probe: &RefusedProbe, now: Instant) {
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

    fn plan_or_begin(&mut self, id: OperationId, flight: &mut Flight, now: Instant) {
        let job = flight.job();
        let limits = job.settings.limits;
        let inputs = job.operation.inputs();
        let one_request = inputs <= limits.batch_size && limits.max_chars.is_none();
        if one_request || inputs == 1 {
            flight.planned(split::Plan::Even {
                inputs,
                batch_size: inputs,
            });
            let origin = Arc::clone(flight.origin());
            flight.fill(&mut self.shared.around(&origin, now));
        } else {
            self.peers.planner.do_send(Plan {
                id,
                operation: Arc::clone(&job.operation),
                limits,
            });
        }
    }

    fn end(&mut self, id: OperationId, end: End, now: Instant) {
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

    fn observe(&mut self, outcome: &Outcome) {
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
    fn flush(&mut self) {
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
        for answer in turn.answers.drain(..) {
            answer.deliver();
        }
        let earliest = self.schedule.earliest();
        if let Some(alarm) = &mut self.alarm {
            alarm.set(earliest);
        }
    }
}

impl Actor for Dispatcher {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.alarm = Some(Alarm::new(context.address().recipient()));
    }
}

impl Handler<Submit> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Submit { id, job }: Submit, context: &mut Self::Context) {
        if job.gather.is_abandoned() {
            return;
        }
        if self.stopping.is_some() {
            let closed = End::Failed(Error::new(Kind::Closed));
            job.gather.finish(closed, None, Duration::ZERO);
            return;
        }
        let now = Instant::now();
        let trace = Trace {
            prefix: Arc::clone(&self.request_id_prefix),
            number: rand::random(),
        };
        let mut flight = Flight::new(id, job, trace, now);
        self.plan_or_begin(id, &mut flight, now);
        let deadline = flight
            .deadline
            .map(|at| self.schedule.add(at, Wake::Deadline(id)));
        self.flights.insert(id, (flight, deadline));
        self.end_turn(context);
    }
}

impl Handler<Planned> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Planned { id, plan }: Planned, context: &mut Self::Context) {
        self.with(id, Instant::now(), |flight, around| {
            flight.planned(plan);
            flight.fill(around);
        });
        self.end_turn(context);
    }
}

impl Handler<Finished> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Finished(outcomes): Finished, context: &mut Self::Context) {
        let now = Instant::now();
        for outcome in outcomes {
            self.observe(&outcome);
            let id = outcome.id.key.operation;
            // An operation that has ended no longer cares.
            let end = self.with(id, now, |flight, around| {
                let end = flight.outcome(outcome, around);
                if end.is_none() {
                    flight.fill(around);
                }
                end
            });
            if let Some(Some(end)) = end {
                self.end(id, end, now);
            }
            if let Some(probe) = self.shared.turn.refused_probe.take() {
                self.refuse_with(&probe, now);
            }
        }
        self.end_turn(context);
    }
}

impl Handler<Due> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Due(requests): Due, context: &mut Self::Context) {
        let now = Instant::now();
        for key in requests {
            self.with(key.operation, now, |flight, around| {
                flight.hedge(key.request, around);
            });
        }
        self.end_turn(context);
    }
}

impl Handler<Tick> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: Tick, context: &mut Self::Context) {
        let now = Instant::now();
        while let Some(wake) = self.schedule.pop_due(now) {
            match wake {
                Wake::Resume(key) => {
                    self.with(key.operation, now, |flight, around| {
                        flight.resume(key.request);
                        flight.fill(around);
                    });
                }
                Wake::Deadline(id) => {
                    if let Some((flight, _)) = self.flights.get(&id) {
                        let end = flight.deadline_end();
                        self.end(id, end, now);
                    }
                }
                Wake::Endpoint(origin) => {
                    self.pauses.remove(&origin);
                    self.fill_all(&origin, now);
                }
            }
        }
        self.end_turn(context);
    }
}

impl Handler<Cancel> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Cancel { id, reason }: Cancel, context: &mut Self::Context) {
        log::debug!("operation {} is ended: {reason:?}", id.0);
        let end = End::Failed(Error::new(Kind::Cancelled));
        self.end(id, end, Instant::now());
        self.end_turn(context);
    }
}

impl Handler<Inspect> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Inspect { id, reply }: Inspect, _: &mut Self::Context) {
        if let Some((flight, _)) = self.flights.get(&id) {
            reply.send(flight.progress());
        }
    }
}

impl Handler<Flush> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: Flush, _: &mut Self::Context) {
        self.flushing = false;
        self.flush();
    }
}

impl Handler<Shutdown> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Shutdown(reply): Shutdown, _: &mut Self::Context) {
        let waiting = self.stopping.get_or_insert_with(Vec::new);
        waiting.extend(reply);
        let ids: Vec<OperationId> = self.flights.keys().copied().collect();
        for id in ids {
            let end = End::Failed(Error::new(Kind::Closed));
            self.end(id, end, Instant::now());
        }
        self.flush();
        for peer in &self.peers.stop {
            peer.do_send(Stop);
        }
    }
}

impl Handler<Ended> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: Ended, context: &mut Self::Context) {
        for reply in self.stopping.take().unwrap_or_default() {
            reply.send(());
        }
        self.alarm = None;
        if let Some(stop_system) = self.stop_system.take() {
            stop_system();
        }
        context.stop();
    }
}
