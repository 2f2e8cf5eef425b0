//! The ways to have a run carried out: from async code, from threads, and without anyone who watches.
//! First it is checked, then its service is waited for, then the client is measured on its own, then
//! it begins.
//!
//! All of it happens on threads of the run's own; a caller's runtime only waits.

use super::calibrate::ceiling;
use super::engine::{carry_out, never_began, systems};
use super::ready;
use crate::bench::plan::{BenchmarkConfig, Blueprint};
use crate::bench::report::Report;
use crate::caller::refuse_inside_runtime;
use crate::error::{Error, Kind, Result};
use tokio::sync::oneshot;

/// Carries out a run. Dropping the future ends the run.
///
/// # Errors
///
/// When the configuration is bad ([`is_config`](Error::is_config)), or no thread can be had.
pub async fn run(config: BenchmarkConfig) -> Result<Report> {
    let (report, reported) = oneshot::channel::<Result<Report>>();
    let work = move || {
        let result = prepared(&config, &|| report.is_closed());
        // A caller that is gone does not mind.
        let _ = report.send(result);
    };
    std::thread::Builder::new()
        .name("hedgerow-bench".into())
        .spawn(work)
        .map_err(no_thread)?;
    reported
        .await
        .unwrap_or_else(|_| Err(Error::new(Kind::Internal("the run panicked".into()))))
}

/// [`run`] for threads.
///
/// # Errors
///
/// As [`run`].
pub fn run_blocking(config: &BenchmarkConfig) -> Result<Report> {
    refuse_inside_runtime()?;
    prepared(config, &|| false)
}

fn no_thread(cause: std::io::Error) -> Error {
    Error::new(Kind::Internal("no thread can be started".into())).with_source(cause)
}

/// `is_abandoned` says whether nobody waits for the report any more.
fn prepared(config: &BenchmarkConfig, is_abandoned: &dyn Fn() -> bool) -> Result<Report> {
    let blueprint = Blueprint::new(config)?;
    let systems = systems(&blueprint, config)?;
    // Before the calibration, of which a service that is starting would take its share.
    if let Some(readiness) = &blueprint.readiness
        && !ready::wait(&systems[0], readiness, config, is_abandoned)?
    {
        return Ok(never_began(config, blueprint));
    }
    let ceiling = if config.calibrate {
        ceiling(config)?
    } else {
        None
    };
    carry_out(config, blueprint, systems, ceiling, is_abandoned)
}

/// A run that nobody watches, for a search.
pub(in crate::bench) fn run_unwatched(config: &BenchmarkConfig) -> Result<Report> {
    prepared(config, &|| false)
}
