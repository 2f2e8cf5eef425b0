//! The command line.

use crate::contender::{self, Contender};
use crate::work::Work;
use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Compares clients: CPU a request, in interleaved rounds, against canned answers of nginx.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) chosen: Chosen,
    /// Rounds: every contender runs once in each.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Requests a run of the work "small".
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// Requests a run of the works "large" and "large-base64".
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    answers: u32,
    /// Connections of the floor; never more than the work's window.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    floor_connections: u32,
    /// Starts every run with this program: "strace -f -c", or "perf stat".
    #[arg(long, value_name = "PROGRAM", default_value = "")]
    under: String,
    /// 3 rounds of few requests: to see that all works, not to measure.
    #[arg(long)]
    quick: bool,
    /// Writes the configuration and every run to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// Who is to do what.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// Only these works (small, large, large-base64). Default: all.
    #[arg(long, value_delimiter = ',')]
    work: Vec<Work>,
    /// Only contenders whose name begins so (floor, hedgerow, hedgerow-2, ...). Default: all.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// Without one, the contenders are compared.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs of more and more small requests: does a request cost the same, and memory too?
    Flat(Flat),
    /// Instructions a request in user mode, counted by valgrind: what else runs does not matter.
    Instructions(Count),
    /// The server alone, until it is interrupted; prints its URLs, for `run` and other programs.
    Serve,
    /// One run of one contender: what the child processes do.
    Run(Run),
    /// One run of bare sockets with any body: what the comparison in Python starts.
    Floor(Floor),
}

/// How far, and how often.
#[derive(Debug, Args)]
pub(crate) struct Flat {
    /// Only shapes whose name begins so (hedgerow-1, hedgerow-stream, hedgerow-each). Default: all.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// The longest run is of 10 to this power; the shortest is of 1,000 requests.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(4..10))]
    pub(crate) most: u32,
    /// Rounds: every shape runs once in each, at every size.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
}

/// Whose instructions are counted, and how often.
#[derive(Debug, Args)]
pub(crate) struct Count {
    #[command(flatten)]
    pub(crate) chosen: Chosen,
    /// Rounds: every contender is counted once in each.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
}

/// What a child process is to do.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Its whole name.
    pub(crate) contender: String,
    pub(crate) work: Work,
    /// The base URL at which the work is answered.
    pub(crate) url: String,
    /// The measured ones; those that warm up come on top.
    pub(crate) requests: usize,
    /// Of nginx, whose CPU time is measured too.
    pub(crate) server_pid: u32,
    #[arg(long, default_value_t = 64)]
    pub(crate) floor_connections: usize,
}

/// A post, and how often it is made.
#[derive(Debug, Args)]
pub(crate) struct Floor {
    /// With its path.
    pub(crate) url: String,
    pub(crate) body: String,
    pub(crate) connections: usize,
    pub(crate) requests: usize,
    pub(crate) server_pid: u32,
    /// Bytes of result that a client would make of an answer: so much memory is written.
    #[arg(long, default_value_t = 0)]
    pub(crate) keep: usize,
}

impl Chosen {
    /// The works that were asked for, in the order in which they run.
    pub(crate) fn works(&self) -> Vec<Work> {
        let asked = |work: &Work| self.work.is_empty() || self.work.contains(work);
        Work::ALL.into_iter().filter(asked).collect()
    }

    /// The contenders of `work`, in the order in which they run.
    pub(crate) fn contenders(&self, work: Work) -> Result<Vec<&'static dyn Contender>> {
        for prefix in &self.only {
            let known = |contender: &&dyn Contender| contender.name().starts_with(prefix.as_str());
            if !contender::ALL.iter().any(known) {
                let names: Vec<_> = contender::ALL.iter().map(|known| known.name()).collect();
                bail!(
                    "no contender begins with {prefix:?}; there are {}",
                    names.join(", ")
                );
            }
        }
        let asked = |contender: &&dyn Contender| {
            let name = contender.name();
            self.only.is_empty() || self.only.iter().any(|prefix| name.starts_with(prefix))
        };
        let contenders = contender::ALL.iter().copied();
        Ok(contenders
            .filter(|contender| contender.does(work))
            .filter(asked)
            .collect())
    }
}

impl Arguments {
    /// How often every contender runs.
    pub(crate) fn rounds(&self) -> u32 {
        if self.quick { 3 } else { self.rounds }
    }

    /// The program that starts the runs, with its arguments; often none.
    pub(crate) fn under(&self) -> Vec<&str> {
        self.under.split_whitespace().collect()
    }

    /// As the child processes are told it.
    pub(crate) fn floor_connections(&self) -> usize {
        self.floor_connections as usize
    }

    /// How many requests a run of `work` makes.
    pub(crate) fn requests(&self, work: Work) -> usize {
        let requests = match (work, self.quick) {
            (Work::Small, true) => 5_000,
            (Work::Small, false) => self.requests,
            (_, true) => 40,
            (_, false) => self.answers,
        };
        requests as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &str, work: Work) -> Vec<&'static str> {
        let arguments = Arguments::parse_from(line.split(' '));
        let contenders = arguments.chosen.contenders(work).unwrap();
        contenders
            .iter()
            .map(|contender| contender.name())
            .collect()
    }

    #[test]
    fn contenders_are_chosen_by_the_beginning_of_their_names() {
        let all = names("compare", Work::Small);
        assert_eq!(all.first(), Some(&"floor"));
        assert_eq!(names("compare --only floor", Work::Small), ["floor"]);
        let ours = names("compare --only hedgerow", Work::Small);
        assert_eq!(ours, all[1..]);
    }

    #[test]
    fn an_unknown_contender_is_refused() {
        let arguments = Arguments::parse_from(["compare", "--only", "nobody"]);
        assert!(arguments.chosen.contenders(Work::Small).is_err());
    }
}
