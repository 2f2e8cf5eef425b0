//! `batchbench compare` and `batchbench merge`: reports of runs that were made.

use crate::Failure;
use crate::exports::Exports;
use crate::run::{tell, width};
use crate::values;
use hedgerow::bench::{Report, compare as compare_reports, merge as merge_reports};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The flags of `compare`.
#[derive(clap::Args)]
pub(crate) struct Compare {
    /// The report of the baseline; several, with commas between, where runs were repeated.
    #[arg(
        value_name = "A.json",
        value_delimiter = ',',
        num_args = 1,
        required = true
    )]
    baseline: Vec<PathBuf>,
    /// The report to compare with it; as many.
    #[arg(
        value_name = "B.json",
        value_delimiter = ',',
        num_args = 1,
        required = true
    )]
    candidate: Vec<PathBuf>,
    /// How much worse, as a share, is no regression.
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = values::share)]
    tolerance: f64,
    /// Writes the comparison as JSON.
    #[arg(long, value_name = "PATH")]
    report_json: Option<PathBuf>,
}

/// Compares; exit code 3 on a regression.
pub(crate) fn compare(flags: &Compare) -> Result<ExitCode, Failure> {
    let (baseline, candidate) = (read_all(&flags.baseline)?, read_all(&flags.candidate)?);
    let comparison = compare_reports(&baseline, &candidate, flags.tolerance)?;
    print!("{}", comparison.text(width()));
    if let Some(path) = &flags.report_json {
        crate::exports::write_json(path, &comparison)?;
    }
    Ok(ExitCode::from(if comparison.regressed() { 3 } else { 0 }))
}

/// The flags of `merge`.
#[derive(clap::Args)]
pub(crate) struct Merge {
    /// Reports of runs that were made together, on several machines.
    #[arg(value_name = "REPORT.json", required = true)]
    reports: Vec<PathBuf>,
    #[command(flatten)]
    exports: Exports,
}

/// Merges, exactly: as if one client had made all requests.
pub(crate) fn merge(flags: &Merge) -> Result<ExitCode, Failure> {
    flags.exports.check()?;
    let merged = merge_reports(read_all(&flags.reports)?)?;
    tell(&merged, &flags.exports)?;
    Ok(ExitCode::SUCCESS)
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<Report>, Failure> {
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<Report, Failure> {
    let bad = |cause: String| Failure::Usage(format!("{}: {cause}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|cause| bad(cause.to_string()))?;
    Report::from_json(&text).map_err(|cause| bad(cause.to_string()))
}
