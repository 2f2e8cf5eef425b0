//! The memory that a Worker reads answers into: buffers, kept for the next ones, and a bound on how
//! much is half read.

use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// So many bytes are kept in all; what is above is freed. A few large answers, or any number of
/// small ones.
const MOST_KEPT: usize = 8 << 20;

/// Buffers that are not in use.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    free: Vec<Vec<u8>>,
    kept: usize,
}

impl Buffers {
    /// A buffer, with whatever it held before.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let buffer = self.free.pop().unwrap_or_default();
        self.kept -= buffer.capacity();
        buffer
    }

    /// Keeps a buffer, or frees it where enough are kept.
    pub(super) fn give(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= MOST_KEPT - self.kept {
            self.kept += buffer.capacity();
            self.free.push(buffer);
        }
    }
}

/// Smaller answers, in KiB, are read as they come.
const LARGE: u32 = 256;
/// Of large answers, so many KiB are read at once; the others wait in the kernel. What is decoded
/// soon after it came is still in the processor's cache.
const AT_ONCE: u32 = 4 << 10;
/// Where those that are read take their time, the others wait no longer for them.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// Turns at reading large answers. A window of them that are all half read would take as much
/// memory again as the window's results.
#[derive(Debug, Clone)]
pub(super) struct Turns(Rc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Rc::new(Semaphore::new(AT_ONCE as usize)))
    }
}

impl Turns {
    /// Waits for a turn, if an answer of that length in bytes takes one; it ends with what is given.
    pub(super) async fn wait(&self, length: Option<u64>) -> Option<SemaphorePermit<'_>> {
        let kibibytes = u32::try_from(length? >> 10).unwrap_or(AT_ONCE);
        if kibibytes < LARGE {
            return None;
        }
        let share = kibibytes.min(AT_ONCE);
        if let Ok(turn) = self.0.try_acquire_many(share) {
            return Some(turn);
        }
        let turn = tokio::time::timeout(LONGEST_WAIT, self.0.acquire_many(share)).await;
        turn.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn large_answers_take_turns_and_a_slow_one_holds_no_other_up_for_long() {
        const MIB: u64 = 1 << 20;
        let turns = Turns::default();
        assert!(turns.wait(None).await.is_none());
        assert!(turns.wait(Some(1000)).await.is_none());
        let slow = turns.wait(Some(u64::MAX)).await;
        assert!(slow.is_some());
        let start = tokio::time::Instant::now();
        assert!(turns.wait(Some(MIB)).await.is_none());
        assert_eq!(start.elapsed(), LONGEST_WAIT);
        let (next, ()) = tokio::join!(turns.wait(Some(MIB)), async { drop(slow) });
        assert!(next.is_some());
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let mut buffers = Buffers::default();
        for _ in 0..10 {
            buffers.give(Vec::with_capacity(MOST_KEPT / 4));
        }
        assert_eq!(buffers.free.len(), 4);
        assert_eq!(buffers.take().capacity(), MOST_KEPT / 4);
        assert_eq!(buffers.kept, MOST_KEPT / 4 * 3);
        buffers.give(Vec::with_capacity(MOST_KEPT + 1));
        assert_eq!(buffers.free.len(), 3);
    }
}
