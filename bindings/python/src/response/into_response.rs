//! What has a Python object.

use pyo3::prelude::*;

/// An answer of the core that has a Python object. The default is one in which nothing finished.
pub(crate) trait IntoResponse: Default + Send + Sync + 'static {
    fn into_response(self, py: Python<'_>) -> PyResult<Py<PyAny>>;
}
