//! The payloads of `batch_post`: Python objects on their way to bytes.

use crate::json::Writer;
use crate::texts::Items;
use hedgerow::Payload;
use parking_lot::Mutex;
use pyo3::prelude::*;

/// A list of payloads on its way to a call. `pull()` takes some, and says whether all are taken.
#[pyclass(module = "hedgerow._hedgerow", frozen)]
pub(crate) struct Payloads {
    source: Items,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    payloads: Vec<Payload>,
    writer: Writer,
}

#[pymethods]
impl Payloads {
    #[new]
    fn new(source: &Bound<'_, PyAny>) -> PyResult<Self> {
        let source = Items::of("payloads", source)?;
        let payloads = Vec::with_capacity(source.count());
        let writer = Writer::default();
        let taken = Mutex::new(Taken { payloads, writer });
        Ok(Self { source, taken })
    }

    /// Takes what fits into a millisecond, and one at least. True when all are taken.
    fn pull(&self, py: Python<'_>) -> PyResult<bool> {
        let mut taken = std::mem::take(&mut *self.taken.lock());
        let Taken { payloads, writer } = &mut taken;
        let done = self.source.step(py, payloads.len(), |index, item| {
            let place = || format!("{}[{index}]", self.source.name());
            payloads.push(writer.payload(&item, place)?);
            Ok(())
        });
        *self.taken.lock() = taken;
        done
    }
}

impl Payloads {
    /// All payloads, given away.
    pub(crate) fn take(&self) -> Vec<Payload> {
        std::mem::take(&mut self.taken.lock().payloads)
    }
}
