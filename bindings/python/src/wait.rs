//! Waiting on a thread: without the interpreter, but awake for signals.

use crate::exception;
use crate::failure::{Failure, respond};
use crate::process::Owned;
use crate::progress::Listener;
use crate::response::IntoResponse;
use hedgerow::Waiting;
use pyo3::prelude::*;
use std::time::Duration;

/// How often the main thread looks for signals, and any thread for progress.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Other threads get no signals.
pub(crate) const LONG: Duration = Duration::from_hours(1);

/// Waits for the answer to a call. What a signal's handler raises ends the call.
pub(crate) fn wait<A: IntoResponse>(
    py: Python<'_>,
    begun: hedgerow::Result<Waiting<A>>,
    listener: Option<&Listener>,
) -> PyResult<Py<PyAny>> {
    let waiting = begun.map_err(|error| Failure::raised::<A>(py, error))?;
    // A handler of a signal may fork.
    let mut waiting = Owned::new(waiting);
    let mut step = LOOK_EVERY;
    let mut looked = false;
    loop {
        let Some(waiting) = waiting.get_mut() else {
            return Err(exception::forked());
        };
        let answer = py.detach(|| waiting.wait_for(step));
        if let Some(listener) = listener {
            listener.tell(py)?;
        }
        if let Some(answer) = answer {
            return match respond(py, answer)? {
                Ok(response) => Ok(response),
                Err(failure) => Err(failure.get().raise(py)),
            };
        }
        if !looked && listener.is_none() && !on_main_thread(py)? {
            step = LONG;
        }
        looked = true;
        py.check_signals()?;
    }
}

pub(crate) fn on_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?;
    main.getattr("ident")?
        .eq(threading.call_method0("get_ident")?)
}
