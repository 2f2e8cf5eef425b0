//! What is measured: samples, the histograms and the timeline that they go into, the recording of a
//! run, and the thresholds that it is held to.

mod sample;

mod metric;

mod histogram;

mod statistics;

mod interval;

mod timeline;

mod recording;

mod slo;

pub use histogram::TimeHistogram;
pub use interval::IntervalHistogram;
pub(super) use interval::rank;
pub use metric::{Histograms, Metric};
#[cfg(test)]
pub(super) use recording::tests::{record_all, samples};
pub(super) use recording::{FAILURES_KEPT, Live, Recording};
pub use recording::{FailureRecord, Probe};
pub(super) use sample::{FailureKind, Sample};
pub use slo::Slo;
pub(super) use slo::{Quantity, Statistic, Throughput};
pub use statistics::{Distribution, sample_floor};
pub(super) use statistics::{highest_quantile, milliseconds, number};
pub(super) use timeline::in_pairs;
pub use timeline::{Slot, Timeline};
