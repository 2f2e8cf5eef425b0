//! Work that would hold a Worker's thread for longer than a moment: unpacking and decoding large
//! answers. Others' deadlines run on that thread, and with Worker 0 so does the Dispatcher.
//!
//! What is fast for its size is done on the thread, one answer at a time, and after each the thread
//! looks at its timers. All else is done on threads beside it.

use std::sync::Arc;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{spawn_blocking, yield_now};

/// So many works are done beside a Worker at once. Each holds an answer; and more would take the
/// processor from the Workers.
const BESIDE: usize = 2;

/// The larger works of one Worker.
pub(super) struct Labour {
    here: Semaphore,
    beside: Arc<Semaphore>,
}

impl Default for Labour {
    fn default() -> Self {
        Self {
            here: Semaphore::new(1),
            beside: Arc::new(Semaphore::new(BESIDE)),
        }
    }
}

impl Labour {
    /// Does a work of a few milliseconds on this thread, in its turn.
    pub(super) async fn here<T>(&self, work: impl FnOnce() -> T) -> T {
        let turn = self.here.acquire().await;
        let done = work();
        // Goes on when the thread has looked at its timers and sockets.
        yield_now().await;
        drop(turn);
        done
    }

    /// Does a work of any length on another thread, in its turn. The work is told by a function whether
    /// anybody still waits for it. `None` where it panics.
    pub(super) async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Option<T> {
        let turn = Arc::clone(&self.beside).acquire_owned().await;
        let (port, done) = oneshot::channel();
        spawn_blocking(move || {
            let result = work(&|| !port.is_closed());
            drop(turn);
            // Nobody waits any more.
            let _ = port.send(result);
        });
        done.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;
    use tokio::time::{Instant, sleep, timeout};

    #[tokio::test]
    async fn the_thread_looks_at_its_timers_between_two_works() {
        const MS: Duration = Duration::from_millis(1);
        let labour = Labour::default();
        let start = Instant::now();
        let works = (0..50).map(|_| labour.here(|| std::thread::sleep(4 * MS)));
        let alarm = async {
            sleep(20 * MS).await;
            start.elapsed()
        };
        let (_, rang) = tokio::join!(futures_util::future::join_all(works), alarm);
        assert!(rang < 100 * MS, "{rang:?}");
        assert!(start.elapsed() >= 200 * MS);
    }

    #[tokio::test]
    async fn works_beside_are_few_and_know_when_nobody_waits() {
        let labour = Labour::default();
        let running = Arc::<AtomicUsize>::default();
        let most = Arc::<AtomicUsize>::default();
        let work = || {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            labour.beside(move |goes_on| {
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                while goes_on() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                running.fetch_sub(1, SeqCst);
            })
        };
        for _ in 0..2 {
            let works = futures_util::future::join_all((0..8).map(|_| work()));
            assert!(timeout(Duration::from_millis(50), works).await.is_err());
        }
        assert_eq!(labour.beside(|_| 7).await, Some(7));
        assert!((1..=BESIDE).contains(&most.load(SeqCst)));
        let panics: Option<()> = labour.beside(|_| panic!("a planned panic")).await;
        assert_eq!(panics, None);
    }
}
