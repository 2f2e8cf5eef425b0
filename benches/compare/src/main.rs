//! Compares clients of inference services: how much CPU each spends on a request, against a server
//! whose answers are canned.
//!
//! The parent starts the server and, round by round, one fresh child process a contender
//! (`rounds`); the child warms up, is measured, and prints one line of JSON (`span`); the parent
//! makes a table of the lines (`report`; `flat` for runs of more and more requests; `callgrind` where
//! valgrind counts). What is asked and answered is in `work`, who asks in `contender`.

#![forbid(unsafe_code)]

mod cli;

mod work;

mod server;

mod contender;

mod instructions;

mod span;

mod lap;

mod rounds;

mod flat;

mod callgrind;

mod report;

mod table;

use clap::Parser;

/// The allocator of the bindings and of the binary, for every contender alike.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let arguments = cli::Arguments::parse();
    match &arguments.command {
        Some(cli::Command::Flat(flat)) => flat::run(flat),
        Some(cli::Command::Instructions(count)) => callgrind::run(count),
        Some(cli::Command::Serve) => rounds::serve(),
        Some(cli::Command::Run(run)) => span::run(run),
        Some(cli::Command::Floor(floor)) => span::floor(floor),
        None => rounds::compare(&arguments),
    }
}
