//! Which actor runs on which thread, and who knows whom.
//!
//! [`wire`] is the only function that knows every actor.

use super::dispatcher::{Dispatcher, EndSeries, Inspect, Peers, Shutdown};
use super::entrance::Entrance;
use super::exchange::Tools;
use super::hedger::Hedger;
use super::messages::Crash;
use super::metrics::{MetricsCollector, Snapshot};
use super::planner::BatchPlanner;
use super::pool::{WorkerPool, WorkerPort};
use super::worker::{Obituary, Worker};
use crate::caller::{self, Cancel};
use crate::config::request_id_prefix;
use crate::error::{Error, Kind, Result};
use crate::transport::{Request, Response, Transport, TransportError, TransportFactory};
use actix::{Actor, Addr, Arbiter, ArbiterHandle, AsyncContext, Context, Recipient, SystemRunner};
use futures_util::FutureExt;
use futures_util::future::{self, LocalBoxFuture};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// What a system is made from.
pub(super) struct Setup {
    pub(super) workers: usize,
    pub(super) transport: TransportFactory,
    pub(super) max_response_bytes: usize,
    pub(super) max_buffered_bytes: usize,
    pub(super) max_operations: usize,
}

/// Where the outside reaches the actors.
pub(super) struct Ports {
    pub(super) entrance: Entrance,
    pub(super) cancel: Recipient<Cancel>,
    pub(super) inspect: Recipient<Inspect>,
    pub(super) end_series: Recipient<EndSeries>,
    pub(super) shutdown: Recipient<Shutdown>,
    pub(super) snapshot: Recipient<Snapshot>,
    pub(super) crash: Recipient<Crash>,
    /// The arbiter that they run on.
    #[cfg(feature = "bench")]
    pub(super) control: ArbiterHandle,
}

/// Starts the control thread, which starts a thread for each Worker but the first.
pub(super) fn on_threads(setup: Setup) -> Result<(Ports, Option<JoinHandle<()>>)> {
    let (wired, ports) = crossbeam_channel::bounded(1);
    let control = move || {
        let (runner, arbiters) = match begin(setup.workers) {
            Ok(begun) => begun,
            Err(cause) => {
                let _ = wired.send(Err(cause));
                return;
            }
        };
        let handles: Vec<ArbiterHandle> = arbiters.iter().map(Arbiter::handle).collect();
        let system = actix::System::current();
        let stop: Box<dyn FnOnce()> = Box::new(move || system.stop());
        let ports = runner.block_on(async { wire(&setup, &handles, Some(stop)) });
        let _ = wired.send(Ok(ports));
        if let Err(cause) = runner.run() {
            log::error!("the control thread of a hedgerow system ended: {cause}");
        }
        stop_all(arbiters);
    };
    let thread = thread::Builder::new()
        .name("hedgerow".into())
        .spawn(control)
        .map_err(no_thread)?;
    let ports = caller::wait(&ports)?.map_err(no_thread)?;
    Ok((ports, Some(thread)))
}

/// The system of the control thread, and a thread for each Worker but the first.
fn begin(workers: usize) -> io::Result<(SystemRunner, Vec<Arbiter>)> {
    let runtime = actix_rt::Runtime::new()?;
    let runner = actix::System::with_tokio_rt(|| runtime);
    let mut arbiters = Vec::new();
    for _ in 1..workers {
        match runner.block_on(async { Arbiter::try_new() }) {
            Ok(arbiter) => arbiters.push(arbiter),
            Err(cause) => {
                stop_all(arbiters);
                return Err(cause);
            }
        }
    }
    Ok((runner, arbiters))
}

fn stop_all(arbiters: Vec<Arbiter>) {
    for arbiter in arbiters {
        arbiter.stop();
        if arbiter.join().is_err() {
            log::error!("a worker thread of a hedgerow system panicked");
        }
    }
}

fn no_thread(cause: io::Error) -> Error {
    let text = format!("no thread can be started: {cause}");
    Error::new(Kind::Internal(text.into())).with_source(cause)
}

/// Makes all actors and tells each whom it sends to. Runs on the control arbiter; `arbiters` are
/// those of the Workers but the first, which shares this one. Workers beyond them run here too.
pub(super) fn wire(
    setup: &Setup,
    arbiters: &[ArbiterHandle],
    stop_system: Option<Box<dyn FnOnce()>>,
) -> Ports {
    // Contexts come first: they have addresses before their actors exist.
    let dispatcher = Context::<Dispatcher>::new();
    let planner = Context::<BatchPlanner>::new();
    let pool = Context::<WorkerPool>::new();
    let hedger = Context::<Hedger>::new();
    let metrics = Context::<MetricsCollector>::new();

    let to_dispatcher: Addr<Dispatcher> = dispatcher.address();
    let to_pool: Addr<WorkerPool> = pool.address();
    let to_metrics: Addr<MetricsCollector> = metrics.address();
    let peers = Peers {
        planner: planner.address().recipient(),
        assign: to_pool.clone().recipient(),
        abort: to_pool.clone().recipient(),
        watch: hedger.address().recipient(),
        settled: hedger.address().recipient(),
        observed: to_metrics.clone().recipient(),
        stop: vec![
            to_pool.clone().recipient(),
            planner.address().recipient(),
            hedger.address().recipient(),
            to_metrics.clone().recipient(),
        ],
    };
    let ports = Ports {
        entrance: Entrance::new(to_dispatcher.clone().recipient(), setup.max_operations),
        cancel: to_dispatcher.clone().recipient(),
        inspect: to_dispatcher.clone().recipient(),
        end_series: to_dispatcher.clone().recipient(),
        shutdown: to_dispatcher.clone().recipient(),
        snapshot: to_metrics.clone().recipient(),
        crash: to_pool.clone().recipient(),
        #[cfg(feature = "bench")]
        control: Arbiter::current(),
    };
    let start_worker = worker_starter(setup, arbiters, to_pool);
    metrics.run(MetricsCollector::new());
    planner.run(BatchPlanner {
        planned: to_dispatcher.clone().recipient(),
    });
    hedger.run(Hedger::new(to_dispatcher.clone().recipient()));
    pool.run(WorkerPool::new(
        setup.workers,
        start_worker,
        to_dispatcher.clone().recipient(),
        to_dispatcher.recipient(),
    ));
    dispatcher.run(Dispatcher::new(peers, request_id_prefix(), stop_system));
    ports
}

fn worker_starter(
    setup: &Setup,
    arbiters: &[ArbiterHandle],
    pool: Addr<WorkerPool>,
) -> Box<dyn Fn(usize, u64) -> WorkerPort> {
    let arbiters = arbiters.to_vec();
    let transport = Arc::clone(&setup.transport);
    let max_response_bytes = setup.max_response_bytes;
    let share = setup.max_buffered_bytes / setup.workers;
    Box::new(move |worker, generation| {
        let transport = Arc::clone(&transport);
        let pool = pool.clone();
        let make = move |context: &mut Context<Worker>| {
            let tools = Tools::new(made(&transport), max_response_bytes, share);
            let obituary = Obituary {
                worker,
                generation,
                pool: pool.clone().recipient(),
            };
            let own = context.address().recipient();
            Worker::new(tools, own, pool.recipient(), obituary)
        };
        let address = match worker.checked_sub(1).and_then(|other| arbiters.get(other)) {
            Some(arbiter) => Worker::start_in_arbiter(arbiter, make),
            None => Worker::create(make),
        };
        WorkerPort {
            assign: address.clone().recipient(),
            abort: address.clone().recipient(),
            stop: address.clone().recipient(),
            crash: address.recipient(),
        }
    })
}

/// The transport of a Worker. One that cannot be made fails each request, where a panic here would
/// leave the Worker's requests without an end.
fn made(factory: &TransportFactory) -> Rc<dyn Transport> {
    let make = AssertUnwindSafe(|| factory());
    catch_unwind(make).unwrap_or_else(|_| {
        log::error!("a transport factory panicked; its worker can send nothing");
        Rc::new(NoTransport)
    })
}

struct NoTransport;

impl Transport for NoTransport {
    fn send(
        &self,
        _: Request,
    ) -> LocalBoxFuture<'static, std::result::Result<Response, TransportError>> {
        let cause = "the transport could not be made: its factory panicked".to_owned();
        future::ready(Err(TransportError::BadRequest(cause))).boxed_local()
    }
}
