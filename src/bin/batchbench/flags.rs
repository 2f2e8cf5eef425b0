//! The flags of a run, and the configuration that follows from them.

use crate::Failure;
use crate::exports::Exports;
use crate::values;
use clap::Args;
use hedgerow::HedgeDelay;
use hedgerow::bench::{
    Arrival, BenchmarkConfig, Kind, Lengths, RunMode, Slo, Stage, Synthetic, read_jsonl,
};
use hedgerow::transport::{HttpSettings, HttpVersion, Proxy};
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// The flags of `run`.
#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) service: Service,
    #[command(flatten)]
    pub(crate) content: Content,
    #[command(flatten)]
    pub(crate) load: Load,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Where requests go, and how.
#[derive(Args)]
#[command(next_help_heading = "The service")]
pub(crate) struct Service {
    /// The service's address. Without a scheme, https.
    #[arg(long, value_name = "URL", default_value = "https://api.openai.com")]
    host: String,
    /// A path there, or a whole URL. Default: what is usual for --kind.
    #[arg(long, value_name = "PATH-or-URL")]
    endpoint: Option<String>,
    /// The bearer token. It is in no log and no report, but in the machine's list of processes for as
    /// long as the run lasts: --api-key-file and --api-key-env keep it out of there.
    #[arg(long, value_name = "TOKEN", hide_env_values = true)]
    api_key: Option<String>,
    /// A file that holds the token and nothing else.
    #[arg(long, value_name = "FILE", conflicts_with = "api_key")]
    api_key_file: Option<PathBuf>,
    /// The environment variable that has the token where neither is given; none is fine.
    #[arg(long, value_name = "NAME", default_value = "OPENAI_API_KEY")]
    api_key_env: String,
    /// A header that joins each request, `Name: value`. Can be given several times.
    #[arg(long, value_name = "HEADER", value_parser = values::HeaderParser)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// The longest that one attempt may take.
    #[arg(long, value_name = "S", default_value = "60", value_parser = values::timeout)]
    request_timeout_secs: Duration,
    /// Retries that one request may make.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = values::retries)]
    max_retries: usize,
    /// The longest pause before the first retry; each is up to four times longer than the last. 0:
    /// retries follow at once.
    #[arg(long, value_name = "MS", default_value_t = 250, value_parser = values::pause)]
    retry_delay_ms: u64,
    /// Sends a second attempt of a request that has not ended after so long, such as 300ms, or for
    /// longer than this percentile of the run's latest requests took, such as p95.
    #[arg(long, value_name = "SPAN-or-PERCENTILE")]
    hedge_delay: Option<HedgeDelay>,
    /// Speaks HTTP/2: over TLS where the server agrees, in clear text by prior knowledge.
    #[arg(long)]
    http2: bool,
    /// The proxy, `http://[user:password@]host:port`; `none` for none. Default: as `HTTP_PROXY`,
    /// `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Waits for the service before anything is sent, for so long at most, such as 2m: until
    /// --ready-path answers 2xx.
    #[arg(long, allow_hyphen_values = true, value_name = "SPAN", value_parser = values::some_span)]
    pub(crate) wait_ready: Option<Duration>,
    /// What says that the service is ready: a path at the address where requests go. It is asked by
    /// GET over HTTP/1.1, with the same key and headers.
    #[arg(
        long,
        value_name = "PATH",
        default_value = "/health",
        requires = "wait_ready"
    )]
    ready_path: String,
}

/// What is sent.
#[derive(Args)]
#[command(
    next_help_heading = "What is sent",
    group = clap::ArgGroup::new("source").args(["jsonl", "input_tokens"]).required(true)
)]
pub(crate) struct Content {
    /// A file of JSON objects, one a line, each with `text`, `messages`, `body`, or `query` and
    /// `texts`.
    #[arg(long, value_name = "PATH")]
    jsonl: Option<PathBuf>,
    /// The model that requests name.
    #[arg(long, value_name = "NAME", default_value = "gpt-4o-mini")]
    model: String,
    /// chat, completions, embeddings, rerank, classify or raw (the record's body as it is).
    #[arg(long, value_name = "KIND", default_value_t = Kind::Chat)]
    kind: Kind,
    /// Texts in a request of embeddings, rerank or classify.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::batch)]
    batch_size: usize,
    /// Asks for streams of tokens, and measures them.
    #[arg(long)]
    stream: bool,
    /// Makes up prompts of so many tokens, in place of --jsonl.
    #[arg(long, value_name = "N", value_parser = values::count)]
    input_tokens: Option<u32>,
    /// Lengths of made-up prompts differ by up to so many tokens, evenly.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        requires = "input_tokens",
        conflicts_with_all = ["jsonl", "input_sigma"],
        value_parser = values::vary
    )]
    input_vary: u32,
    /// Lengths of made-up prompts are log-normal, with --input-tokens as their median and this as
    /// the standard deviation of the logarithm.
    #[arg(long, value_name = "SIGMA", requires = "input_tokens", conflicts_with = "jsonl", value_parser = values::sigma)]
    input_sigma: Option<f64>,
    /// The share of made-up prompts, from their beginning, that all have in common.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, requires = "input_tokens", conflicts_with = "jsonl", value_parser = values::share)]
    prefix_overlap: f64,
    /// How many different prompts are made up; requests take them in turn.
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "input_tokens", conflicts_with = "jsonl", value_parser = values::count)]
    prompts: u32,
    /// Counts the tokens of made-up prompts by a model's tokenizer.json. Default: four bytes each.
    #[arg(
        long,
        value_name = "PATH",
        requires = "input_tokens",
        conflicts_with = "jsonl"
    )]
    tokenizer: Option<PathBuf>,
    /// Asks for exactly so many tokens an answer (`max_completion_tokens`, `nvext.ignore_eos`).
    #[arg(long, value_name = "N", value_parser = values::count)]
    output_tokens: Option<u32>,
    /// Each request asks for up to so many tokens more or fewer, evenly; at least 1.
    #[arg(long, value_name = "N", requires = "output_tokens", value_parser = values::count)]
    output_vary: Option<u32>,
    /// What prompts, numbers of tokens and arrivals are drawn from.
    #[arg(long, value_name = "SEED", default_value_t = 0, value_parser = values::seed)]
    seed: u64,
}

/// Who starts requests, and when.
#[derive(Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct Load {
    /// Closed loop: so many users, each with one request at a time. Default: one a record.
    #[arg(long, value_name = "N", value_parser = values::users)]
    users: Option<usize>,
    /// Requests that each user sends.
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with_all = ["duration", "rate", "stages", "user_stages"])]
    requests_per_user: Option<u32>,
    /// How long the load lasts, such as 30s or 5m; without --rate, users go on for so long.
    #[arg(long, allow_hyphen_values = true, value_name = "SPAN", value_parser = values::some_span, conflicts_with_all = ["stages", "user_stages"])]
    duration: Option<Duration>,
    /// Open loop: so many requests a second, whatever became of those before. With
    /// --session-requests: so many sessions.
    #[arg(long, value_name = "R", value_parser = values::rate, conflicts_with_all = ["users", "stages", "user_stages"])]
    rate: Option<f64>,
    /// Open loop, with a rate that changes: RATE:SPAN or FROM-TO:SPAN, such as 10:30s,0-100:1m.
    #[arg(long, allow_hyphen_values = true, value_name = "STAGES", value_delimiter = ',', value_parser = values::stage, conflicts_with_all = ["users", "user_stages"])]
    stages: Vec<Stage>,
    /// Closed loop, with a number of users that changes, as --stages.
    #[arg(long, allow_hyphen_values = true, value_name = "STAGES", value_delimiter = ',', value_parser = values::stage, conflicts_with = "users")]
    user_stages: Vec<Stage>,
    /// Partly open loop: what arrives, by --rate or --stages, is a session of so many requests, each
    /// of which follows the answer to the one before; those begun by the end go on.
    #[arg(long, value_name = "N", value_parser = values::session)]
    session_requests: Option<u64>,
    /// How long a user or a session pauses between an answer and the next request, such as 2s.
    #[arg(long, allow_hyphen_values = true, value_name = "SPAN", default_value = "0s", value_parser = values::span)]
    think_time: Duration,
    /// How arrivals are spaced: constant, poisson or gamma:SHAPE. Default: poisson.
    #[arg(long, value_name = "HOW")]
    arrival: Option<Arrival>,
    /// Open loop: ends after so many requests. Default with --rate alone: each request once.
    #[arg(long, value_name = "N", value_parser = values::count)]
    requests: Option<u32>,
    /// Open loop: at most so many at once; what waits keeps its scheduled start. 0: 1000000.
    /// Default: 16384.
    #[arg(long, value_name = "N", value_parser = values::most)]
    max_in_flight: Option<usize>,
    /// Leaves requests of the first so long out of the figures; comes in front of a duration.
    #[arg(long, allow_hyphen_values = true, value_name = "SPAN", default_value = "0s", value_parser = values::span)]
    warmup: Duration,
    /// How long what is under way is waited for at the end. Default: the request timeout.
    #[arg(long, allow_hyphen_values = true, value_name = "SPAN", value_parser = values::span)]
    drain: Option<Duration>,
    /// Threads that send. Default: one a core.
    #[arg(long, value_name = "N", value_parser = values::workers)]
    workers: Option<usize>,
}

/// What comes out.
#[derive(Args)]
#[command(next_help_heading = "What comes out")]
pub(crate) struct Output {
    /// A threshold, such as `ttft_p99<500ms` or `error_rate<1%`: exit code 3 when it is broken. Can
    /// be given several times.
    #[arg(long, value_name = "TERM")]
    pub(crate) slo: Vec<Slo>,
    /// Exit code 4 when the client was the bottleneck.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Does not measure the client itself before the run (half a second).
    #[arg(long)]
    no_calibration: bool,
    /// Shows no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) exports: Exports,
}

impl Run {
    /// The run that the flags ask for.
    pub(crate) fn config(&self) -> Result<BenchmarkConfig, Failure> {
        let (service, content, load) = (&self.service, &self.content, &self.load);
        let mode = match load.duration {
            Some(duration) => RunMode::LongRunning { duration },
            None => RunMode::Finite {
                requests_per_user: load.requests_per_user.unwrap_or(1) as usize,
            },
        };
        let url = content
            .kind
            .url(&service.host, service.endpoint.as_deref())?;
        let mut config = BenchmarkConfig::try_new(url, service.key()?, 1, mode, Value::Null)?
            .with_request_timeout(service.request_timeout_secs)
            .with_retry(
                service.max_retries,
                Duration::from_millis(service.retry_delay_ms),
            )
            .with_slos(self.output.slo.clone())
            .with_calibration(!self.output.no_calibration)
            .with_raised_open_files(true)
            .with_http(service.http()?);
        for (name, value) in &service.header {
            config = config.add_header(name.clone(), value.clone());
        }
        if let Some(span) = service.wait_ready {
            config = config.with_wait_ready(span, &service.ready_path);
        }
        if let Some(delay) = service.hedge_delay {
            config = config.with_hedge_delay(delay);
        }
        config = content.apply(config)?;
        Ok(load.apply(config))
    }
}

impl Service {
    fn key(&self) -> Result<Option<String>, Failure> {
        if let Some(key) = &self.api_key {
            eprintln!(
                "warning: whoever is on this machine can read --api-key in its list of processes; \
                 --api-key-file keeps the key out of there"
            );
            return Ok(Some(key.clone()));
        }
        let Some(path) = &self.api_key_file else {
            return Ok(std::env::var(&self.api_key_env).ok());
        };
        let refused = |why: &str| {
            let path = path.display();
            Failure::Usage(format!("--api-key-file '{path}' {why}"))
        };
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|cause| refused(&format!("cannot be read: {cause}")))?;
        match text.trim() {
            "" => Err(refused("holds no key")),
            key => Ok(Some(key.to_owned())),
        }
    }
}

impl Content {
    fn apply(&self, config: BenchmarkConfig) -> Result<BenchmarkConfig, Failure> {
        let mut config = match &self.jsonl {
            Some(path) => config.with_records(self.kind, read_jsonl(path)?),
            None => config.with_synthetic(self.kind, self.prompts()),
        };
        if let Some(path) = &self.tokenizer {
            config = config.with_tokenizer(path);
        }
        if let Some(tokens) = self.output_tokens {
            config = config.with_output_tokens(tokens, self.output_vary.unwrap_or(0));
        }
        Ok(config
            .with_model(&self.model)
            .with_batch_size(self.batch_size)
            .with_streaming(self.stream)
            .with_seed(self.seed))
    }

    fn prompts(&self) -> Synthetic {
        let tokens = self.input_tokens.unwrap_or(1);
        Synthetic {
            lengths: match self.input_sigma {
                Some(sigma) => Lengths::LogNormal {
                    median: tokens,
                    sigma,
                },
                None => Lengths::Uniform {
                    tokens,
                    vary: self.input_vary,
                },
            },
            prefix_overlap: self.prefix_overlap,
            count: self.prompts,
        }
    }
}

impl Load {
    /// Refuses flags that say nothing where users make the load.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let of_arrivals = [
            ("--requests", self.requests.is_some()),
            ("--session-requests", self.session_requests.is_some()),
            ("--arrival", self.arrival.is_some()),
            ("--max-in-flight", self.max_in_flight.is_some()),
        ];
        let is_open = self.rate.is_some() || !self.stages.is_empty();
        match of_arrivals.iter().find(|(_, given)| *given && !is_open) {
            Some((flag, _)) => Err(Failure::Usage(format!(
                "{flag} is of arrivals: it needs --rate or --stages"
            ))),
            None => Ok(()),
        }
    }

    /// Refuses flags that say nothing in a search, whose trials have a load of their own.
    pub(crate) fn check_search(&self) -> Result<(), Failure> {
        let own = [
            ("--users", self.users.is_some()),
            ("--requests-per-user", self.requests_per_user.is_some()),
            ("--duration", self.duration.is_some()),
            ("--rate", self.rate.is_some()),
            ("--stages", !self.stages.is_empty()),
            ("--user-stages", !self.user_stages.is_empty()),
            ("--requests", self.requests.is_some()),
        ];
        match own.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(Failure::Usage(format!(
                "{flag} says nothing in a search, whose rates are those from --from-rate to \
                 --to-rate, each for --trial"
            ))),
            None => Ok(()),
        }
    }

    /// A search's trials: arrivals as the flags say, at a rate that the search says.
    pub(crate) fn of_search(&self, config: BenchmarkConfig) -> BenchmarkConfig {
        config.with_arrivals(Vec::new(), self.arrival.unwrap_or_default())
    }

    /// What arrives, where something does.
    pub(crate) fn arrivals(&self) -> &'static str {
        match self.session_requests {
            Some(_) => "sessions",
            None => "requests",
        }
    }

    fn apply(&self, mut config: BenchmarkConfig) -> BenchmarkConfig {
        let arrival = self.arrival.unwrap_or_default();
        if let Some(rate) = self.rate {
            config = config.with_rate(rate, self.duration, arrival);
        } else if !self.stages.is_empty() {
            config = config.with_arrivals(self.stages.clone(), arrival);
        }
        if let Some(most) = self.max_in_flight {
            config = config.with_max_in_flight(Some(most).filter(|most| *most > 0));
        }
        if let Some(requests) = self.requests {
            config = config.with_request_count(requests.into());
        }
        if let Some(requests) = self.session_requests {
            config = config.with_sessions(requests);
        }
        if let Some(drain) = self.drain {
            config = config.with_drain(drain);
        }
        if let Some(workers) = self.workers {
            config = config.with_workers(workers);
        }
        config
            .with_users(self.users)
            .with_user_stages(self.user_stages.clone())
            .with_think_time(self.think_time)
            .with_warmup(self.warmup)
    }
}

impl Service {
    /// How connections are made. A proxy's URL is checked here and not as a flag's value, which an
    /// error would show: it may hold a password.
    fn http(&self) -> Result<HttpSettings, Failure> {
        let version = if self.http2 {
            HttpVersion::Http2
        } else {
            HttpVersion::Http1
        };
        let proxy = match self.proxy.as_deref() {
            None => Proxy::Environment,
            Some("none") => Proxy::Direct,
            Some(url) => Proxy::At(url.to_owned()),
        };
        proxy.validate()?;
        Ok(HttpSettings {
            version,
            proxy,
            ..HttpSettings::default()
        })
    }
}
