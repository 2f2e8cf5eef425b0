//! The actors, one file each, in the order in which a request passes through them.

pub(crate) mod messages;

mod reply;

mod dispatcher;

mod flight;

mod active;

mod turn;

mod planner;

mod pool;

mod worker;

mod exchange;

mod buffers;

mod failure;

mod hedger;

mod metrics;

mod alarm;

pub(crate) mod system;

#[cfg(test)]
mod tests;

pub use messages::Progress;
#[cfg(feature = "bench")]
pub(crate) use messages::Submit;
pub(crate) use messages::{Cancel, Inspect, Job, OperationId, Reason};
pub use metrics::MetricsSnapshot;
pub(crate) use reply::ReplyPort;
pub(crate) use system::Submitted;
pub use system::{Placement, System, SystemBuilder};
