//! One case: an answer as bytes, where it is cut, and how it ends.

use std::fmt;

/// What the server does behind the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It closes the connection.
    Close,
    /// It reads the next request on the connection.
    Keep,
}

/// An answer and how it is sent.
#[derive(Clone)]
pub(super) struct Case {
    /// Whether the request is a HEAD; otherwise it is a GET.
    pub(super) is_head: bool,
    pub(super) answer: Vec<u8>,
    /// Where the answer is cut into segments.
    pub(super) cuts: Vec<usize>,
    pub(super) end: End,
}

impl Case {
    /// The answer in its segments.
    pub(super) fn segments(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        let ends = self.cuts.iter().copied().chain([self.answer.len()]);
        ends.filter_map(move |end| {
            let segment = (end > start).then(|| &self.answer[start..end]);
            start = start.max(end);
            segment
        })
    }

    /// The answer in lower case, to look for what it says. Text, with other bytes as Latin-1.
    pub(super) fn text(&self) -> String {
        let text: String = self.answer.iter().map(|byte| char::from(*byte)).collect();
        text.to_ascii_lowercase()
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 4 << 10;
        let method = if self.is_head { "HEAD" } else { "GET" };
        let shown = &self.answer[..self.answer.len().min(MOST)];
        write!(f, "{method}, then {:?}, cut at {:?}: ", self.end, self.cuts)?;
        write!(f, "\"{}\"", shown.escape_ascii())?;
        if shown.len() < self.answer.len() {
            write!(f, " and {} bytes more", self.answer.len() - shown.len())?;
        }
        Ok(())
    }
}
