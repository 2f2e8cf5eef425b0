//! One timer for an actor's whole schedule.
//!
//! The actor's own context would poll every timer that it holds at each wake, so the timer is a
//! task of its own that sends the actor a [`Tick`].

use super::messages::Tick;
use actix::Recipient;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Wakes its actor at the earliest instant of the schedule.
#[derive(Debug)]
pub(super) struct Alarm {
    owner: Recipient<Tick>,
    armed: Option<(Instant, AbortHandle)>,
}

impl Alarm {
    pub(super) fn new(owner: Recipient<Tick>) -> Self {
        Self { owner, armed: None }
    }

    /// Brings the timer in line with the earliest instant. A timer that is early does no harm
    /// and is kept.
    pub(super) fn set(&mut self, earliest: Option<Instant>) {
        let Some(at) = earliest else { return };
        if let Some((armed, task)) = &self.armed {
            if *armed <= at && !task.is_finished() {
                return;
            }
            task.abort();
        }
        let owner = self.owner.clone();
        let task = actix_rt::spawn(async move {
            tokio::time::sleep_until(at).await;
            owner.do_send(Tick);
        });
        self.armed = Some((at, task.abort_handle()));
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some((_, task)) = &self.armed {
            task.abort();
        }
    }
}
