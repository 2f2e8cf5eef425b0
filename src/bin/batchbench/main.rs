//! The `batchbench` command: argument parsing only. The work is done by the library.

// The flags of a run, and what becomes of them.
mod flags;

mod values;

mod exports;

mod run;

mod search;

mod several;

// Other commands.
mod mock;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures inference services: load as you say, figures that can be trusted.
///
/// Without a command, the flags are those of `run`.
///
/// Exit codes: 0 fine; 1 no request succeeded, or the run could not be made; 2 bad flags; 3 a
/// threshold (--slo) was broken; 4 the client was the bottleneck (--strict).
#[derive(Parser)]
#[command(
    name = "batchbench",
    version,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: flags::Run,
}

#[derive(Subcommand)]
enum Command {
    /// Puts load on a service and reports what it measured. The default.
    Run(Box<flags::Run>),
    /// Finds the highest rate at which every --slo holds, and confirms it by repeats.
    Search(Box<search::Search>),
    /// Compares two reports: ratios with their confidence. Exit code 3 on a regression.
    Compare(several::Compare),
    /// Merges the reports of runs that were made together, exactly.
    Merge(several::Merge),
    /// Runs a mock inference server until it is interrupted: embeddings, rerank, predict, chat.
    Mock(mock::Mock),
}

/// How a command ends, where it does not end well.
enum Failure {
    /// The flags do not fit together.
    Usage(String),
    /// Anything else.
    Run(String),
}

impl From<hedgerow::Error> for Failure {
    fn from(error: hedgerow::Error) -> Self {
        if error.is_config() {
            Self::Usage(as_flags(&error.to_string()))
        } else {
            Self::Run(error.to_string())
        }
    }
}

/// Parses the flags. A negative number is a value, so that its error names the flag it was given to.
fn arguments() -> Result<Arguments, clap::Error> {
    let negative = |flag: clap::Arg| {
        let takes_a_value = flag.get_action().takes_values();
        flag.allow_negative_numbers(takes_a_value)
    };
    let command = Arguments::command()
        .mut_args(negative)
        .mut_subcommands(|command| command.mut_args(negative));
    Arguments::from_arg_matches(&command.try_get_matches()?)
}

/// The library's names of settings as the flags that a user gave: `think_time` as `--think-time`. A
/// name of one word is one at the beginning alone, where settings are named.
fn as_flags(text: &str) -> String {
    /// Settings whose flags have other names.
    const OTHERS: [(&str, &str); 2] = [
        ("user_count", "--users"),
        ("timeout_s", "--request-timeout-secs"),
    ];
    let run = Arguments::command();
    let is_flag = |name: &str| run.get_arguments().any(|flag| flag.get_id() == name);
    let words = text.split(' ').enumerate().map(|(place, word)| {
        let name = word.trim_end_matches([',', ':', ';']);
        if let Some((_, flag)) = OTHERS.iter().find(|(other, _)| *other == name) {
            (*flag).to_owned()
        } else if (place == 0 || name.contains('_')) && is_flag(name) {
            format!("--{}", word.replace('_', "-"))
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn main() -> ExitCode {
    hedgerow::init_logging();
    let arguments = arguments().unwrap_or_else(|error| error.exit());
    let result = match arguments.command {
        None => run::run(&arguments.run),
        Some(Command::Run(flags)) => run::run(&flags),
        Some(Command::Search(flags)) => search::search(&flags),
        Some(Command::Compare(flags)) => several::compare(&flags),
        Some(Command::Merge(flags)) => several::merge(&flags),
        Some(Command::Mock(flags)) => mock::serve(flags)
            .map(|()| ExitCode::SUCCESS)
            .map_err(|cause| Failure::Run(cause.to_string())),
    };
    match result {
        Ok(code) => code,
        Err(Failure::Usage(text)) => {
            // Without clap's summary of usage, which would be that of `run` whatever the command is.
            eprintln!("error: {text}\n\nFor more information, try '--help'.");
            ExitCode::from(2)
        }
        Err(Failure::Run(text)) => {
            eprintln!("batchbench: {text}");
            ExitCode::FAILURE
        }
    }
}
