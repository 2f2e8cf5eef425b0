//! `batchbench run`.

use crate::Failure;
use crate::exports::Exports;
use crate::flags::Run;
use hedgerow::bench::{Display, Report, run_blocking};
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// Carries out a run, tells what it gave, and says by its code how it went.
pub(crate) fn run(flags: &Run) -> Result<ExitCode, Failure> {
    flags.load.check()?;
    flags.output.exports.check()?;
    let mut config = flags.config()?;
    stop_on_interrupt(config.stopper())?;
    let display = Display::new(flags.output.quiet);
    if display.is_on() {
        let shown = display.clone();
        config = config.with_progress(move |progress| shown.show(progress));
    }
    let report = run_blocking(&config);
    display.clear();
    let report = report?;
    tell(&report, &flags.output.exports)?;
    Ok(code(&report, flags.output.strict))
}

/// Prints a report, and writes the files that were asked for.
pub(crate) fn tell(report: &Report, exports: &Exports) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    let printed = stdout.write_all(report.summary(width()).as_bytes());
    // Whoever reads it may have seen enough (`| head`): the files are still written.
    if let Err(cause) = printed.and_then(|()| stdout.flush())
        && cause.kind() != ErrorKind::BrokenPipe
    {
        return Err(Failure::Run(format!(
            "the report cannot be printed: {cause}"
        )));
    }
    exports.write(report)
}

/// Columns of the terminal, where the environment tells them, or 100.
pub(crate) fn width() -> usize {
    let columns = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    columns.unwrap_or(100).clamp(60, 160)
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
pub(crate) fn stop_on_interrupt(stopper: hedgerow::bench::Stopper) -> Result<(), Failure> {
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
