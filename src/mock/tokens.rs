//! The tokens that the server makes, and how it counts those of others.

/// How many tokens the server counts a text for: one every four bytes.
#[must_use]
pub fn tokens_of(text: &str) -> usize {
    text.len().div_ceil(4)
}

/// The `k`th token of every completion, counted from 0. Tokens end with a space.
#[must_use]
pub fn token(k: usize) -> &'static str {
    const WORDS: [&str; 8] = [
        "mock ", "tokens ", "come ", "at ", "a ", "set ", "steady ", "pace ",
    ];
    WORDS[k % WORDS.len()]
}
