//! `make demo`: the lines of a text file go in, a matrix of embeddings comes out, over HTTP.
//!
//! It starts the mock inference server in-process, with a latency like that of a small model, a
//! few slow answers and a few refusals, so that hedging and retrying can be seen at work. With
//! `--url` it asks a real service instead.

use hedgerow::mock::{Fault, Latency, MockConfig, MockServer, Rule};
use hedgerow::{Client, Embed, Embeddings, MetricsSnapshot, Pending, Preference};
use indicatif::{ProgressBar, ProgressStyle};
use npyz::WriterBuilder;
use std::error::Error;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Embeds the lines of a text file and saves the matrix.
#[derive(clap::Parser)]
struct Arguments {
    /// The text; each line that is not empty is embedded.
    #[arg(long, default_value = "examples/data/paradise_lost.txt")]
    text: PathBuf,
    /// A service to ask instead of the mock; its key is read from `OPENAI_API_KEY`.
    #[arg(long)]
    url: Option<String>,
    /// The model to ask for.
    #[arg(long, default_value = "mock-embedding")]
    model: String,
    /// The length of each embedding; the service's own choice where --url is given.
    #[arg(long)]
    dimensions: Option<u32>,
    /// Where the matrix is written (NumPy's format, float32, lines x dimensions).
    #[arg(long, default_value = "target/demo/embeddings.npy")]
    output: PathBuf,
}

fn main() -> Outcome<()> {
    hedgerow::init_logging();
    let arguments: Arguments = clap::Parser::parse();
    let text = fs::read_to_string(&arguments.text)
        .map_err(|cause| format!("cannot read {}: {cause}", arguments.text.display()))?;
    let lines: Vec<String> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(str::to_owned)
        .collect();

    let mock = match arguments.url {
        Some(_) => None,
        None => Some(start_mock()?),
    };
    let url = match (&arguments.url, &mock) {
        (Some(url), _) => url.clone(),
        (None, Some(mock)) => mock.url(),
        (None, None) => unreachable!("one of the two is set"),
    };
    println!("embedding {} lines at {url}", lines.len());

    let client = Client::builder(url).build()?;
    let mut call = Embed::new(lines, arguments.model).preference(Preference {
        batch_size: 8,
        max_concurrent_requests: 24,
        timeout: Duration::from_secs(30),
        hedge_delay: Some(Duration::from_millis(100).into()),
        ..Preference::default()
    });
    let dimensions = arguments.dimensions.or(mock.is_some().then_some(384));
    if let Some(dimensions) = dimensions {
        call = call.dimensions(dimensions);
    }

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (embeddings, metrics) = runtime.block_on(async {
        let embeddings = with_progress(client.embed(call)).await?;
        let metrics = client.metrics().await?;
        client.system().shutdown().await;
        Outcome::Ok((embeddings, metrics))
    })?;
    report(&embeddings, &metrics);
    save(&embeddings, &arguments.output)?;
    println!("saved        {}", arguments.output.display());
    Ok(())
}

/// A server that answers in about 40 ms, now and then ten times slower, and refuses 40 times.
fn start_mock() -> Outcome<MockServer> {
    let server = MockServer::start_with(MockConfig {
        latency: Latency::SlowShare {
            fast: Duration::from_millis(40),
            slow: Duration::from_millis(400),
            share: 0.02,
        },
        ..MockConfig::default()
    })?;
    server.inject(Rule::on("/v1/embeddings", Fault::status(500)).times(40));
    Ok(server)
}

/// Waits for a call, and shows how far it is.
async fn with_progress(mut call: Pending<Embeddings>) -> hedgerow::Result<Embeddings> {
    let style = ProgressStyle::with_template(
        "{bar:40} {human_pos}/{human_len} lines, {elapsed} of about {duration}",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::no_length().with_style(style);
    let mut redraw = tokio::time::interval(Duration::from_millis(50));
    loop {
        tokio::select! {
            answer = &mut call => {
                if let Ok(embeddings) = &answer {
                    bar.set_length(embeddings.len() as u64);
                    bar.set_position(embeddings.len() as u64);
                }
                bar.abandon();
                return answer;
            }
            _ = redraw.tick() => {
                if let Some(progress) = call.progress().await {
                    bar.set_length(progress.total as u64);
                    bar.set_position(progress.done as u64);
                }
            }
        }
    }
}

fn report(embeddings: &Embeddings, metrics: &MetricsSnapshot) {
    let seconds = embeddings.total_time().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let per_second = |count: u64| count as f64 / seconds;
    println!(
        "matrix       {} x {} float32 in {seconds:.2} s",
        embeddings.len(),
        embeddings.dimensions()
    );
    println!(
        "rate         {:.0} lines/s, {:.0} requests/s",
        per_second(embeddings.len() as u64),
        per_second(metrics.requests_succeeded)
    );
    let mut times: Vec<Duration> = embeddings
        .requests()
        .iter()
        .map(|request| request.time)
        .collect();
    times.sort_unstable();
    println!(
        "latency      p50 {}, p90 {}, p99 {}, longest {:.1} ms (requests, pauses included)",
        percentile(&times, 50, 1),
        percentile(&times, 90, 64),
        percentile(&times, 99, 662),
        ms(times.last().copied().unwrap_or_default()),
    );
    println!(
        "attempts     {} for {} requests: {} retries, {} hedges ({} of them won)",
        metrics.attempts,
        metrics.requests_succeeded,
        metrics.retries,
        metrics.hedges,
        metrics.hedges_won
    );
}

/// The nearest-rank percentile of sorted times. Below `floor` samples it would be mostly chance.
fn percentile(sorted: &[Duration], percent: usize, floor: usize) -> String {
    if sorted.len() < floor {
        return "n/a".to_owned();
    }
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    format!("{:.1} ms", ms(sorted[rank - 1]))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn save(embeddings: &Embeddings, path: &Path) -> Outcome<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let shape = [embeddings.len() as u64, embeddings.dimensions() as u64];
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(&shape)
        .writer(BufWriter::new(File::create(path)?))
        .begin_nd()?;
    writer.extend(embeddings.as_slice())?;
    writer.finish()?;
    Ok(())
}
