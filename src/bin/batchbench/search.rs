//! `batchbench search`.

use crate::Failure;
use crate::flags::Run;
use crate::values;
use hedgerow::bench::{Display, SearchSettings, search as run_search};
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
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = values::precision, help_heading = "The search")]
    precision: f64,
    /// How many times what was found must hold again.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2,
        value_parser = values::repeats,
        help_heading = "The search"
    )]
    repeats: u32,
    /// How long each trial lasts, beside --warmup.
    #[arg(long, value_name = "SPAN", default_value = "10s", value_parser = values::some_span, help_heading = "The search")]
    trial: Duration,
}

/// Finds the highest rate that holds; exit code 3 where none does, 1 where it was interrupted before.
pub(crate) fn search(flags: &Search) -> Result<ExitCode, Failure> {
    if flags.run.output.slo.is_empty() {
        return Err(Failure::Usage("search needs a threshold: --slo".to_owned()));
    }
    if flags.from_rate > flags.to_rate {
        return Err(Failure::Usage(format!(
            "--from-rate must be at most --to-rate (got {} and {})",
            flags.from_rate, flags.to_rate
        )));
    }
    flags.run.load.check_search()?;
    flags.run.output.exports.check_json_alone()?;
    if flags.run.output.strict {
        let text = "--strict says nothing in a search: a rate at which the client is the bottleneck \
                    never holds";
        return Err(Failure::Usage(text.to_owned()));
    }
    let mut config = flags.run.load.of_search(flags.run.config()?);
    crate::run::stop_on_interrupt(config.stopper())?;
    let display = Display::new(flags.run.output.quiet);
    if display.is_on() && flags.run.service.wait_ready.is_some() {
        let shown = display.clone();
        // Of a trial, its end alone is told.
        config = config.with_progress(move |progress| match progress.waiting_for {
            Some(_) => shown.show(progress),
            None => shown.clear(),
        });
    }
    let settings = SearchSettings {
        from: flags.from_rate,
        to: flags.to_rate,
        tolerance: flags.precision,
        repeats: flags.repeats,
        trial: flags.trial,
    };
    let quiet = flags.run.output.quiet;
    let what = flags.run.load.arrivals();
    let found = run_search(&config, settings, |trial| {
        if !quiet {
            let again = if trial.confirms { ", again" } else { "" };
            match trial.obstacle() {
                None => eprintln!("{:.2} {what}/s: holds{again}", trial.rate),
                Some(why) => eprintln!("{:.2} {what}/s: does not hold{again}: {why}", trial.rate),
            }
        }
    });
    display.clear();
    let found = found?;
    if let Some(path) = &flags.run.output.exports.report_json {
        crate::exports::write_json(path, &found)?;
    }
    if let Some(rate) = found.rate {
        println!("{rate:.2} {what}/s hold every threshold");
        Ok(ExitCode::SUCCESS)
    } else if found.interrupted {
        println!("interrupted before a rate was confirmed");
        Ok(ExitCode::FAILURE)
    } else {
        println!("no rate was found that holds every threshold");
        Ok(ExitCode::from(3))
    }
}
