//! `batchbench mock`: the mock inference server.

use crate::values;
use hedgerow::mock::{Fault, Latency, LimitStyle, Limits, MockConfig, MockServer, Rule};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The flags of `mock`.
#[derive(clap::Args)]
pub(crate) struct Mock {
    /// The port to listen on; 0 picks a free one.
    #[arg(long, default_value_t = 8000, value_parser = values::port)]
    port: u16,
    /// The address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Threads that serve.
    #[arg(long, default_value_t = 1, value_parser = values::ranged::<u8>(1..=255))]
    threads: u8,
    /// How long answers take, in milliseconds: `none`, `fixed=20`, `lognormal=20;sigma=0.5`, or
    /// `slow_share=0.01;fast=5;slow=200`.
    #[arg(long, default_value = "none")]
    latency: Latency,
    /// The length of embeddings where a request names none.
    #[arg(long, default_value_t = 8, value_parser = values::size)]
    dimensions: usize,
    /// Tokens of a completion where a request sets no limit.
    #[arg(long, default_value_t = 16, value_parser = values::size)]
    tokens: usize,
    /// Milliseconds to a stream's first token.
    #[arg(long, default_value_t = 0.0, value_parser = values::milliseconds)]
    ttft_ms: f64,
    /// Milliseconds between a stream's tokens.
    #[arg(long, default_value_t = 0.0, value_parser = values::milliseconds)]
    itl_ms: f64,
    /// Seed of latencies and shares.
    #[arg(long, default_value_t = 0, value_parser = values::seed)]
    seed: u64,
    /// A fault that every request meets, such as `status=503;retry_after=1` or `reset`. Can be given
    /// several times. More is possible at run time: POST /mock/rules.
    #[arg(long)]
    fault: Vec<Fault>,
    /// The share of requests that meet the faults, 0 to 1.
    #[arg(long, default_value_t = 1.0, value_parser = values::share)]
    fault_share: f64,
    #[command(flatten)]
    limits: LimitFlags,
}

/// What the server takes in before it says no. At run time: POST /mock/limits.
#[derive(clap::Args)]
#[command(next_help_heading = "Limits")]
struct LimitFlags {
    /// Requests served at once, from the head read to the answer's last byte. One more is refused
    /// without delay.
    #[arg(long, value_name = "N", value_parser = values::ranged::<u64>(Limits::IN_FLIGHT))]
    max_in_flight: Option<u64>,
    /// Inputs of all requests together that are served at once, as text-embeddings-inference counts
    /// (its default is 512). A request with more than there are places for is refused in the same way.
    #[arg(long, value_name = "N", value_parser = values::ranged::<u64>(Limits::IN_FLIGHT))]
    max_inputs_in_flight: Option<u64>,
    /// As uvicorn's flag of this name: while so many connections are open, idle ones too, each request
    /// is refused with 503 and its connection closed.
    #[arg(long, value_name = "N", value_parser = values::ranged::<u64>(Limits::IN_FLIGHT))]
    limit_concurrency: Option<u64>,
    /// The status of the refusal above --max-in-flight and --max-inputs-in-flight. Traefik says 503.
    #[arg(
        long, value_name = "STATUS", default_value_t = 429,
        value_parser = values::ranged::<u16>(Limits::STATUS)
    )]
    overload_status: u16,
    /// Seconds of a retry-after header beside --overload-status. Without this flag there is none.
    #[arg(long, value_name = "SECONDS", value_parser = values::ranged::<u64>(Limits::RETRY_AFTER))]
    retry_after: Option<u64>,
    /// Requests a minute, refilled evenly, with one second's worth (at least one) at once. Above it:
    /// 429 and the headers of --limit-style.
    #[arg(long, value_name = "N", value_parser = values::ranged::<u64>(Limits::PER_MINUTE))]
    requests_per_minute: Option<u64>,
    /// Tokens of input a minute, one every four bytes of text, in the same way. A request of more
    /// than a second's worth passes when none is owed, and those behind it wait the longer.
    #[arg(long, value_name = "N", value_parser = values::ranged::<u64>(Limits::PER_MINUTE))]
    tokens_per_minute: Option<u64>,
    /// Inputs of one request. Above it: 400, or 422 with --limit-style tei.
    #[arg(long, value_name = "N", value_parser = values::ranged::<u64>(Limits::PER_BATCH))]
    max_batch_items: Option<u64>,
    /// Tokens of one request. Above it: 400, or 413 with --limit-style tei.
    #[arg(long, value_name = "N", value_parser = values::ranged::<u64>(Limits::PER_BATCH))]
    max_batch_tokens: Option<u64>,
    /// Limits of its own for each `authorization`: all but --limit-concurrency.
    #[arg(long)]
    limit_by_key: bool,
    /// Whose headers and bodies refusals have: openai, azure, anthropic, mistral, jina, cohere, ietf
    /// (RateLimit-Policy), tei (text-embeddings-inference), dashscope, or none (no headers).
    #[arg(long, value_name = "STYLE", default_value_t = LimitStyle::OpenAi)]
    limit_style: LimitStyle,
}

impl From<LimitFlags> for Limits {
    fn from(flags: LimitFlags) -> Self {
        Self {
            max_in_flight: flags.max_in_flight,
            max_inputs_in_flight: flags.max_inputs_in_flight,
            limit_concurrency: flags.limit_concurrency,
            overload_status: flags.overload_status,
            retry_after: flags.retry_after,
            requests_per_minute: flags.requests_per_minute,
            tokens_per_minute: flags.tokens_per_minute,
            max_batch_items: flags.max_batch_items,
            max_batch_tokens: flags.max_batch_tokens,
            by_key: flags.limit_by_key,
            style: flags.limit_style,
        }
    }
}

/// Serves until it is interrupted, and then tells what was counted.
pub(crate) fn serve(arguments: Mock) -> Result<(), Box<dyn std::error::Error>> {
    let addr = SocketAddr::new(arguments.host, arguments.port);
    let server = MockServer::start_with(MockConfig {
        addr,
        threads: arguments.threads.into(),
        latency: arguments.latency,
        dimensions: arguments.dimensions,
        tokens: arguments.tokens,
        ttft: Duration::from_secs_f64(arguments.ttft_ms / 1e3),
        itl: Duration::from_secs_f64(arguments.itl_ms / 1e3),
        seed: arguments.seed,
        rules: rules(arguments.fault, arguments.fault_share),
        limits: arguments.limits.into(),
    })
    .map_err(|cause| format!("cannot listen on {addr}: {cause} (try another --port, or 0)"))?;
    println!("mock inference server at {}", server.url());
    println!("try: curl {}/health", server.url());
    std::io::stdout().flush()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(tokio::signal::ctrl_c())?;
    println!("{}", serde_json::to_string_pretty(&server.stats())?);
    Ok(())
}

/// One rule with all the faults, for a share of the requests.
fn rules(faults: Vec<Fault>, share: f64) -> Vec<Rule> {
    let mut faults = faults.into_iter();
    let Some(first) = faults.next() else {
        return Vec::new();
    };
    vec![faults.fold(Rule::on("/", first).share(share), Rule::with)]
}
