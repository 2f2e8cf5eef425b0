//! What a run is: raw as the caller gives it; checked in `blueprint.rs`, once.

mod load_model;

mod ready;

use super::open::{DEFAULT_IN_FLIGHT, Open};
use super::progress::Progress;
use super::run_mode::RunMode;
use super::schedule::Stage;
use super::stop::{Stop, Stopper};
use super::url::split_url;
use crate::bench::measure::Slo;
use crate::bench::request::{Kind, Record, Synthetic};
use crate::config::ApiKey;
use crate::error::{Error, Result};
use crate::policy::hedge::HedgeDelay;
use crate::transport::HttpSettings;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(in crate::bench) use ready::WaitReady;

/// What a run is. Every value has a default but those of [`try_new`](Self::try_new); all are
/// checked when the run begins.
///
/// ```
/// use hedgerow::bench::{BenchmarkConfig, RunMode};
/// use serde_json::json;
/// use std::time::Duration;
///
/// let body = json!({"model": "m", "messages": [{"role": "user", "content": "Ping"}]});
/// let mode = RunMode::Finite { requests_per_user: 25 };
/// let config = BenchmarkConfig::try_new("http://127.0.0.1:8000/v1/chat/completions", None, 8, mode, body)?
///     .with_request_timeout(Duration::from_secs(30))
///     .with_retry(3, Duration::from_millis(400));
/// # Ok::<(), hedgerow::Error>(())
/// ```
#[derive(Clone)]
pub struct BenchmarkConfig {
    pub(in crate::bench) endpoint: String,
    pub(in crate::bench) api_key: Option<ApiKey>,
    /// `None`: one a record.
    pub(in crate::bench) users: Option<usize>,
    pub(in crate::bench) mode: RunMode,
    pub(super) content: Content,
    pub(super) kind: Kind,
    pub(super) model: String,
    pub(super) batch_size: usize,
    pub(super) stream: bool,
    pub(super) output_tokens: Option<u32>,
    pub(super) output_vary: u32,
    pub(super) request_timeout: Duration,
    pub(super) max_retries: usize,
    pub(super) retry_delay: Duration,
    pub(super) headers: HeaderMap,
    pub(in crate::bench) hedge_delay: Option<HedgeDelay>,
    pub(in crate::bench) http: HttpSettings,
    pub(in crate::bench) open: Option<Open>,
    /// In flight at most, in an open loop.
    pub(in crate::bench) max_in_flight: Option<usize>,
    /// Ends the schedule of an open loop after so many.
    pub(in crate::bench) requests: Option<u64>,
    /// Requests of each session, where sessions arrive and not requests.
    pub(in crate::bench) session_requests: Option<u64>,
    pub(in crate::bench) think_time: Duration,
    pub(in crate::bench) user_stages: Vec<Stage>,
    pub(in crate::bench) wait_ready: Option<WaitReady>,
    pub(in crate::bench) warmup: Duration,
    pub(in crate::bench) drain: Option<Duration>,
    pub(in crate::bench) seed: u64,
    pub(super) workers: Option<usize>,
    pub(super) raise_open_files: bool,
    pub(in crate::bench) calibrate: bool,
    pub(in crate::bench) slos: Vec<Slo>,
    pub(in crate::bench) progress: Option<Callback>,
    pub(in crate::bench) stop: Stop,
}

/// What requests are made from.
#[derive(Clone)]
pub(super) enum Content {
    Bodies(Vec<Value>),
    Records(Vec<Record>),
    Synthetic(Synthetic, Option<std::path::PathBuf>),
}

impl Content {
    /// Records, bodies or prompts.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Bodies(bodies) => bodies.len(),
            Self::Records(records) => records.len(),
            Self::Synthetic(prompts, _) => prompts.count as usize,
        }
    }
}

pub(super) type Callback = Arc<dyn Fn(&Progress) + Send + Sync>;

impl BenchmarkConfig {
    /// A run of `user_count` users who each send `request_body` to `endpoint`, a URL, one request
    /// after the other, as `mode` says. Without an `api_key`, or with an empty one, no
    /// `authorization` is sent.
    ///
    /// # Errors
    ///
    /// When the endpoint is no URL, there is no user, or the mode is empty.
    pub fn try_new(
        endpoint: impl AsRef<str>,
        api_key: Option<String>,
        user_count: usize,
        mode: RunMode,
        request_body: Value,
    ) -> Result<Self> {
        let config = Self {
            endpoint: endpoint.as_ref().to_owned(),
            api_key: api_key
                .filter(|key| !key.is_empty())
                .map(ApiKey::new)
                .transpose()?,
            users: Some(user_count),
            mode,
            content: Content::Bodies(vec![request_body]),
            kind: Kind::Raw,
            model: "gpt-4o-mini".to_owned(),
            batch_size: 1,
            stream: false,
            output_tokens: None,
            output_vary: 0,
            request_timeout: Duration::from_mins(1),
            max_retries: 2,
            retry_delay: Duration::from_millis(250),
            headers: HeaderMap::new(),
            hedge_delay: None,
            http: HttpSettings::default(),
            open: None,
            max_in_flight: Some(DEFAULT_IN_FLIGHT),
            requests: None,
            session_requests: None,
            think_time: Duration::ZERO,
            user_stages: Vec::new(),
            wait_ready: None,
            warmup: Duration::ZERO,
            drain: None,
            seed: 0,
            workers: None,
            raise_open_files: false,
            calibrate: true,
            slos: Vec::new(),
            progress: None,
            stop: Stop::default(),
        };
        config.check_load()?;
        split_url(&config.endpoint)?;
        Ok(config)
    }

    /// The longest that one attempt may take, 0.1 s to an hour. Default 60 s.
    #[must_use]
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Retries that one request may make, at most 100, and the longest pause before the first: each
    /// is up to four times longer than the one before, at most 45 s, with full jitter; or as long as
    /// the server asks. Without a delay retries follow at once. Default 2 and 250 ms.
    #[must_use]
    pub fn with_retry(mut self, max_retries: usize, delay: Duration) -> Self {
        self.max_retries = max_retries;
        self.retry_delay = delay;
        self
    }

    /// Adds a header to each request, or replaces one of the same name.
    #[must_use]
    pub fn add_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The headers that join each request.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// Several bodies. Requests take them in turn: the `k`-th request of user `u`, of `n` users, is
    /// number `k * n + u`, and takes the body of that number, from the first again after the last.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn with_per_user_bodies(mut self, bodies: Vec<Value>) -> Result<Self> {
        if bodies.is_empty() {
            return Err(Error::config("per-user bodies: there is none"));
        }
        self.content = Content::Bodies(bodies);
        Ok(self)
    }

    /// Requests that are made from records, as `kind` says; taken in turn as
    /// [`with_per_user_bodies`](Self::with_per_user_bodies).
    #[must_use]
    pub fn with_records(mut self, kind: Kind, records: Vec<Record>) -> Self {
        self.kind = kind;
        self.content = Content::Records(records);
        self
    }

    /// Requests that are made from prompts, which are made up from the seed. Lengths are in tokens
    /// of four bytes.
    #[must_use]
    pub fn with_synthetic(mut self, kind: Kind, prompts: Synthetic) -> Self {
        self.kind = kind;
        self.content = Content::Synthetic(prompts, None);
        self
    }

    /// Counts the tokens of made-up prompts by the `tokenizer.json` of a model.
    #[must_use]
    pub fn with_tokenizer(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        if let Content::Synthetic(_, tokenizer) = &mut self.content {
            *tokenizer = Some(path.into());
        }
        self
    }

    /// The model that bodies made from records name. Default `gpt-4o-mini`.
    #[must_use]
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.model = model.into();
        self
    }

    /// Texts in a request of embeddings, ranking or classification, 1 to 10,000. Default 1.
    #[must_use]
    pub fn with_batch_size(mut self, texts: usize) -> Self {
        self.batch_size = texts;
        self
    }

    /// Asks for streams. Bodies that say `"stream": true` themselves are read as streams anyway.
    #[must_use]
    pub fn with_streaming(mut self, stream: bool) -> Self {
        self.stream = stream;
        self
    }

    /// Asks for so many tokens a request, more or less by up to `vary`, at least 1.
    #[must_use]
    pub fn with_output_tokens(mut self, tokens: u32, vary: u32) -> Self {
        self.output_tokens = Some(tokens);
        self.output_vary = vary;
        self
    }

    /// Sends a second attempt of each request that has not ended after so long, 0.045 s or more, or
    /// for longer than this share of the run's latest requests took; the first of the two to succeed
    /// counts.
    #[must_use]
    pub fn with_hedge_delay(mut self, delay: impl Into<HedgeDelay>) -> Self {
        self.hedge_delay = Some(delay.into());
        self
    }

    /// How connections are made: version of HTTP, proxy, TLS. Default: HTTP/1.1, and the proxy of
    /// the environment.
    #[must_use]
    pub fn with_http(mut self, settings: HttpSettings) -> Self {
        self.http = settings;
        self
    }

    /// Requests that are scheduled in the first so long are left out of the figures. It comes in
    /// front of a duration, with the level that the load begins with. Default: none.
    #[must_use]
    pub fn with_warmup(mut self, warmup: Duration) -> Self {
        self.warmup = warmup;
        self
    }

    /// How long requests that are under way, or wait for a place, are waited for after the last
    /// scheduled start. Then they are cut, or dropped, and counted so. Default: the request
    /// timeout.
    #[must_use]
    pub fn with_drain(mut self, drain: Duration) -> Self {
        self.drain = Some(drain);
        self
    }

    /// What schedule and bodies are drawn from: the same seed, the same requests at the same times,
    /// on any number of cores. Default 0.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Threads that send, 1 to 1024. In a closed loop each has connections of its own for its share
    /// of the users, and after a refusal (429, 503) pauses on its own. Default: one a core.
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Whether the run may raise this process's limit of open files, as far as the system allows it
    /// and the load needs: a connection is a file. It is not lowered again. Default: no, since a
    /// library leaves limits alone.
    #[must_use]
    pub fn with_raised_open_files(mut self, raise: bool) -> Self {
        self.raise_open_files = raise;
        self
    }

    /// Whether the client is measured against a server of its own before the run, for half a
    /// second, so that the report can say when the client was the bottleneck. Default: yes.
    #[must_use]
    pub fn with_calibration(mut self, calibrate: bool) -> Self {
        self.calibrate = calibrate;
        self
    }

    /// What the run is to hold; the report says what it did not.
    #[must_use]
    pub fn with_slos(mut self, slos: Vec<Slo>) -> Self {
        self.slos = slos;
        self
    }

    /// Called about four times a second with how far the run is, on a thread of the run's own.
    #[must_use]
    pub fn with_progress(mut self, tell: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(tell));
        self
    }

    /// A handle by which the run can be ended early: its report is then of what was done.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stop.stopper()
    }
}

/// Shows neither key nor bodies, and of headers the names.
impl fmt::Debug for BenchmarkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        let endpoint = self.endpoint.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("BenchmarkConfig")
            .field("endpoint", &endpoint)
            .field("users", &self.users)
            .field("mode", &self.mode)
            .field("open", &self.open)
            .field("session_requests", &self.session_requests)
            .field("think_time", &self.think_time)
            .field("headers", &names)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
