//! WorkerPool: gives attempts to Workers, knows which has what, and replaces one that dies.

use super::dispatcher::{Ended, Finished};
use super::failure::Failure;
use super::messages::{Abort, Assign, Attempt, AttemptId, Crash, Outcome, RequestKey, Stop};
use crate::policy::limit::ProbeStage;
use crate::policy::route::Route;
use actix::{Actor, ActorContext, Context, Handler, Message, Recipient};
use rustc_hash::FxHashMap;
use std::time::{Duration, Instant};

/// How a Worker is reached.
pub(super) struct WorkerPort {
    pub(super) assign: Recipient<Assign>,
    pub(super) abort: Recipient<Abort>,
    pub(super) stop: Recipient<Stop>,
    pub(super) crash: Recipient<Crash>,
}

/// Starts Worker `worker`; `generation` tells it from those before it at the same place.
pub(super) type StartWorker = Box<dyn Fn(usize, u64) -> WorkerPort>;

/// Which Worker has which attempts.
pub(super) struct WorkerPool {
    start: StartWorker,
    workers: Vec<WorkerSlot>,
    route: Route,
    assigned: FxHashMap<AttemptId, Assigned>,
    finished: Recipient<Finished>,
    ended: Recipient<Ended>,
    stopping: bool,
}

/// Which Worker has an attempt, and its inputs.
#[derive(Clone, Copy)]
struct Assigned {
    worker: usize,
    inputs: usize,
}

struct WorkerSlot {
    port: WorkerPort,
    generation: u64,
    gone: bool,
}

impl WorkerPool {
    pub(super) fn new(
        workers: usize,
        start: StartWorker,
        finished: Recipient<Finished>,
        ended: Recipient<Ended>,
    ) -> Self {
        let slots = (0..workers).map(|worker| WorkerSlot {
            port: start(worker, 0),
            generation: 0,
            gone: false,
        });
        Self {
            workers: slots.collect(),
            route: Route::new(workers),
            start,
            assigned: FxHashMap::default(),
            finished,
            ended,
            stopping: false,
        }
    }

    fn assign(&mut self, attempt: &Attempt) -> usize {
        let inputs = attempt.inputs.len();
        let worker = self.route.assign(inputs);
        self.assigned
            .insert(attempt.id, Assigned { worker, inputs });
        worker
    }

    /// Groups by Worker and sends each its share in one message.
    fn to_workers<T, M>(
        &self,
        shares: Vec<Vec<T>>,
        message: impl Fn(Vec<T>) -> M,
        port: impl Fn(&WorkerPort) -> &Recipient<M>,
    ) where
        M: Message + Send,
        M::Result: Send,
    {
        for (slot, share) in self.workers.iter().zip(shares) {
            if !share.is_empty() {
                port(&slot.port).do_send(message(share));
            }
        }
    }

    fn shares<T>(&self) -> Vec<Vec<T>> {
        self.workers.iter().map(|_| Vec::new()).collect()
    }
}

impl Actor for WorkerPool {
    type Context = Context<Self>;
}

impl Handler<Assign> for WorkerPool {
    type Result = ();

    fn handle(&mut self, Assign(attempts): Assign, _: &mut Self::Context) {
        let mut shares = self.shares();
        for attempt in attempts {
            let worker = self.assign(&attempt);
            shares[worker].push(attempt);
        }
        self.to_workers(shares, Assign, |port| &port.assign);
    }
}

impl Handler<Abort> for WorkerPool {
    type Result = ();

    fn handle(&mut self, Abort(attempts): Abort, _: &mut Self::Context) {
        let mut shares = self.shares();
        for attempt in attempts {
            if let Some(Assigned { worker, .. }) = self.assigned.get(&attempt) {
                shares[*worker].push(attempt);
            }
        }
        self.to_workers(shares, Abort, |port| &port.abort);
    }
}

/// What a Worker did in one turn.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Report {
    pub(super) worker: usize,
    /// Probes that got further.
    pub(super) probes: Vec<(RequestKey, ProbeStage)>,
    /// The attempts that ended.
    pub(super) outcomes: Vec<Outcome>,
    /// How long the Worker's thread has been busy since it began.
    pub(super) busy: Duration,
}

impl Handler<Report> for WorkerPool {
    type Result = ();

    fn handle(&mut self, report: Report, _: &mut Self::Context) {
        self.route.busy(report.worker, report.busy, Instant::now());
        for outcome in &report.outcomes {
            if let Some(Assigned { worker, inputs }) = self.assigned.remove(&outcome.id) {
                self.route.ended(worker, inputs);
            }
        }
        self.finished.do_send(Finished {
            probes: report.probes,
            outcomes: report.outcomes,
        });
    }
}

/// A Worker has stopped, or died.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct WorkerGone {
    pub worker: usize,
    /// Tells a Worker from the one that took its place.
    pub generation: u64,
}

impl Handler<WorkerGone> for WorkerPool {
    type Result = ();

    fn handle(&mut self, gone: WorkerGone, context: &mut Self::Context) {
        let WorkerGone { worker, generation } = gone;
        if self.workers[worker].generation != generation {
            return;
        }
        if self.stopping {
            self.workers[worker].gone = true;
            if self.workers.iter().all(|slot| slot.gone) {
                self.ended.do_send(Ended);
                context.stop();
            }
            return;
        }
        let lost: Vec<AttemptId> = self
            .assigned
            .iter()
            .filter_map(|(id, assigned)| (assigned.worker == worker).then_some(*id))
            .collect();
        log::error!(
            "worker {worker} panicked and is replaced; {} attempts are given back",
            lost.len()
        );
        self.workers[worker].generation += 1;
        self.workers[worker].port = (self.start)(worker, generation + 1);
        self.route.replaced(worker);
        for id in &lost {
            self.assigned.remove(id);
        }
        let outcomes = lost.into_iter().map(|id| Outcome {
            id,
            result: Err(Failure::Lost),
            service_time: Duration::ZERO,
        });
        self.finished.do_send(Finished {
            probes: Vec::new(),
            outcomes: outcomes.collect(),
        });
    }
}

impl Handler<Crash> for WorkerPool {
    type Result = ();

    fn handle(&mut self, Crash(worker): Crash, _: &mut Self::Context) {
        let worker = worker % self.workers.len();
        self.workers[worker].port.crash.do_send(Crash(worker));
    }
}

impl Handler<Stop> for WorkerPool {
    type Result = ();

    fn handle(&mut self, _: Stop, _: &mut Self::Context) {
        self.stopping = true;
        for slot in &self.workers {
            slot.port.stop.do_send(Stop);
        }
    }
}
