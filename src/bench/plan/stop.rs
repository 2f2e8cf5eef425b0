//! Ending a run early.

use crossbeam_channel::{Receiver, Sender, bounded};
use std::fmt;

/// Ends a run early. Clones are handles of the same run.
#[derive(Clone)]
pub struct Stopper(Sender<()>);

impl Stopper {
    /// Ends the run: requests that are under way are cut, and the report is of what was done. Runs of
    /// the same configuration that begin later end at once.
    pub fn stop(&self) {
        // It may have been asked for already.
        let _ = self.0.try_send(());
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopper(..)")
    }
}

/// The run's end of it.
#[derive(Clone)]
pub(in crate::bench) struct Stop {
    sender: Sender<()>,
    asked: Receiver<()>,
}

impl Default for Stop {
    fn default() -> Self {
        let (sender, asked) = bounded(1);
        Self { sender, asked }
    }
}

impl Stop {
    pub(in crate::bench) fn stopper(&self) -> Stopper {
        Stopper(self.sender.clone())
    }

    /// Gives something when the run is to end. Whoever takes it puts it [`back`](Self::put_back), for
    /// the runs that follow.
    pub(in crate::bench) fn asked(&self) -> &Receiver<()> {
        &self.asked
    }

    pub(in crate::bench) fn put_back(&self) {
        // It was asked for once more.
        let _ = self.sender.try_send(());
    }
}
