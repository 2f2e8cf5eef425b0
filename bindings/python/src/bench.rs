//! `run_benchmark`: the harness, on threads of its own, while this one waits without the
//! interpreter.

mod config;

mod progress;

mod records;

mod settings;

use crate::exception;
use crate::process::Owned;
use crate::wait::{LONG, LOOK_EVERY, on_main_thread};
use hedgerow::bench::{BenchmarkConfig, run_blocking};
use jiter::{PythonParse, StringCacheMode};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};

/// The JSON of a report, or why there is none.
type Outcome = hedgerow::Result<String>;

/// Carries out a run, and gives its report. `hedgerow.run_benchmark` documents it.
#[pyfunction]
pub(crate) fn run_benchmark(py: Python<'_>, config: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let (config, listener) = config::read(config)?;
    let stopper = config.stopper();
    // A handler of a signal may fork.
    let mut run = Owned::new(start(config)?);
    let step = if listener.is_none() && !on_main_thread(py)? {
        LONG
    } else {
        LOOK_EVERY
    };
    let mut raised: Option<PyErr> = None;
    loop {
        let Some(report) = run.get_mut() else {
            return Err(exception::forked());
        };
        let outcome = py.detach(move || report.recv_timeout(step));
        let ended = !matches!(outcome, Err(RecvTimeoutError::Timeout));
        let told = listener.as_ref().map_or(Ok(()), |it| it.tell(py));
        if let Err(error) = told.and_then(|()| py.check_signals()) {
            if raised.is_some() && !ended {
                // Ctrl-C again: the run ends by itself.
                return Err(error);
            }
            stopper.stop();
            raised.get_or_insert(error);
        }
        if ended {
            return conclude(py, outcome.ok(), raised);
        }
    }
}

fn start(config: BenchmarkConfig) -> PyResult<Receiver<Outcome>> {
    let (reply, report) = sync_channel(1);
    let work = move || {
        let outcome = run_blocking(&config).map(|report| report.to_json());
        // Whoever waited may be gone.
        let _ = reply.send(outcome);
    };
    let name = "hedgerow-run".to_owned();
    std::thread::Builder::new().name(name).spawn(work)?;
    Ok(report)
}

/// The report as a dict. What was raised meanwhile carries it as its `partial`.
fn conclude(
    py: Python<'_>,
    outcome: Option<Outcome>,
    raised: Option<PyErr>,
) -> PyResult<Py<PyAny>> {
    let report = match outcome {
        Some(Ok(json)) => parse(py, &json),
        Some(Err(error)) => Err(exception::raise_plain(py, &error)),
        None => Err(PyRuntimeError::new_err("the run ended without a report")),
    };
    let Some(raised) = raised else {
        return report;
    };
    if let Ok(report) = report {
        // An exception that takes no attributes goes without.
        let _ = raised.value(py).setattr("partial", report);
    }
    Err(raised)
}

fn parse(py: Python<'_>, json: &str) -> PyResult<Py<PyAny>> {
    let parse = PythonParse {
        cache_mode: StringCacheMode::Keys,
        ..PythonParse::default()
    };
    let parsed = parse.python_parse(py, json.as_bytes());
    let object = parsed.map_err(|cause| PyRuntimeError::new_err(cause.to_string()))?;
    Ok(object.unbind())
}
