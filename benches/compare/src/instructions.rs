//! Instructions that this process executes: unlike time, they do not depend on what else runs.

use perf_event::events::Hardware;
use perf_event::{Builder, Counter};

/// Counts those of the kernel as well, in every thread that starts after this was made.
pub(crate) struct Instructions(Option<Counter>);

impl Instructions {
    /// Counts nothing where the kernel does not let this user count, or the machine cannot.
    pub(crate) fn start() -> Self {
        let mut builder = Builder::new().kind(Hardware::INSTRUCTIONS);
        builder.inherit(true).include_kernel().enabled(true);
        Self(builder.build().ok())
    }

    /// So far.
    pub(crate) fn count(&mut self) -> Option<u64> {
        self.0.as_mut()?.read().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_threads_do_is_counted() {
        let mut instructions = Instructions::start();
        let Some(before) = instructions.count() else {
            return; // Not everybody may count.
        };
        let busy = || std::hint::black_box((0..100_000_u64).map(std::hint::black_box).sum::<u64>());
        std::thread::spawn(busy).join().unwrap();
        assert!(instructions.count().unwrap() - before > 100_000);
    }
}
