//! What `actix_web.rs` and `axum.rs` have in common: all that is not about their frameworks.

use clap::Parser;
use hedgerow::mock::MockServer;
use hedgerow::{Client, Embeddings, Preference};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// What a service does from its start to its end: its exit code says how that went.
pub(crate) async fn run(name: &str, serve: impl AsyncFnOnce(Arguments) -> Outcome<()>) -> ExitCode {
    hedgerow::init_logging();
    match serve(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("{name}: {cause}");
            ExitCode::FAILURE
        }
    }
}

/// A service that answers `POST /embed` with embeddings.
#[derive(Parser)]
pub(crate) struct Arguments {
    /// The port of 127.0.0.1 to serve at; 0 takes a free one, which the first line tells.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The inference service to ask, in place of a mock in this process. Its key is read from
    /// `OPENAI_API_KEY`.
    #[arg(long)]
    upstream: Option<String>,
    /// The model to ask for.
    #[arg(long, default_value = "mock-embedding")]
    pub(crate) model: String,
    /// Seconds until a caller is told that it takes too long.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Seconds that calls under way have to end, once the service is told to stop.
    #[arg(long, default_value_t = 5)]
    pub(crate) grace: u64,
}

impl Arguments {
    /// The socket that callers connect to.
    pub(crate) fn listen(&self) -> Outcome<TcpListener> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let listener = TcpListener::bind(address)
            .map_err(|cause| format!("cannot listen at {address}: {cause}"))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    /// How each call is made: a caller waits, so that few retries are better than many.
    pub(crate) fn preference(&self) -> Preference {
        Preference {
            total_timeout: Some(Duration::from_secs(self.timeout)),
            max_retries: 2,
            ..Preference::default()
        }
    }

    /// The inference service, or the mock of one.
    pub(crate) fn upstream(&self) -> Outcome<Upstream> {
        let (url, mock) = match &self.upstream {
            Some(url) => (url.clone(), None),
            None => MockServer::start().map(|mock| (mock.url(), Some(mock)))?,
        };
        Ok(Upstream {
            client: Client::builder(url).build()?,
            grace: Duration::from_secs(self.grace),
            _mock: mock,
        })
    }
}

/// The inference service, as a service of ours holds it: hedgerow's actors run on threads of their
/// own, and all that serves callers shares them. That is one set of connections, and one notion of
/// how the inference service does.
pub(crate) struct Upstream {
    pub(crate) client: Client,
    grace: Duration,
    /// Runs until it is dropped.
    _mock: Option<MockServer>,
}

impl Upstream {
    /// Ends when this process is told to stop, by SIGINT (Ctrl-C) or SIGTERM. Calls that are under
    /// way when the grace is over are then ended, so that their callers are answered too: with 503.
    pub(crate) fn told_to_stop(&self) -> impl Future<Output = ()> + Send + 'static {
        let (system, grace) = (self.client.system().clone(), self.grace);
        async move {
            tokio::select! {
                () = interrupted() => {}
                () = terminated() => {}
            }
            println!("stopping");
            tokio::spawn(async move {
                tokio::time::sleep(grace).await;
                system.shutdown().await;
            });
        }
    }

    /// Says what was asked of it, and stops the actors.
    pub(crate) async fn end(self) {
        let system = self.client.system();
        if let Ok(did) = system.metrics().await {
            let (attempts, aborted) = (did.attempts, did.attempts_aborted);
            println!("{attempts} requests were sent, {aborted} of them aborted");
        }
        system.shutdown().await;
    }
}

/// The largest body that is accepted, in bytes.
pub(crate) const LARGEST_BODY: usize = 16 << 20;

/// What a caller sends.
#[derive(Deserialize)]
pub(crate) struct Texts {
    pub(crate) texts: Vec<String>,
}

/// What it gets: a list of numbers a text, in the order of the texts.
#[derive(Serialize)]
pub(crate) struct Vectors<'a> {
    model: &'a str,
    dimensions: usize,
    embeddings: Vec<&'a [f32]>,
}

impl<'a> From<&'a Embeddings> for Vectors<'a> {
    fn from(embeddings: &'a Embeddings) -> Self {
        Self {
            model: embeddings.model(),
            dimensions: embeddings.dimensions(),
            embeddings: embeddings.iter().collect(),
        }
    }
}

/// What it gets instead, as `{"error": "..."}`.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    #[serde(skip)]
    pub(crate) status: u16,
    pub(crate) error: String,
}

impl From<hedgerow::Error> for Failure {
    fn from(cause: hedgerow::Error) -> Self {
        let status = if cause.is_config() {
            400 // Nothing was sent: there are no texts, or a setting is out of range.
        } else if cause.is_timeout() {
            504
        } else if cause.is_closed() || cause.is_cancelled() {
            503 // This service is stopping.
        } else if cause.is_inside_runtime() {
            500
        } else {
            502 // The inference service refused, cannot be reached, or answers nonsense.
        };
        let error = cause.to_string();
        if status >= 500 {
            log::warn!("{status}: {error}");
        }
        Self { status, error }
    }
}

async fn interrupted() {
    if let Err(cause) = tokio::signal::ctrl_c().await {
        log::error!("Ctrl-C cannot be waited for: {cause}");
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(cause) => {
            log::error!("SIGTERM cannot be waited for: {cause}");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending::<()>().await;
}
