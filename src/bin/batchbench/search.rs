//! `batchbench search`.

use crate::Failure;
use crate::flags::Run;
use crate::values;
use hedgerow::bench::{SearchSettings, raise_open_files, search as run_search};
use std::process::ExitCode;
use std::time::Duration;

/// The flags of `search`.
#[derive(clap::Args)]
pub(crate) struct Search {
    #[command(flatten)]
    run: Run,
    /// The rate that is tried first, in requests a second.
    #[arg(long, value_name = "R", default_value = "1", value_parser = values::rate, help_heading = "The search")]
    from_rate: f64,
    /// No higher rate is tried.
    #[arg(long, value_name = "R", default_value = "1000000", value_parser = values::rate, help_heading = "The search")]
    to_rate: f64,
    /// How close, as a share, the rate that holds is found.
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = values::share, help_heading = "The search")]
    precision: f64,
    /// How many times what was found must hold again.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2,
        help_heading = "The search"
    )]
    repeats: u32,
    /// How long each trial lasts, beside --warmup.
    #[arg(long, value_name = "SPAN", default_value = "10s", value_parser = values::some_span, help_heading = "The search")]
    trial: Duration,
}

/// Finds the highest rate that holds; exit code 3 where none does.
pub(crate) fn search(flags: &Search) -> Result<ExitCode, Failure> {
    if flags.run.output.slo.is_empty() {
        return Err(Failure::Usage("search needs a threshold: --slo".to_owned()));
    }
    let config = flags.run.config()?;
    raise_open_files();
    crate::run::stop_on_interrupt(config.stopper())?;
    let settings = SearchSettings {
        from: flags.from_rate,
        to: flags.to_rate,
        tolerance: flags.precision,
        repeats: flags.repeats,
        trial: flags.trial,
    };
    let quiet = flags.run.output.quiet;
    let found = run_search(&config, settings, |trial| {
        if !quiet {
            let held = if trial.holds {
                "holds"
            } else {
                "does not hold"
            };
            let again = if trial.confirms { ", again" } else { "" };
            eprintln!("{:.2} requests/s: {held}{again}", trial.rate);
        }
    })?;
    if let Some(path) = &flags.run.output.exports.report_json {
        let json = serde_json::to_string_pretty(&found)
            .map_err(|cause| Failure::Run(cause.to_string()))?;
        std::fs::write(path, json)
            .map_err(|cause| Failure::Run(format!("{}: {cause}", path.display())))?;
    }
    if let Some(rate) = found.rate {
        println!("{rate:.2} requests/s hold every threshold");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("no rate was found that holds every threshold");
        Ok(ExitCode::from(3))
    }
}
