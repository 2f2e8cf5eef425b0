//! WorkerPool: gives attempts to Workers, knows which has what, and replaces one that dies.

use super::failure::Failure;
use super::messages::{
    Abort, Assign, Attempt, AttemptId, Ended, Finished, Outcome, Stop, WorkerGone,
};
use super::worker::Crash;
use crate::policy::route::least_loaded;
use actix::{Actor, ActorContext, Context, Handler, Recipient};
use rustc_hash::FxHashMap;
use std::time::Duration;

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
    /// In flight a Worker, beside the slots so that routing sees one slice.
    loads: Vec<usize>,
    assigned: FxHashMap<AttemptId, usize>,
    finished: Recipient<Finished>,
    ended: Recipient<Ended>,
    stopping: bool,
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
            loads: vec![0; workers],
            start,
            assigned: FxHashMap::default(),
            finished,
            ended,
            stopping: false,
        }
    }

    fn route(&mut self, attempt: &Attempt) -> usize {
        let worker = least_loaded(&self.loads);
        self.loads[worker] += 1;
        self.assigned.insert(attempt.id, worker);
        worker
    }

    /// Groups by Worker and sends each its share in one message.
    fn to_workers<T, M>(
        &self,
        shares: Vec<Vec<T>>,
        message: impl Fn(Vec<T>) -> M,
        port: impl Fn(&WorkerPort) -> &Recipient<M>,
    ) where
        M: actix::Message + Send,
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
            let worker = self.route(&attempt);
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
            if let Some(worker) = self.assigned.get(&attempt) {
                shares[*worker].push(attempt);
            }
        }
        self.to_workers(shares, Abort, |port| &port.abort);
    }
}

impl Handler<Finished> for WorkerPool {
    type Result = ();

    fn handle(&mut self, Finished(outcomes): Finished, _: &mut Self::Context) {
        for outcome in &outcomes {
            if let Some(worker) = self.assigned.remove(&outcome.id) {
                self.loads[worker] -= 1;
            }
        }
        self.finished.do_send(Finished(outcomes));
    }
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
            .filter_map(|(id, at)| (*at == worker).then_some(*id))
            .collect();
        log::error!(
            "worker {worker} panicked and is replaced; {} attempts are given back",
            lost.len()
        );
        self.workers[worker].generation += 1;
        self.workers[worker].port = (self.start)(worker, generation + 1);
        self.loads[worker] = 0;
        for id in &lost {
            self.assigned.remove(id);
        }
        let outcomes = lost.into_iter().map(|id| Outcome {
            id,
            result: Err(Failure::Lost),
            service_time: Duration::ZERO,
        });
        self.finished.do_send(Finished(outcomes.collect()));
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
