//! What has a Python object.

use pyo3::prelude::*;

/// An answer of the core that has a Python object.
pub(crate) trait IntoResponse: Send + Sync + 'static {
    fn into_response(self, py: Python<'_>) -> PyResult<Py<PyAny>>;
}
