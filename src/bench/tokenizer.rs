//! Tokens as a model counts them, where its `tokenizer.json` is given.

use super::prompts::CountTokens;
use crate::error::{Error, Result};
use std::path::Path;

/// Reads a `tokenizer.json`.
#[cfg(not(feature = "tokenizer"))]
pub(super) fn load(path: &Path) -> Result<Box<dyn CountTokens>> {
    Err(Error::config(format!(
        "--tokenizer {}: this build has no tokenizer (cargo feature `tokenizer`)",
        path.display()
    )))
}
