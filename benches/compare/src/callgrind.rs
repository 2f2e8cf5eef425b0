//! Instructions a request, counted by valgrind: where the processor's own counter is not to be had,
//! or where a change of two percent is to be seen on a machine that others use too.
//!
//! Each contender is run with few requests and with many; what a request costs is the difference,
//! so that starting, warming up and checking the answers of the warm-up do not count.

use crate::cli::Count;
use crate::contender::Contender;
use crate::rounds;
use crate::server::Server;
use crate::table::{self, Spread};
use crate::work::Work;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The contender with which the others are compared.
const REFERENCE: &str = "hedgerow-1";
/// valgrind counts each byte of `rep movsb` as an instruction, and the processor all of them as one.
/// With this, copies of any length are made by vector instructions, of which both count the same.
const TUNABLES: &str = "GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000";

/// What the rounds of a contender counted.
type Counts = Vec<(&'static str, Vec<f64>)>;

/// Counts what the command line asks for, and prints a table a work.
///
/// # Errors
///
/// When valgrind is missing, a run fails or an answer is wrong.
pub(crate) fn run(count: &Count) -> Result<()> {
    rounds::end_when_interrupted()?;
    let version = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    version.context("valgrind is not installed: apt-get install valgrind")?;
    let server = Server::start()?;
    let directory = tempfile::tempdir()?;
    for work in count.chosen.works() {
        let contenders = count.chosen.contenders(work)?;
        let mut counts: Counts = contenders.iter().map(|it| (it.name(), vec![])).collect();
        for _ in 0..count.rounds {
            for (contender, (_, counted)) in contenders.iter().zip(&mut counts) {
                counted.push(of_a_request(&server, &directory, work, *contender)?);
            }
        }
        print!("{}", text(work, counts)?);
    }
    Ok(())
}

/// Requests of the short run and of the long one.
fn sizes(work: Work) -> (usize, usize) {
    match work {
        Work::Small => (5_000, 25_000),
        Work::Large | Work::LargeBase64 => (20, 60),
    }
}

#[expect(clippy::cast_precision_loss)]
fn of_a_request(
    server: &Server,
    directory: &TempDir,
    work: Work,
    contender: &dyn Contender,
) -> Result<f64> {
    let (few, many) = sizes(work);
    let file = directory.path().join("callgrind.out");
    let short = of_a_run(server, &file, work, contender, few)?;
    let long = of_a_run(server, &file, work, contender, many)?;
    Ok((long as f64 - short as f64) / (many - few) as f64)
}

/// All instructions of one run, which `file` holds afterwards.
fn of_a_run(
    server: &Server,
    file: &Path,
    work: Work,
    contender: &dyn Contender,
    requests: usize,
) -> Result<u64> {
    let out = format!("--callgrind-out-file={}", file.display());
    let under = [
        "env",
        TUNABLES,
        "valgrind",
        "--quiet",
        "--tool=callgrind",
        &out,
    ];
    let run = rounds::run(server, &under, work, contender, requests, work.window());
    run.with_context(|| format!("{} in the work {}", contender.name(), work.name()))?;
    total(&fs::read_to_string(file)?)
}

/// The sum over all threads, as callgrind's file has it.
fn total(text: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("totals:"));
    let number = line.context("callgrind wrote no total")?;
    Ok(number.trim().parse()?)
}

/// What was counted in a work.
fn text(work: Work, counts: Counts) -> Result<String> {
    ensure!(
        counts.iter().all(|(_, counted)| !counted.is_empty()),
        "nothing was counted"
    );
    let spreads: Vec<_> = counts
        .into_iter()
        .map(|(name, counted)| (name, Spread::of(counted)))
        .collect();
    let reference = spreads.iter().find(|(name, _)| *name == REFERENCE);
    let reference = reference.and_then(|(_, spread)| *spread);
    let header = ["contender", "instructions/request", "/ hedgerow-1"];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(spreads.iter().map(|(name, spread)| {
        let ratio = spread
            .zip(reference)
            .map(|(own, other)| own.median / other.median);
        let ratio = ratio.map_or_else(|| "n/a".to_owned(), |ratio| format!("{ratio:.3}"));
        [(*name).to_owned(), table::cell(*spread, 0), ratio]
    }));
    let mut text = format!(
        "\n{}: in user mode, median (least-most) of the rounds\n",
        work.name()
    );
    table::write(&mut text, &rows)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found_among_the_other_lines() {
        let file = "events: Ir\nsummary: 7\n\nfn=(1) main\n3 5\n\ntotals: 1234\n";
        assert_eq!(total(file).unwrap(), 1234);
        assert!(total("events: Ir\n").is_err());
    }

    #[test]
    fn a_contender_is_compared_with_the_reference_by_medians() {
        let counts = vec![
            (REFERENCE, vec![90.0, 100.0, 300.0]),
            ("hedgerow-h2", vec![250.0]),
        ];
        let text = text(Work::Small, counts).unwrap();
        assert!(text.contains("100 (90-300)         1.000"), "{text}");
        assert!(text.contains("250 (250-250)         2.500"), "{text}");
    }
}
