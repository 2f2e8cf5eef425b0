//! What the client costs the machine.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The CPU time of this process so far, over all its threads.
pub(in crate::bench) fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

/// Cores that this process may use.
pub(in crate::bench) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
