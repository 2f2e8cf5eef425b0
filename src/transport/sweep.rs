//! Idle connections are closed though nobody asks for one: when they are old, and when their servers
//! have closed them.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often they are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What has connections that may be idle.
pub(super) trait Sweep {
    /// Closes those that are of no more use, and says whether others are left.
    fn sweep(&self, now: Instant) -> bool;
}

/// Looks after the idle connections of one transport: by one task, which ends when none is left.
#[derive(Default)]
pub(super) struct Sweeper {
    sites: RefCell<Vec<Weak<dyn Sweep>>>,
    is_running: Cell<bool>,
}

impl Sweeper {
    /// Looks after one more, for as long as it is there.
    pub(super) fn add(&self, site: Weak<dyn Sweep>) {
        let mut sites = self.sites.borrow_mut();
        sites.retain(|site| site.strong_count() > 0);
        sites.push(site);
    }

    /// A connection is idle, or will be.
    pub(super) fn begin(self: &Rc<Self>) {
        if self.is_running.replace(true) {
            return;
        }
        let sweeper = Rc::clone(self);
        actix_rt::spawn(async move {
            sleep(LOOK_EVERY).await;
            while sweeper.sweep(Instant::now()) {
                sleep(LOOK_EVERY).await;
            }
            sweeper.is_running.set(false);
        });
    }

    fn sweep(&self, now: Instant) -> bool {
        let mut is_any_left = false;
        for site in self.sites.borrow().iter().filter_map(Weak::upgrade) {
            is_any_left |= site.sweep(now);
        }
        is_any_left
    }
}

impl fmt::Debug for Sweeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweeper")
            .field("running", &self.is_running.get())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has something to be swept until then.
    struct Until(Instant, Cell<u32>);

    impl Sweep for Until {
        fn sweep(&self, now: Instant) -> bool {
            self.1.set(self.1.get() + 1);
            now < self.0
        }
    }

    #[actix_rt::test]
    async fn it_looks_once_a_second_until_nothing_is_left_and_again_when_something_is() {
        tokio::time::pause();
        let sweeper = Rc::<Sweeper>::default();
        let second = Duration::from_secs(1);
        let until = |span| Rc::new(Until(Instant::now() + span, Cell::new(0)));
        let (short, long) = (until(second * 3 / 2), until(second * 7 / 2));
        for site in [&short, &long] {
            let site: Rc<dyn Sweep> = Rc::<Until>::clone(site);
            sweeper.add(Rc::downgrade(&site));
        }
        for looks in [4, 5] {
            for _ in 0..3 {
                sweeper.begin();
            }
            sleep(second * 20).await;
            assert_eq!((short.1.get(), long.1.get()), (looks, looks));
        }
    }
}
