//! The buffers that a Worker reads answers into, kept for the next ones.

/// So many bytes are kept in all; what is above is freed. A few dozen large answers, or any
/// number of small ones.
const MOST_KEPT: usize = 32 << 20;

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

#[cfg(test)]
mod tests {
    use super::*;

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
