//! How many tokens an answer has.

/// How many tokens there were, as far as the answer tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::bench) struct TokenCounts {
    pub prompt: Option<u64>,
    pub completion: Option<u64>,
    /// The server's count is missing; `completion` is what the answer's size suggests.
    pub estimated: bool,
}
