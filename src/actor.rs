//! The actors, one file each, in the order in which a request passes through them.

mod messages;

mod entrance;

mod dispatcher;

mod flight;

mod request;

mod turn;

mod planner;

mod pool;

mod worker;

mod exchange;

mod buffers;

mod labour;

mod room;

mod failure;

mod hedger;

mod metrics;

mod alarm;

mod system;

mod wiring;

#[cfg(test)]
mod tests;

pub(crate) use dispatcher::Inspect;
#[cfg(feature = "bench")]
pub(crate) use entrance::Entrance;
pub use metrics::{EndpointSnapshot, MetricsSnapshot};
#[cfg(feature = "bench")]
pub(crate) use system::MOST_OPERATIONS;
pub use system::{Placement, System, SystemBuilder};
pub(crate) use system::{Series, Submitted};
