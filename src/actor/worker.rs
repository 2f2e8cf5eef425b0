//! Worker: sends attempts, and tells how each ended.
//!
//! It owns what a request touches: the transport with its connections, and buffers. Each attempt
//! is a task of its own on the Worker's thread, with its own timer; the Worker's context holds
//! none of them, since it would poll them all at each wake.

use super::exchange::{Exchange, Tools};
use super::failure::Failure;
use super::messages::{Abort, Assign, AttemptId, Crash, Flush, Outcome, RequestKey, Stop, Success};
use super::pool::{Report, WorkerGone};
use crate::policy::limit::ProbeStage;
use actix::{Actor, ActorContext, Context, Handler, Recipient};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::rc::Rc;
use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Tells the pool that a Worker is gone, also when it panicked.
pub(super) struct Obituary {
    pub(super) worker: usize,
    pub(super) generation: u64,
    pub(super) pool: Recipient<WorkerGone>,
}

impl Drop for Obituary {
    fn drop(&mut self) {
        self.pool.do_send(WorkerGone {
            worker: self.worker,
            generation: self.generation,
        });
    }
}

/// Sends attempts over its own connections.
pub(super) struct Worker {
    tools: Rc<Tools>,
    running: FxHashMap<AttemptId, JoinHandle<()>>,
    outbox: Rc<Outbox>,
    report: Recipient<Report>,
    thread: RuntimeMetrics,
    obituary: Obituary,
}

impl Worker {
    /// `own` is the Worker's own address, by which a turn's outcomes are collected.
    pub(super) fn new(
        tools: Tools,
        own: Recipient<Flush>,
        report: Recipient<Report>,
        obituary: Obituary,
    ) -> Self {
        Self {
            tools: Rc::new(tools),
            running: FxHashMap::default(),
            outbox: Rc::new(Outbox {
                own,
                ended: RefCell::default(),
                probes: RefCell::default(),
            }),
            report,
            thread: Handle::current().metrics(),
            obituary,
        }
    }
}

impl Actor for Worker {
    type Context = Context<Self>;
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The attempts die with their Worker; the pool gives them back.
        for task in self.running.values() {
            task.abort();
        }
    }
}

impl Handler<Assign> for Worker {
    type Result = ();

    fn handle(&mut self, Assign(attempts): Assign, _: &mut Self::Context) {
        for attempt in attempts {
            let id = attempt.id;
            let exchange = Exchange::new(attempt, &self.tools);
            let ticket = Ticket::new(id, &self.outbox);
            // Boxed: as a task is spawned and as it ends, it is copied whole several times.
            let task = actix_rt::spawn(Box::pin(async move {
                let probe = |stage| ticket.outbox.put_probe(id.key, stage);
                let result = exchange.run(probe).await;
                ticket.finish(result);
            }));
            self.running.insert(id, task);
        }
    }
}

impl Handler<Abort> for Worker {
    type Result = ();

    fn handle(&mut self, Abort(attempts): Abort, _: &mut Self::Context) {
        for id in attempts {
            if let Some(task) = self.running.get(&id) {
                // The task's future is dropped, and its socket with it; its ticket tells.
                task.abort();
            }
        }
    }
}

impl Handler<Flush> for Worker {
    type Result = ();

    fn handle(&mut self, _: Flush, _: &mut Self::Context) {
        let outcomes = self.outbox.ended.take();
        let probes = self.outbox.probes.take();
        for outcome in &outcomes {
            self.running.remove(&outcome.id);
        }
        self.report.do_send(Report {
            worker: self.obituary.worker,
            probes,
            outcomes,
            busy: self.thread.worker_total_busy_duration(0),
        });
    }
}

impl Handler<Stop> for Worker {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        context.stop();
    }
}

impl Handler<Crash> for Worker {
    type Result = ();

    fn handle(&mut self, Crash(worker): Crash, _: &mut Self::Context) {
        panic!("worker {worker} was told to panic");
    }
}

/// Outcomes of the current turn.
struct Outbox {
    own: Recipient<Flush>,
    ended: RefCell<Vec<Outcome>>,
    probes: RefCell<Vec<(RequestKey, ProbeStage)>>,
}

impl Outbox {
    /// A probe got further. It is alone, and asks for a flush of its own.
    fn put_probe(&self, probe: RequestKey, stage: ProbeStage) {
        self.own.do_send(Flush);
        self.probes.borrow_mut().push((probe, stage));
    }

    fn put(&self, outcome: Outcome) {
        let mut ended = self.ended.borrow_mut();
        // The first of a turn asks for the flush, which queues behind all that is ready to run.
        if ended.is_empty() {
            self.own.do_send(Flush);
        }
        ended.push(outcome);
    }
}

/// Sees to it that an attempt's end is told exactly once, however it comes.
struct Ticket {
    id: AttemptId,
    outbox: Rc<Outbox>,
    started: Instant,
    ended: bool,
}

impl Ticket {
    fn new(id: AttemptId, outbox: &Rc<Outbox>) -> Self {
        Self {
            id,
            outbox: Rc::clone(outbox),
            started: Instant::now(),
            ended: false,
        }
    }

    fn finish(mut self, result: Result<Success, Failure>) {
        self.tell(result);
    }

    fn tell(&mut self, result: Result<Success, Failure>) {
        self.ended = true;
        self.outbox.put(Outcome {
            id: self.id,
            result,
            service_time: self.started.elapsed(),
        });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.ended {
            let panicked = std::thread::panicking();
            let failure = if panicked {
                Failure::Lost
            } else {
                Failure::Aborted
            };
            self.tell(Err(failure));
        }
    }
}
