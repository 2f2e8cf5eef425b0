//! The memory that a Worker reads answers into: buffers, kept for the next ones, and a bound on how
//! much is half read.

use std::pin::Pin;
use std::time::Duration;
use tokio::sync::Semaphore;

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
/// A turn ends after this, and its answer is read on without one. So slow answers are read side by
/// side: one more every 5 ms, or 800 MB a second with `AT_ONCE`, which is more than most networks bring.
const LONGEST_TURN: Duration = Duration::from_millis(5);

/// Turns at reading large answers. A window of them that are all half read would take as much
/// memory again as the window's results; it does where a server is slow.
#[derive(Debug)]
pub(super) struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE as usize))
    }
}

impl Turns {
    /// Runs `read`, which reads an answer of that length in bytes, when it is its turn.
    pub(super) async fn take<T>(
        &self,
        length: Option<u64>,
        mut read: Pin<&mut impl Future<Output = T>>,
    ) -> T {
        let kibibytes = length.map_or(0, |length| u32::try_from(length >> 10).unwrap_or(AT_ONCE));
        if kibibytes < LARGE {
            return read.await;
        }
        let turn = self.0.acquire_many(kibibytes.min(AT_ONCE)).await;
        if let Ok(result) = tokio::time::timeout(LONGEST_TURN, read.as_mut()).await {
            return result;
        }
        drop(turn);
        read.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    async fn large_answers_take_turns_and_a_slow_one_holds_no_other_up_for_long() {
        const MIB: u64 = 1 << 20;
        let turns = Turns::default();
        let start = Instant::now();
        let slow = pin!(sleep(Duration::from_secs(1)));
        let slow = turns.take(Some(u64::MAX), slow);
        let begun = async |length| {
            let read = pin!(async { start.elapsed() });
            turns.take(length, read).await
        };
        let (unknown, small, large, next, ()) = tokio::join!(
            biased;
            begun(None),
            begun(Some(1000)),
            async { sleep(Duration::from_millis(1)).await; begun(Some(MIB)).await },
            async { sleep(Duration::from_millis(2)).await; begun(Some(MIB)).await },
            slow,
        );
        assert_eq!([unknown, small], [Duration::ZERO; 2]);
        assert_eq!([large, next], [LONGEST_TURN; 2]);
        assert_eq!(start.elapsed(), Duration::from_secs(1));
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
