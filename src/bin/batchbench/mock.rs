//! `batchbench mock`: the mock inference server.

use crate::values;
use hedgerow::mock::{Fault, Latency, MockConfig, MockServer, Rule};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The flags of `mock`.
#[derive(clap::Args)]
pub(crate) struct Mock {
    /// The port to listen on; 0 picks a free one.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// The address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Threads that serve.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
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
