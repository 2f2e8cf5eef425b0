//! Headers as they cross to JavaScript.

use hedgerow::Headers;

/// Names and values, by turns.
pub(crate) fn pairs(headers: &Headers) -> Vec<String> {
    let pairs = headers.iter();
    pairs
        .flat_map(|(name, value)| [name.to_owned(), value.to_owned()])
        .collect()
}
