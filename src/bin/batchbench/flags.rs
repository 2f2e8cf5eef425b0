//! The flags of a run, and the configuration that follows from them.

use crate::Failure;
use crate::exports::Exports;
use crate::values;
use clap::Args;
use hedgerow::bench::{
    Arrival, BenchmarkConfig, Kind, Lengths, Record, RunMode, Slo, Stage, Synthetic, read_jsonl,
};
use hedgerow::transport::{HttpSettings, HttpVersion, Proxy};
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
    /// The bearer token. It is in no log and no report.
    #[arg(long, value_name = "TOKEN", hide_env_values = true)]
    api_key: Option<String>,
    /// The environment variable that has the token where --api-key is not given; none is fine.
    #[arg(long, value_name = "NAME", default_value = "OPENAI_API_KEY")]
    api_key_env: String,
    /// A header that joins each request, `Name: value`. Can be given several times.
    #[arg(long, value_name = "HEADER", value_parser = values::header)]
    header: Vec<(http::HeaderName, http::HeaderValue)>,
    /// The longest that one attempt may take.
    #[arg(long, value_name = "S", default_value = "60", value_parser = values::timeout)]
    request_timeout_secs: Duration,
    /// Retries that one request may make.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = values::retries)]
    max_retries: usize,
    /// The longest pause before the first retry; each is up to four times longer than the last.
    #[arg(long, value_name = "MS", default_value_t = 250, value_parser = values::pause)]
    retry_delay_ms: u64,
    /// Sends a second attempt of a request that has not ended after so long, such as 300ms.
    #[arg(long, value_name = "SPAN", value_parser = values::some_span)]
    hedge_delay: Option<Duration>,
    /// Speaks HTTP/2: over TLS where the server agrees, in clear text by prior knowledge.
    #[arg(long)]
    http2: bool,
    /// The proxy, `http://[user:password@]host:port`; `none` for none. Default: as `HTTP_PROXY`,
    /// `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
}

/// What is sent.
#[derive(Args)]
#[command(next_help_heading = "What is sent")]
pub(crate) struct Content {
    /// A file of JSON objects, one a line, each with `text`, `messages`, `body`, or `query` and
    /// `texts`.
    #[arg(
        long,
        value_name = "PATH",
        required_unless_present = "input_tokens",
        conflicts_with = "input_tokens"
    )]
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
        conflicts_with = "input_sigma"
    )]
    input_vary: u32,
    /// Lengths of made-up prompts are log-normal, with --input-tokens as their median and this as
    /// the standard deviation of the logarithm.
    #[arg(long, value_name = "SIGMA", requires = "input_tokens", value_parser = values::sigma)]
    input_sigma: Option<f64>,
    /// The share of made-up prompts, from their beginning, that all have in common.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, requires = "input_tokens", value_parser = values::share)]
    prefix_overlap: f64,
    /// How many different prompts are made up; requests take them in turn.
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "input_tokens", value_parser = values::count)]
    prompts: u32,
    /// Counts the tokens of made-up prompts by a model's tokenizer.json. Default: four bytes each.
    #[arg(long, value_name = "PATH", requires = "input_tokens")]
    tokenizer: Option<PathBuf>,
    /// Asks for exactly so many tokens an answer (`max_completion_tokens`, `nvext.ignore_eos`).
    #[arg(long, value_name = "N", value_parser = values::count)]
    output_tokens: Option<u32>,
    /// Each request asks for up to so many tokens more or fewer, evenly; at least 1.
    #[arg(long, value_name = "N", requires = "output_tokens", value_parser = values::count)]
    output_vary: Option<u32>,
    /// What prompts, numbers of tokens and arrivals are drawn from.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
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
    #[arg(long, value_name = "SPAN", value_parser = values::some_span, conflicts_with_all = ["stages", "user_stages"])]
    duration: Option<Duration>,
    /// Open loop: so many requests a second, whatever became of those before.
    #[arg(long, value_name = "R", value_parser = values::rate, conflicts_with_all = ["users", "stages", "user_stages"])]
    pub(crate) rate: Option<f64>,
    /// Open loop, with a rate that changes: RATE:SPAN or FROM-TO:SPAN, such as 10:30s,0-100:1m.
    #[arg(long, value_name = "STAGES", value_delimiter = ',', value_parser = values::stage, conflicts_with_all = ["users", "user_stages"])]
    stages: Vec<Stage>,
    /// Closed loop, with a number of users that changes, as --stages.
    #[arg(long, value_name = "STAGES", value_delimiter = ',', value_parser = values::stage, conflicts_with = "users")]
    user_stages: Vec<Stage>,
    /// How arrivals are spaced: constant, poisson or gamma:SHAPE.
    #[arg(long, value_name = "HOW", default_value_t = Arrival::Poisson)]
    arrival: Arrival,
    /// Open loop: ends after so many requests. Default with --rate alone: one a record.
    #[arg(long, value_name = "N", value_parser = values::count)]
    requests: Option<u32>,
    /// Open loop: at most so many at once; what waits keeps its scheduled start. 0: no limit.
    #[arg(long, value_name = "N", default_value_t = 16_384)]
    max_in_flight: usize,
    /// Leaves requests of the first so long out of the figures; comes in front of a duration.
    #[arg(long, value_name = "SPAN", default_value = "0s", value_parser = values::span)]
    warmup: Duration,
    /// How long what is under way is waited for at the end. Default: the request timeout.
    #[arg(long, value_name = "SPAN", value_parser = values::span)]
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
        let records = content.records()?;
        let users = load.users.unwrap_or(records.len()).max(1);
        let mode = match load.duration {
            Some(duration) => RunMode::LongRunning { duration },
            None => RunMode::Finite {
                requests_per_user: load.requests_per_user.unwrap_or(1) as usize,
            },
        };
        let mut config = BenchmarkConfig::try_new(
            service.url(content.kind),
            service.key(),
            users,
            mode,
            Value::Null,
        )?
        .with_request_timeout(service.request_timeout_secs)
        .with_retry(
            service.max_retries,
            Duration::from_millis(service.retry_delay_ms),
        )
        .with_model(&content.model)
        .with_batch_size(content.batch_size)
        .with_streaming(content.stream)
        .with_seed(content.seed)
        .with_warmup(load.warmup)
        .with_user_stages(load.user_stages.clone())
        .with_slos(self.output.slo.clone())
        .with_calibration(!self.output.no_calibration);
        let default_requests = records.len();
        config = content.apply(records, config);
        config = load.apply(default_requests, config)?;
        for (name, value) in &service.header {
            config = config.add_header(name.clone(), value.clone());
        }
        if let Some(delay) = service.hedge_delay {
            config = config.with_hedge_delay(delay);
        }
        config = config.with_http(service.http()?);
        Ok(config)
    }
}

impl Service {
    fn url(&self, kind: Kind) -> String {
        let endpoint = self.endpoint.as_deref().unwrap_or(kind.path());
        let has_scheme = |text: &str| text.starts_with("http://") || text.starts_with("https://");
        if has_scheme(endpoint) {
            return endpoint.to_owned();
        }
        let host = self.host.trim_end_matches('/');
        let scheme = if has_scheme(host) { "" } else { "https://" };
        format!("{scheme}{host}/{}", endpoint.trim_start_matches('/'))
    }

    fn key(&self) -> Option<String> {
        let of_environment = || std::env::var(&self.api_key_env).ok();
        self.api_key.clone().or_else(of_environment)
    }
}

/// What requests are made from.
enum Source {
    Records(Vec<Record>),
    Synthetic(Synthetic),
}

impl Source {
    fn len(&self) -> usize {
        match self {
            Self::Records(records) => records.len(),
            Self::Synthetic(synthetic) => synthetic.count as usize,
        }
    }
}

impl Content {
    fn records(&self) -> Result<Source, Failure> {
        if let Some(path) = &self.jsonl {
            return Ok(Source::Records(read_jsonl(path)?));
        }
        let tokens = self.input_tokens.unwrap_or(1);
        Ok(Source::Synthetic(Synthetic {
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
        }))
    }

    fn apply(&self, source: Source, config: BenchmarkConfig) -> BenchmarkConfig {
        let mut config = match source {
            Source::Records(records) => config.with_records(self.kind, records),
            Source::Synthetic(prompts) => config.with_synthetic(self.kind, prompts),
        };
        if let Some(path) = &self.tokenizer {
            config = config.with_tokenizer(path);
        }
        if let Some(tokens) = self.output_tokens {
            config = config.with_output_tokens(tokens, self.output_vary.unwrap_or(0));
        }
        config
    }
}

impl Load {
    fn apply(
        &self,
        records: usize,
        mut config: BenchmarkConfig,
    ) -> Result<BenchmarkConfig, Failure> {
        /// No schedule is longer: with a number of requests, that is its end.
        const LONGEST: Duration = Duration::from_hours(24 * 30);
        let stages = match self.rate {
            Some(rate) => {
                let span = self.duration.unwrap_or(LONGEST.saturating_sub(self.warmup));
                vec![Stage::steady(rate, span)]
            }
            None => self.stages.clone(),
        };
        if stages.is_empty() {
            if self.requests.is_some() {
                let text = "--requests is of an open loop: it needs --rate or --stages";
                return Err(Failure::Usage(text.to_owned()));
            }
        } else {
            let most = Some(self.max_in_flight).filter(|most| *most > 0);
            config = config
                .with_arrivals(stages, self.arrival)
                .with_max_in_flight(most);
            let requests = match self.requests {
                Some(requests) => Some(u64::from(requests)),
                None if self.rate.is_some() && self.duration.is_none() => Some(records as u64),
                None => None,
            };
            if let Some(requests) = requests {
                config = config.with_request_count(requests);
            }
        }
        if let Some(drain) = self.drain {
            config = config.with_drain(drain);
        }
        if let Some(workers) = self.workers {
            config = config.with_workers(workers);
        }
        Ok(config)
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
