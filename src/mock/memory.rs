//! Remembers large rows as they were printed. A client under load asks for the
//! same texts over and over, and copying a row costs a tenth of printing it;
//! without this the server would be slower than the client it measures.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

/// How many bytes are remembered; then no more is, and what is there stays.
const CAPACITY: usize = 128 << 20;
/// Rows below so many numbers are printed as fast as found.
const WORTH: usize = 64;

/// What a printed row follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RowKey {
    pub(super) seed: u64,
    pub(super) dimensions: usize,
    pub(super) base64: bool,
}

/// The rows printed so far, for all threads.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<PrintedRows>);

#[derive(Debug, Default)]
struct PrintedRows {
    printed: FxHashMap<RowKey, Arc<[u8]>>,
    bytes: usize,
}

impl Memory {
    /// Appends a row to `out`: from memory, or as `print` does.
    pub(super) fn push_row(
        &self,
        key: RowKey,
        out: &mut Vec<u8>,
        print: impl FnOnce(&mut Vec<u8>),
    ) {
        if key.dimensions < WORTH {
            return print(out);
        }
        let known = self.with(|rows| rows.printed.get(&key).cloned());
        if let Some(row) = known {
            return out.extend_from_slice(&row);
        }
        let start = out.len();
        print(out);
        let row = &out[start..];
        self.with(|rows| {
            if rows.bytes + row.len() <= CAPACITY && rows.printed.insert(key, row.into()).is_none()
            {
                rows.bytes += row.len();
            }
        });
    }

    fn with<T>(&self, with: impl FnOnce(&mut PrintedRows) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
