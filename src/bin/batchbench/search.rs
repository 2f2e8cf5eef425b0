//! `batchbench search`.

use crate::Failure;
use crate::flags::Run;
use std::process::ExitCode;

/// The flags of `search`.
#[derive(clap::Args)]
pub(crate) struct Search {
    #[command(flatten)]
    run: Run,
}

/// Finds the highest rate that holds.
pub(crate) fn search(flags: &Search) -> Result<ExitCode, Failure> {
    let _ = &flags.run;
    Err(Failure::Run("not yet".to_owned()))
}
