//! The parent's side: runs the contenders by turns, each in a process of its own.

use crate::cli::Arguments;
use crate::contender::Contender;
use crate::lap::Lap;
use crate::report::{Report, Setting};
use crate::server::Server;
use crate::span::Cost;
use crate::work::Work;
use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use std::env;
use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Set by Ctrl-C and by a polite kill: the parent unwinds, and what it started ends.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// How often the parent looks whether a child has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Compares what the command line asks for, and prints the report.
///
/// # Errors
///
/// When a run fails or an answer is wrong: a report with a hole in it would mislead.
pub(crate) fn compare(arguments: &Arguments) -> Result<()> {
    end_when_interrupted()?;
    let setting = Setting::of(arguments)?;
    let plan = plan(arguments)?;
    ensure!(!plan.is_empty(), "no contender takes part in that work");
    let server = Server::start()?;
    let progress = ProgressBar::new(plan.len() as u64).with_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len} runs, {eta} left: {msg}",
    )?);
    let mut laps = Vec::with_capacity(plan.len());
    for (round, work, contender) in plan {
        progress.set_message(format!("{}, {}", work.name(), contender.name()));
        let (requests, connections) = (arguments.requests(work), arguments.floor_connections());
        let under = arguments.under();
        if !under.is_empty() {
            // What that program prints is to have a heading.
            eprintln!("{}, {}", work.name(), contender.name());
        }
        let cost = run(&server, &under, work, contender, requests, connections)
            .with_context(|| format!("{} in the work {}", contender.name(), work.name()))?;
        laps.push(Lap {
            work,
            contender: contender.name(),
            round,
            cost,
        });
        progress.inc(1);
    }
    progress.finish_and_clear();
    let report = Report { setting, laps };
    print!("{report}");
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&report)?;
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// The server alone, for other programs.
///
/// # Errors
///
/// When it does not start.
pub(crate) fn serve() -> Result<()> {
    end_when_interrupted()?;
    let server = Server::start()?;
    println!("nginx, process {}:", server.pid());
    for work in Work::ALL {
        println!(
            "{} (HTTP/2: {})",
            server.url(work, false),
            server.url(work, true)
        );
    }
    while !INTERRUPTED.load(Ordering::Relaxed) {
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Whoever waits for a child looks at [`INTERRUPTED`].
pub(crate) fn end_when_interrupted() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))?;
    Ok(())
}

/// Work by work, round by round, every contender once: A B C A B C.
fn plan(arguments: &Arguments) -> Result<Vec<(u32, Work, &'static dyn Contender)>> {
    let mut plan = Vec::new();
    for work in arguments.chosen.works() {
        let contenders = arguments.chosen.contenders(work)?;
        for round in 0..arguments.rounds() {
            plan.extend(contenders.iter().map(|contender| (round, work, *contender)));
        }
    }
    Ok(plan)
}

/// One run in a process of its own, which `under` starts where it names a program.
pub(crate) fn run(
    server: &Server,
    under: &[&str],
    work: Work,
    contender: &dyn Contender,
    requests: usize,
    floor_connections: usize,
) -> Result<Cost> {
    let own = env::current_exe()?;
    let mut command = match under {
        [] => Command::new(own),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(own);
            command
        }
    };
    let child = command
        .args(["run", contender.name(), work.name()])
        .arg(server.url(work, contender.http2()))
        .args([requests.to_string(), server.pid().to_string()])
        .args(["--floor-connections", &floor_connections.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut child = Running(child);
    let status = loop {
        if INTERRUPTED.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        match child.0.try_wait()? {
            Some(status) => break status,
            None => thread::sleep(LOOK_EVERY),
        }
    };
    ensure!(status.success(), "the run failed ({status})");
    let mut line = String::new();
    if let Some(stdout) = &mut child.0.stdout {
        stdout.read_to_string(&mut line)?;
    }
    serde_json::from_str(&line).context("the run printed no result")
}

/// A child that ends when this is dropped, if it has not ended before.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a child that has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
