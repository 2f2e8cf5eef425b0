//! `batchbench run`.

use crate::Failure;
use crate::flags::Run;
use hedgerow::bench::{Display, Report, run_blocking};
use std::process::ExitCode;

/// Carries out a run, tells what it gave, and says by its code how it went.
pub(crate) fn run(flags: &Run) -> Result<ExitCode, Failure> {
    let mut config = flags.config()?;
    stop_on_interrupt(config.stopper())?;
    let display = Display::new(flags.output.quiet);
    if display.is_on() {
        let shown = display.clone();
        config = config.with_progress(move |progress| shown.show(progress));
    }
    let report = run_blocking(&config)?;
    display.clear();
    println!("{}", report.to_json());
    if let Some(path) = &flags.output.report_json {
        std::fs::write(path, report.to_json())
            .map_err(|cause| Failure::Run(format!("{}: {cause}", path.display())))?;
    }
    Ok(code(&report, flags.output.strict))
}

fn code(report: &Report, strict: bool) -> ExitCode {
    ExitCode::from(if report.requests.succeeded == 0 {
        1
    } else if !report.meets_slos() {
        3
    } else if strict && !report.valid {
        4
    } else {
        0
    })
}

/// The first Ctrl-C ends the run, and its report is of what was done; the second ends the program.
fn stop_on_interrupt(stopper: hedgerow::bench::Stopper) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Failure::Run(cause.to_string()))?;
    let wait = move || {
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                stopper.stop();
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        });
    };
    std::thread::spawn(wait);
    Ok(())
}
