//! A function of Python's that counts the tokens of a text.

use hedgerow::CountTokens;
use pyo3::prelude::*;

/// The core's counter. It is called on the core's own thread, which waits for the GIL.
pub(super) fn of(function: Py<PyAny>) -> CountTokens {
    CountTokens::new(move |text| {
        Python::attach(|py| {
            let counted = function.bind(py).call1((text,));
            match counted.and_then(|count| count.extract()) {
                Ok(count) => count,
                Err(cause) => {
                    cause.write_unraisable(py, Some(function.bind(py)));
                    // No text has more tokens than bytes.
                    text.len()
                }
            }
        })
    })
}
