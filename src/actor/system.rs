//! A system: how one is started, reached and stopped.

use super::dispatcher::{EndSeries, Inspect, Shutdown};
#[cfg(feature = "bench")]
use super::entrance::Entrance;
use super::messages::Crash;
use super::metrics::{MetricsSnapshot, Snapshot};
use super::wiring::{self, Ports, Setup};
use crate::caller::{self, Cancel, OperationId, ReplyPort};
use crate::error::{Error, Kind, Result};
use crate::job::{Job, Operation};
use crate::transport::{HttpSettings, TransportFactory};
use actix::{Arbiter, Recipient};
use parking_lot::Mutex;
use std::fmt;
use std::num::NonZero;
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
    max_buffered_bytes: usize,
    max_operations: usize,
}

/// As many operations as a system takes in, where nothing else is said, and at most.
pub(crate) const MOST_OPERATIONS: usize = 1_000_000;

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

    /// What all answers under way hold together, in bytes, while they are read and unpacked: each Worker
    /// has an equal share of it. An answer that finds no room waits, and its deadline runs on; one a
    /// Worker may always go on, up to [`max_response_bytes`](Self::max_response_bytes), so that whatever
    /// is accepted can be read. Of each answer 64 KiB are not counted. Default 2 GiB.
    pub fn max_buffered_bytes(mut self, most: usize) -> Self {
        self.max_buffered_bytes = most;
        self
    }

    /// The most operations that are under way at once, those included that wait to be begun: 1 to
    /// 1,000,000. Beyond them a call gives an error that
    /// [`is_overloaded`](Error::is_overloaded). Default 1,000,000.
    pub fn max_operations(mut self, most: usize) -> Self {
        self.max_operations = most;
        self
    }

    /// Starts the actors.
    ///
    /// # Errors
    ///
    /// When a setting is bad or no thread can be had.
    pub fn start(self) -> Result<System> {
        let workers = self.placement.workers()?;
        if !(1..=MOST_OPERATIONS).contains(&self.max_operations) {
            return Err(Error::config(format!(
                "max_operations must be between 1 and {MOST_OPERATIONS} (got {})",
                self.max_operations
            )));
        }
        let transport = match self.transport {
            Some(factory) => factory,
            None => self.http.factory()?,
        };
        let setup = Setup {
            workers,
            transport,
            max_response_bytes: self.max_response_bytes,
            max_buffered_bytes: self.max_buffered_bytes,
            max_operations: self.max_operations,
        };
        let (ports, thread) = match self.placement {
            Placement::Threads(_) => wiring::on_threads(setup)?,
            Placement::Current(_) => {
                if Arbiter::try_current().is_none() {
                    return Err(Error::config(
                        "Placement::Current needs a thread that runs an actix arbiter",
                    ));
                }
                (wiring::wire(&setup, &[], None), None)
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
            .field("max_buffered_bytes", &self.max_buffered_bytes)
            .field("max_operations", &self.max_operations)
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

/// A name that operations share which hedge as one, as the batches of a stream do. It ends when this
/// is dropped.
pub(crate) struct Series {
    id: OperationId,
    end: Recipient<EndSeries>,
}

impl Series {
    pub(crate) fn new(system: &System) -> Self {
        Self {
            id: OperationId::next(),
            end: system.0.ports.end_series.clone(),
        }
    }

    pub(crate) fn id(&self) -> OperationId {
        self.id
    }
}

impl Drop for Series {
    fn drop(&mut self) {
        self.end.do_send(EndSeries(self.id));
    }
}

struct Handle {
    ports: Ports,
    thread: Mutex<Option<JoinHandle<()>>>,
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
            max_buffered_bytes: 2 * GIB,
            max_operations: MOST_OPERATIONS,
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

    pub(crate) fn submit(&self, mut job: Job) -> Result<Submitted> {
        let id = OperationId::next();
        let operation = Arc::clone(&job.operation);
        let Ports {
            entrance, cancel, ..
        } = &self.0.ports;
        if let Some(token) = job.cancel_token.take() {
            let registered = token.register(id, cancel);
            job.registration = Some(registered.ok_or_else(|| Error::new(Kind::Cancelled))?);
        }
        let taken = entrance.submit(id, job);
        taken.map_err(|_| entrance.overloaded())?;
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
