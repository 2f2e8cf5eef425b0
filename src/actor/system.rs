//! Starting and stopping: which actor runs on which thread, and who knows whom.
//!
//! [`wire`] is the only function that knows every actor.

use super::dispatcher::{Dispatcher, Inspect, Peers, Shutdown};
use super::entrance::Entrance;
use super::exchange::Tools;
use super::hedger::Hedger;
use super::metrics::{MetricsCollector, MetricsSnapshot, Snapshot};
use super::planner::BatchPlanner;
use super::pool::{WorkerPool, WorkerPort};
use super::worker::{Crash, Obituary, Worker};
use crate::caller::{self, Cancel, OperationId, ReplyPort};
use crate::config::request_id_prefix;
use crate::error::{Error, Kind, Result};
use crate::job::{Job, Operation};
use crate::transport::{
    HttpSettings, Request, Response, Transport, TransportError, TransportFactory,
};
use actix::{Actor, Addr, Arbiter, ArbiterHandle, AsyncContext, Context, Recipient};
use futures_util::FutureExt;
use futures_util::future::{self, LocalBoxFuture};
use parking_lot::Mutex;
use std::fmt;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// Where the actors run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// On threads of their own: so many Workers, one a thread. The first shares its thread with
    /// the actors that control; with one Worker the whole system is one thread.
    Threads(usize),
    /// All of them on the calling thread, which runs an actix arbiter; with so many Workers.
    Current(usize),
}

impl Placement {
    /// How many Workers there are, if there can be so many.
    pub(crate) fn workers(self) -> Result<usize> {
        let (Self::Threads(workers) | Self::Current(workers)) = self;
        if !(1..=1024).contains(&workers) {
            return Err(Error::config(format!(
                "workers must be between 1 and 1024 (got {workers})"
            )));
        }
        Ok(workers)
    }
}

impl Default for Placement {
    /// A thread a core.
    fn default() -> Self {
        Self::Threads(thread::available_parallelism().map_or(1, NonZero::get))
    }
}

/// Makes a [`System`].
#[derive(Clone)]
#[must_use]
pub struct SystemBuilder {
    placement: Placement,
    http: HttpSettings,
    transport: Option<TransportFactory>,
    max_response_bytes: usize,
}

impl SystemBuilder {
    /// Where the actors run. Default: a thread a core.
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// So many Workers, each on a thread of its own: short for [`Placement::Threads`].
    pub fn workers(self, workers: usize) -> Self {
        self.placement(Placement::Threads(workers))
    }

    /// How connections are made.
    pub fn http(mut self, settings: HttpSettings) -> Self {
        self.http = settings;
        self
    }

    /// Exchanges HTTP by other means, such as a simulated network. Default: as [`http`](Self::http) says.
    pub fn transport(mut self, factory: TransportFactory) -> Self {
        self.transport = Some(factory);
        self
    }

    /// The largest answer that is accepted, in bytes after decompression. Default 1 GiB.
    pub fn max_response_bytes(mut self, most: usize) -> Self {
        self.max_response_bytes = most;
        self
    }

    /// Starts the actors.
    ///
    /// # Errors
    ///
    /// When a setting is bad or no thread can be had.
    pub fn start(self) -> Result<System> {
        let workers = self.placement.workers()?;
        let transport = match self.transport {
            Some(factory) => factory,
            None => self.http.factory()?,
        };
        let blueprint = Blueprint {
            workers,
            transport,
            max_response_bytes: self.max_response_bytes,
        };
        let (ports, thread) = match self.placement {
            Placement::Threads(_) => on_threads(blueprint)?,
            Placement::Current(_) => {
                if Arbiter::try_current().is_none() {
                    return Err(Error::config(
                        "Placement::Current needs a thread that runs an actix arbiter",
                    ));
                }
                (wire(&blueprint, &[], None), None)
            }
        };
        Ok(System(Arc::new(Handle {
            ports,
            thread: Mutex::new(thread),
        })))
    }
}

impl fmt::Debug for SystemBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemBuilder")
            .field("placement", &self.placement)
            .field("http", &self.http)
            .field("own_transport", &self.transport.is_some())
            .field("max_response_bytes", &self.max_response_bytes)
            .finish()
    }
}

/// A running actor system. Clones are handles of the same one; it stops when the last is dropped,
/// or by [`shutdown`](System::shutdown). A process can have several.
#[derive(Clone)]
pub struct System(Arc<Handle>);

/// An operation that was handed over. Its inputs are held until the caller drops this: it takes a
/// while to free millions of them, in which the Dispatcher would serve nobody else.
pub(crate) struct Submitted {
    pub(crate) id: OperationId,
    #[expect(dead_code, reason = "it is there to be dropped")]
    operation: Arc<dyn Operation>,
}

struct Handle {
    ports: Ports,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Where the outside reaches the actors.
struct Ports {
    entrance: Entrance,
    cancel: Recipient<Cancel>,
    inspect: Recipient<Inspect>,
    shutdown: Recipient<Shutdown>,
    snapshot: Recipient<Snapshot>,
    crash: Recipient<Crash>,
    /// The arbiter that they run on.
    #[cfg(feature = "bench")]
    control: ArbiterHandle,
}

impl System {
    /// Begins a system.
    pub fn builder() -> SystemBuilder {
        const GIB: usize = 1 << 30;
        SystemBuilder {
            placement: Placement::default(),
            http: HttpSettings::default(),
            transport: None,
            max_response_bytes: GIB,
        }
    }

    /// Ends every operation with an error that [`is_closed`](Error::is_closed), closes every
    /// connection, and stops the actors. Ends when all is closed; a second call does no harm.
    pub async fn shutdown(&self) {
        let (port, stopped) = oneshot::channel();
        self.ask_to_stop(ReplyPort::Async(port));
        // No answer: it had stopped before.
        let _ = stopped.await;
    }

    /// [`shutdown`](System::shutdown) for threads; also waits for the system's threads to end.
    ///
    /// # Errors
    ///
    /// On a thread that an async runtime needs ([`Error::is_inside_runtime`]).
    pub fn shutdown_blocking(&self) -> Result<()> {
        caller::refuse_inside_runtime()?;
        let (port, stopped) = crossbeam_channel::bounded(1);
        self.ask_to_stop(ReplyPort::Blocking(port));
        // No answer: it had stopped before.
        let _ = stopped.recv();
        let thread = self.0.thread.lock().take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            log::error!("the control thread of a hedgerow system panicked");
        }
        Ok(())
    }

    /// What the system did since it started.
    ///
    /// # Errors
    ///
    /// When it was shut down.
    pub async fn metrics(&self) -> Result<MetricsSnapshot> {
        let (port, answer) = oneshot::channel();
        self.snapshot(ReplyPort::Async(port));
        answer.await.map_err(|_| Error::new(Kind::Closed))
    }

    pub(crate) fn submit(&self, job: Job) -> Result<Submitted> {
        let id = OperationId::next();
        let operation = Arc::clone(&job.operation);
        if let Some(token) = &job.cancel_token
            && !token.watch(id, &self.0.ports.cancel)
        {
            return Err(Error::new(Kind::Cancelled));
        }
        if let Err(refused) = self.0.ports.entrance.submit(id, job) {
            if let Some(token) = &refused.cancel_token {
                token.forget(id);
            }
            return Err(Entrance::overloaded());
        }
        Ok(Submitted { id, operation })
    }

    pub(crate) fn cancel(&self, cancel: Cancel) {
        self.0.ports.cancel.do_send(cancel);
    }

    pub(crate) fn inspect(&self, inspect: Inspect) {
        self.0.ports.inspect.do_send(inspect);
    }

    pub(crate) fn snapshot(&self, reply: ReplyPort<MetricsSnapshot>) {
        self.0.ports.snapshot.do_send(Snapshot(reply));
    }

    /// Makes a Worker panic, by its place: for tests.
    pub(crate) fn crash(&self, worker: usize) {
        self.0.ports.crash.do_send(Crash(worker));
    }

    /// Runs `start` where the actors run that control, so that it can start others beside them.
    /// It gets the ports by which they give the Dispatcher work.
    #[cfg(feature = "bench")]
    pub(crate) fn beside_the_dispatcher(
        &self,
        start: impl FnOnce(Entrance, Recipient<Cancel>) + Send + 'static,
    ) -> Result<()> {
        let Ports {
            entrance, cancel, ..
        } = &self.0.ports;
        let (entrance, cancel) = (entrance.clone(), cancel.clone());
        let sent = self
            .0
            .ports
            .control
            .spawn_fn(move || start(entrance, cancel));
        sent.then_some(()).ok_or_else(|| Error::new(Kind::Closed))
    }

    fn ask_to_stop(&self, reply: ReplyPort<()>) {
        self.0.ports.shutdown.do_send(Shutdown(Some(reply)));
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.ports.shutdown.do_send(Shutdown(None));
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System")
            .field("running", &self.0.ports.entrance.is_open())
            .finish_non_exhaustive()
    }
}

/// What a system is made from.
struct Blueprint {
    workers: usize,
    transport: TransportFactory,
    max_response_bytes: usize,
}

/// Starts the control thread, which starts a thread for each Worker but the first.
fn on_threads(blueprint: Blueprint) -> Result<(Ports, Option<JoinHandle<()>>)> {
    let (wired, ports) = crossbeam_channel::bounded(1);
    let control = move || {
        let runner = actix::System::new();
        let arbiters: Vec<Arbiter> =
            runner.block_on(async { (1..blueprint.workers).map(|_| Arbiter::new()).collect() });
        let handles: Vec<ArbiterHandle> = arbiters.iter().map(Arbiter::handle).collect();
        let system = actix::System::current();
        let stop: Box<dyn FnOnce()> = Box::new(move || system.stop());
        let ports = runner.block_on(async { wire(&blueprint, &handles, Some(stop)) });
        let _ = wired.send(ports);
        if let Err(cause) = runner.run() {
            log::error!("the control thread of a hedgerow system ended: {cause}");
        }
        for arbiter in arbiters {
            arbiter.stop();
            if arbiter.join().is_err() {
                log::error!("a worker thread of a hedgerow system panicked");
            }
        }
    };
    let thread = thread::Builder::new()
        .name("hedgerow".into())
        .spawn(control)
        .map_err(|cause| {
            Error::new(Kind::Internal("no thread can be started".into())).with_source(cause)
        })?;
    Ok((caller::wait(&ports)?, Some(thread)))
}

/// Makes all actors and tells each whom it sends to. Runs on the control arbiter; `arbiters` are
/// those of the Workers but the first, which shares this one. Workers beyond them run here too.
fn wire(
    blueprint: &Blueprint,
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
        entrance: Entrance::new(to_dispatcher.clone().recipient()),
        cancel: to_dispatcher.clone().recipient(),
        inspect: to_dispatcher.clone().recipient(),
        shutdown: to_dispatcher.clone().recipient(),
        snapshot: to_metrics.clone().recipient(),
        crash: to_pool.clone().recipient(),
        #[cfg(feature = "bench")]
        control: Arbiter::current(),
    };
    let start_worker = worker_starter(blueprint, arbiters, to_pool);
    metrics.run(MetricsCollector::new());
    planner.run(BatchPlanner {
        planned: to_dispatcher.clone().recipient(),
    });
    hedger.run(Hedger::new(to_dispatcher.clone().recipient()));
    pool.run(WorkerPool::new(
        blueprint.workers,
        start_worker,
        to_dispatcher.clone().recipient(),
        to_dispatcher.recipient(),
    ));
    dispatcher.run(Dispatcher::new(peers, request_id_prefix(), stop_system));
    ports
}

fn worker_starter(
    blueprint: &Blueprint,
    arbiters: &[ArbiterHandle],
    pool: Addr<WorkerPool>,
) -> Box<dyn Fn(usize, u64) -> WorkerPort> {
    let arbiters = arbiters.to_vec();
    let transport = Arc::clone(&blueprint.transport);
    let max_response_bytes = blueprint.max_response_bytes;
    Box::new(move |worker, generation| {
        let transport = Arc::clone(&transport);
        let pool = pool.clone();
        let make = move |context: &mut Context<Worker>| {
            let tools = Tools::new(made(&transport), max_response_bytes);
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
