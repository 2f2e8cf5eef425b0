//! The files that flags name. No other file is written.

use crate::Failure;
use hedgerow::bench::Report;
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Where reports are written.
#[derive(clap::Args)]
pub(crate) struct Exports {
    /// Writes the report as JSON.
    #[arg(long, value_name = "PATH")]
    pub(crate) report_json: Option<PathBuf>,
    /// Writes the timeline and the figures as CSV.
    #[arg(long, value_name = "PATH")]
    report_csv: Option<PathBuf>,
    /// Writes the report as one HTML file that needs no other.
    #[arg(long, value_name = "PATH")]
    report_html: Option<PathBuf>,
    /// Writes the histograms as an HDR histogram log (version 2).
    #[arg(long, value_name = "PATH")]
    hdr_log: Option<PathBuf>,
}

impl Exports {
    fn paths(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [
            ("--report-json", &self.report_json),
            ("--report-csv", &self.report_csv),
            ("--report-html", &self.report_html),
            ("--hdr-log", &self.hdr_log),
        ]
        .into_iter()
        .filter_map(|(flag, path)| Some((flag, path.as_deref()?)))
    }

    /// Looks before a run whether there is a place for each file: after it would be too late.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        for (flag, path) in self.paths() {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let there = folder.unwrap_or(Path::new(".")).is_dir();
            if path.is_dir() || !there {
                let shown = path.display();
                let text = format!("{flag} {shown}: there can be no file of that name");
                return Err(Failure::Usage(text));
            }
        }
        Ok(())
    }

    /// The same for a search, which gives many reports: one file can hold them.
    pub(crate) fn check_json_alone(&self) -> Result<(), Failure> {
        let of_one_run = self.paths().find(|(flag, _)| *flag != "--report-json");
        if let Some((flag, _)) = of_one_run {
            let text = format!("{flag} is of one run: a search writes --report-json alone");
            return Err(Failure::Usage(text));
        }
        self.check()
    }

    /// Writes them all.
    pub(crate) fn write(&self, report: &Report) -> Result<(), Failure> {
        for (flag, path) in self.paths() {
            let mut file = create(flag, path)?;
            let written = match flag {
                "--report-json" => writeln!(file, "{}", report.to_json()),
                "--report-csv" => file.write_all(report.to_csv().as_bytes()),
                "--report-html" => file.write_all(report.to_html().as_bytes()),
                _ => report.write_hdr_log(&mut file),
            };
            let flushed = written.and_then(|()| file.flush());
            flushed.map_err(|cause| failure(flag, path, &cause))?;
        }
        Ok(())
    }
}

/// Writes what `--report-json` names, where it is not a report of one run.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    let json =
        serde_json::to_string_pretty(value).map_err(|cause| Failure::Run(cause.to_string()))?;
    let written = std::fs::write(path, json + "\n");
    written.map_err(|cause| failure("--report-json", path, &cause))
}

fn create(flag: &str, path: &Path) -> Result<BufWriter<File>, Failure> {
    let file = File::create(path).map_err(|cause| failure(flag, path, &cause))?;
    Ok(BufWriter::new(file))
}

fn failure(flag: &str, path: &Path, cause: &std::io::Error) -> Failure {
    Failure::Run(format!("{flag} {}: {cause}", path.display()))
}
