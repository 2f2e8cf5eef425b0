//! Plain threads, without anything async: they take the lines of a text in turn, and share one
//! `BlockingClient`. The first failure ends the calls of all.
//!
//! ```sh
//! cargo run --features mock --example threads -- examples/data/paradise_lost.txt
//! printf 'one\ntwo\n' | cargo run --features mock --example threads -- --output vectors.jsonl
//! ```

use clap::Parser;
use hedgerow::mock::MockServer;
use hedgerow::{BlockingClient, CancellationToken, Embed, Embeddings, Preference};
use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Embeds the lines of a text, by several threads.
#[derive(Parser)]
struct Arguments {
    /// The text; standard input where it is left out, or `-`.
    #[arg(default_value = "-")]
    text: PathBuf,
    /// The inference service to ask, in place of a mock in this process. Its key is read from
    /// `OPENAI_API_KEY`.
    #[arg(long)]
    upstream: Option<String>,
    /// The model to ask for.
    #[arg(long, default_value = "mock-embedding")]
    model: String,
    /// How many threads make calls.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..))]
    threads: u8,
    /// Lines a call; each call is one request.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=1024))]
    lines: u16,
    /// Where the embeddings are written, as JSON, one line each: `{"line":1,"embedding":[...]}`.
    #[arg(long)]
    output: Option<PathBuf>,
}

/// What is written of a line.
#[derive(serde::Serialize)]
struct Row<'a> {
    line: &'a usize,
    embedding: &'a [f32],
}

/// The lines that no thread has taken yet, with their numbers.
type Lines = Box<dyn Iterator<Item = (usize, io::Result<String>)> + Send>;

fn open(path: &Path) -> Outcome<Lines> {
    if path == Path::new("-") {
        return Ok(Box::new((1..).zip(BufReader::new(io::stdin()).lines())));
    }
    let cannot = |cause| format!("cannot read {}: {cause}", path.display());
    let file = File::open(path).map_err(cannot)?;
    Ok(Box::new((1..).zip(BufReader::new(file).lines())))
}

/// The next lines that are not empty, and their numbers.
fn take(lines: &Mutex<Lines>, count: usize) -> Outcome<(Vec<usize>, Vec<String>)> {
    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    let read = lines.by_ref().map(|(number, line)| match line {
        Ok(line) => Ok((number, line)),
        Err(cause) => Err(format!("cannot read line {number}: {cause}").into()),
    });
    let full = read.filter(|line| !matches!(line, Ok((_, text)) if text.trim().is_empty()));
    full.take(count).collect()
}

/// What each thread does. The main thread waits for what it sends.
fn work(
    arguments: &Arguments,
    client: &BlockingClient,
    lines: &Mutex<Lines>,
    token: &CancellationToken,
    done: &SyncSender<(Vec<usize>, Embeddings)>,
) -> Outcome<()> {
    loop {
        let (numbers, texts) = take(lines, arguments.lines.into())?;
        if texts.is_empty() {
            return Ok(());
        }
        let call = Embed::new(texts, &arguments.model).preference(Preference {
            batch_size: arguments.lines.into(),
            total_timeout: Some(Duration::from_mins(1)),
            cancel_token: Some(token.clone()),
            ..Preference::default()
        });
        if done.send((numbers, client.embed(call)?)).is_err() {
            return Ok(()); // The main thread has failed, and says why.
        }
    }
}

fn run(arguments: &Arguments) -> Outcome<()> {
    let lines = Mutex::new(open(&arguments.text)?);
    let mut output: Box<dyn Write> = match &arguments.output {
        Some(path) => {
            let cannot = |cause| format!("cannot write {}: {cause}", path.display());
            Box::new(BufWriter::new(File::create(path).map_err(cannot)?))
        }
        None => Box::new(io::sink()),
    };
    let (url, _mock) = match &arguments.upstream {
        Some(url) => (url.clone(), None),
        None => MockServer::start().map(|mock| (mock.url(), Some(mock)))?,
    };
    let client = BlockingClient::new(BlockingClient::builder(url).build()?);
    let token = CancellationToken::new();
    let (mut embedded, mut dimensions, start) = (0, 0, Instant::now());

    let mut failures = thread::scope(|scope| {
        let (done, results) = mpsc::sync_channel(arguments.threads.into());
        let threads: Vec<_> = (0..arguments.threads)
            .map(|_| {
                let (client, lines, token, done) = (&client, &lines, &token, done.clone());
                scope.spawn(move || {
                    let worked = work(arguments, client, lines, token, &done);
                    worked.inspect_err(|_| token.cancel())
                })
            })
            .collect();
        drop(done); // The results end when the last thread has ended.
        for (numbers, embeddings) in results {
            for (line, embedding) in numbers.iter().zip(embeddings.iter()) {
                serde_json::to_writer(&mut output, &Row { line, embedding })?;
                output.write_all(b"\n")?;
            }
            (embedded, dimensions) = (embedded + embeddings.len(), embeddings.dimensions());
            eprintln!("{embedded} lines are embedded");
        }
        let ended = threads.into_iter().map(ScopedJoinHandle::join);
        let ended = ended.map(|end| end.unwrap_or_else(|_| Err("a thread panicked".into())));
        Outcome::Ok(ended.filter_map(Outcome::err).collect::<Vec<_>>())
    })?;
    output.flush()?;
    let metrics = client.metrics()?;
    client.as_async().system().shutdown_blocking()?;

    // The failure that came first has cancelled the calls of the others.
    let is_cancelled = hedgerow::Error::is_cancelled;
    failures.sort_by_key(|cause| cause.downcast_ref().is_some_and(is_cancelled));
    if let Some(cause) = failures.into_iter().next() {
        return Err(format!("{embedded} lines are embedded, then: {cause}").into());
    }
    println!(
        "{embedded} lines x {dimensions} in {:.2} s: {} threads, {} requests, {} retries",
        start.elapsed().as_secs_f64(),
        arguments.threads,
        metrics.requests_succeeded,
        metrics.retries,
    );
    Ok(())
}

fn main() -> ExitCode {
    hedgerow::init_logging();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("threads: {cause}");
            ExitCode::FAILURE
        }
    }
}
