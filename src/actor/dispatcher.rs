//! Dispatcher: owns every operation that is under way.

mod steps;

use super::alarm::Alarm;
use super::entrance::Permit;
use super::flight::Flight;
use super::hedger::{Settled, Settlement, Watch};
use super::messages::{Abort, Assign, Flush, Outcome, RequestKey, Stop, Tick};
use super::metrics::Observed;
use super::planner::MakePlan;
use super::turn::{Shared, Surroundings};
use crate::caller::{Cancel, OperationId, Progress, Registration, ReplyPort};
use crate::error::{Error, Kind};
use crate::job::{End, Job};
use crate::policy::limit::ProbeStage;
use crate::policy::split;
use crate::policy::timers::{Key, Timers};
use crate::transport::{Account, Trace};
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Whom the Dispatcher sends to.
pub(super) struct Peers {
    pub(super) planner: Recipient<MakePlan>,
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
    /// An endpoint may have room.
    Endpoint(Arc<Account>),
}

/// Operations, their timers, and what is known of endpoints.
pub(super) struct Dispatcher {
    peers: Peers,
    flights: FxHashMap<OperationId, (Flight, Option<Key<Instant>>)>,
    schedule: Timers<Instant, Wake>,
    alarm: Option<Alarm>,
    shared: Shared,
    /// When endpoints whose operations wait in line are asked again.
    asked_at: FxHashMap<Arc<Account>, Instant>,
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
            schedule: Timers::new(),
            alarm: None,
            shared: Shared::default(),
            asked_at: FxHashMap::default(),
            flushing: false,
            request_id_prefix: request_id_prefix.into(),
            stop_system,
            stopping: None,
        }
    }
}

impl Actor for Dispatcher {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.alarm = Some(Alarm::new(context.address().recipient()));
    }
}

/// Carry out an operation.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Submit {
    pub id: OperationId,
    pub job: Job,
    pub permit: Permit,
}

impl Handler<Submit> for Dispatcher {
    type Result = ();

    fn handle(&mut self, submit: Submit, context: &mut Self::Context) {
        let Submit { id, job, permit } = submit;
        if job.gather.is_abandoned() {
            return;
        }
        // Its token may have been cancelled before it came, when there was nothing to end.
        let is_cancelled = job
            .registration
            .as_ref()
            .is_some_and(Registration::is_cancelled);
        let refusal = if self.stopping.is_some() {
            Some(Kind::Closed)
        } else {
            is_cancelled.then_some(Kind::Cancelled)
        };
        if let Some(kind) = refusal {
            drop(permit);
            let end = End::Failed(Error::new(kind));
            job.gather.finish(end, None, Duration::ZERO);
            return;
        }
        let now = Instant::now();
        let trace = Trace {
            prefix: Arc::clone(&self.request_id_prefix),
            number: rand::random(),
        };
        let mut flight = Flight::new(id, (job, permit), trace, now);
        self.plan_or_begin(id, &mut flight, now);
        let deadline = flight
            .deadline
            .map(|at| self.schedule.add(at, Wake::Deadline(id)));
        self.flights.insert(id, (flight, deadline));
        self.end_turn(context);
    }
}

/// The requests of an operation.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Planned {
    pub id: OperationId,
    pub plan: split::Plan,
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

/// Attempts that ended, all of one turn. Each assigned attempt is told of exactly once.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Finished {
    /// Probes that got further.
    pub probes: Vec<(RequestKey, ProbeStage)>,
    pub outcomes: Vec<Outcome>,
}

impl Handler<Finished> for Dispatcher {
    type Result = ();

    fn handle(&mut self, finished: Finished, context: &mut Self::Context) {
        let now = Instant::now();
        for (key, stage) in finished.probes {
            self.with(key.operation, now, |flight, around| {
                flight.probe_got(key.request, stage, around);
            });
        }
        for outcome in finished.outcomes {
            self.observe(&outcome);
            let id = outcome.id.key.operation;
            // An operation that has ended no longer cares.
            let end = self.with(id, now, |flight, around| {
                let end = flight.outcome(outcome, around);
                if end.is_none() && around.turn.outage.is_none() {
                    flight.fill(around);
                }
                end
            });
            if let Some(Some(end)) = end {
                self.end(id, end, now);
            }
            if let Some(outage) = self.shared.turn.outage.take() {
                // What is given up is not sent once more before.
                self.suffer(&outage, now);
                self.with(id, now, Flight::fill);
            }
        }
        self.end_turn(context);
    }
}

/// Requests whose twin is due.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Due(pub Vec<RequestKey>);

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
                Wake::Endpoint(account) => {
                    // An earlier time may have taken its place.
                    if self.asked_at.get(&account).is_some_and(|at| *at > now) {
                        continue;
                    }
                    self.asked_at.remove(&account);
                    self.serve(&account, now);
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

/// How far an operation is.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Inspect {
    pub id: OperationId,
    pub reply: ReplyPort<Progress>,
}

impl Handler<Inspect> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Inspect { id, reply }: Inspect, _: &mut Self::Context) {
        let progress = |flight: &mut Flight, around: &mut Surroundings<'_>| flight.progress(around);
        if let Some(progress) = self.with(id, Instant::now(), progress) {
            reply.send(progress);
        }
    }
}

/// No more operations of a series come; those that had come were told of before.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct EndSeries(pub OperationId);

impl Handler<EndSeries> for Dispatcher {
    type Result = ();

    fn handle(&mut self, EndSeries(series): EndSeries, context: &mut Self::Context) {
        self.shared.turn.settled.push(Settlement::Series(series));
        self.end_turn(context);
    }
}

impl Handler<Flush> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: Flush, _: &mut Self::Context) {
        self.flushing = false;
        self.flush();
    }
}

/// Stop the system; the port is answered when no Worker is left.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Shutdown(pub Option<ReplyPort<()>>);

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

/// No Worker is left.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Ended;

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
