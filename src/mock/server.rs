//! The handle of a running server: its threads, and what they share.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

use super::config::MockConfig;
use super::connection::serve;
use super::limits::{BadLimit, Limits};
use super::rules::Rule;
use super::shared::Shared;
use super::stats::Stats;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 4096;
/// How long accepting pauses when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A running mock inference server. Dropping it closes every connection and
/// waits until its threads have ended.
pub struct MockServer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    /// The threads run until this is dropped.
    stop: Option<watch::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl MockServer {
    /// Starts a server with the defaults: on a free port of `127.0.0.1`.
    ///
    /// # Errors
    ///
    /// When the system grants no socket or thread.
    pub fn start() -> io::Result<Self> {
        Self::start_with(MockConfig::default())
    }

    /// Starts a server.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on, the system grants no thread, or a
    /// limit is out of its range.
    pub fn start_with(config: MockConfig) -> io::Result<Self> {
        let checked = config.limits.check();
        checked.map_err(|bad| io::Error::new(io::ErrorKind::InvalidInput, bad))?;
        let runtimes: Vec<Runtime> = (0..config.threads.max(1))
            .map(|_| Builder::new_current_thread().enable_io().build())
            .collect::<io::Result<_>>()?;
        let handles: Vec<Handle> = runtimes
            .iter()
            .map(|runtime| runtime.handle().clone())
            .collect();
        let entered = runtimes[0].enter();
        let listening = listen(config.addr).and_then(|it| Ok((it.local_addr()?, it)));
        drop(entered);
        let (addr, listener) = match listening {
            Ok(listening) => listening,
            Err(error) => {
                // A plain drop would panic where the caller is itself async.
                runtimes.into_iter().for_each(Runtime::shutdown_background);
                return Err(error);
            }
        };

        let shared = Arc::new(Shared::new(config));
        let (stop, stopped) = watch::channel(());
        let mut server = Self {
            addr,
            shared,
            stop: Some(stop),
            threads: Vec::new(),
        };

        // From here on a failure drops `server`, which ends what has started.
        runtimes[0].spawn(accept(listener, handles, Arc::clone(&server.shared)));
        let shared = Arc::clone(&server.shared);
        server.spawn("mock-pacer".to_owned(), move || shared.pacer.run())?;
        for (number, runtime) in runtimes.into_iter().enumerate() {
            let mut stopped = stopped.clone();
            server.spawn(format!("mock-{number}"), move || {
                // An error is what is waited for: the sender is gone. Behind it
                // the runtime is dropped, and with it every connection.
                let _ = runtime.block_on(stopped.changed());
            })?;
        }
        Ok(server)
    }

    fn spawn(&mut self, name: String, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads
            .push(std::thread::Builder::new().name(name).spawn(run)?);
        Ok(())
    }

    /// Where the server listens, as the base URL of a client.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where the server listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What was counted so far: the same as `GET /stats` answers.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.ledger.snapshot()
    }

    /// Adds a rule behind those there are.
    pub fn inject(&self, rule: Rule) {
        self.shared.rules.add([rule]);
    }

    /// The rules, with what is left of their counts.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        self.shared.rules.list()
    }

    /// Puts these limits in the place of those there are, with full buckets. A
    /// server that had none counts only the requests that come from now on.
    ///
    /// # Errors
    ///
    /// When a limit is out of its range; then those there are stay.
    pub fn limit(&self, limits: Limits) -> Result<(), BadLimit> {
        limits.check()?;
        self.shared.limiter.set(limits);
        Ok(())
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.shared.limiter.limits()
    }

    /// Forgets rules and counts; limits stay. Connections stay open, and requests in flight
    /// go on as they began; they count no more.
    pub fn clear(&self) {
        self.shared.rules.clear();
        self.shared.reset_stats();
    }

    /// Blocks for as long as the server runs, which is until the process ends.
    pub fn wait(mut self) {
        self.join();
    }

    fn join(&mut self) {
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                log::error!("a thread of the mock server panicked");
            }
        }
    }
}

/// Shared state is left out: it holds megabytes of printed rows.
impl fmt::Debug for MockServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut server = f.debug_struct("MockServer");
        server.field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.stop = None;
        self.shared.pacer.stop();
        self.join();
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // A server started again at once finds its port's old connections lingering.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Accepts for all threads and deals the connections out in turn, which spreads
/// them evenly, where threads that all accept would race for them.
async fn accept(listener: TcpListener, threads: Vec<Handle>, shared: Arc<Shared>) {
    for turn in (0..threads.len()).cycle() {
        let stream = loop {
            match listener.accept().await {
                Ok((stream, _)) => break stream,
                Err(error) => {
                    log::warn!("cannot accept a connection: {error}");
                    shared
                        .pacer
                        .sleep_until(Instant::now() + ACCEPT_PAUSE)
                        .await;
                }
            }
        };
        if let Err(error) = deal(stream, turn, &threads[turn], &shared) {
            log::warn!("lost a connection: {error}");
        }
    }
}

/// Hands a connection to a thread. The first accepted it and need not register
/// its socket again.
fn deal(stream: TcpStream, turn: usize, thread: &Handle, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let shared = Arc::clone(shared);
    if turn == 0 {
        thread.spawn(async move { serve(stream, &shared).await });
        return Ok(());
    }
    let stream = stream.into_std()?;
    thread.spawn(async move {
        match TcpStream::from_std(stream) {
            Ok(stream) => serve(stream, &shared).await,
            Err(error) => log::warn!("lost a connection: {error}"),
        }
    });
    Ok(())
}
