//! Waits that end within a tenth of a millisecond or so of their time. The
//! runtime's timers tick in whole milliseconds, too coarse for a server that
//! is to be the ground truth of token timings, so one thread keeps the time.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The shortest nap of the thread. It bounds the wake-ups of a busy server to
/// ten thousand a second, at the price of as much lateness.
const NAP: Duration = Duration::from_micros(100);

/// The clock thread's half ([`Pacer::run`]) and the sleepers' half
/// ([`Pacer::sleep_until`]) of one queue of wakers.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    /// By time, then by number, because two sleepers may share an instant.
    sleepers: BTreeMap<(Instant, u64), Waker>,
    numbers: u64,
    stopped: bool,
}

impl Pacer {
    /// Wakes sleepers in their time, until [`Pacer::stop`].
    pub(super) fn run(&self) {
        let mut due = Vec::new();
        let mut queue = self.lock();
        while !queue.stopped {
            let now = Instant::now();
            while let Some(first) = queue
                .sleepers
                .first_entry()
                .filter(|first| first.key().0 <= now)
            {
                due.push(first.remove());
            }
            if !due.is_empty() {
                drop(queue);
                due.drain(..).for_each(Waker::wake);
                queue = self.lock();
                continue;
            }
            queue = match queue.sleepers.first_key_value() {
                Some((&(at, _), _)) => {
                    let nap = (at - now).max(NAP);
                    self.changed
                        .wait_timeout(queue, nap)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self
                    .changed
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// A future that is ready from `at` on.
    pub(super) fn sleep_until(&self, at: Instant) -> Sleep<'_> {
        Sleep {
            pacer: self,
            at,
            number: None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Pacer::sleep_until`]. Dropped early, it leaves the queue.
#[derive(Debug)]
pub(super) struct Sleep<'a> {
    pacer: &'a Pacer,
    at: Instant,
    number: Option<u64>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.at {
            return Poll::Ready(());
        }
        let mut queue = self.pacer.lock();
        let number = *self.number.get_or_insert_with(|| {
            queue.numbers += 1;
            queue.numbers
        });
        let key = (self.at, number);
        queue.sleepers.insert(key, cx.waker().clone());
        if queue
            .sleepers
            .first_key_value()
            .is_some_and(|(first, _)| *first == key)
        {
            self.pacer.changed.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.pacer.lock().sleepers.remove(&(self.at, number));
        }
    }
}
