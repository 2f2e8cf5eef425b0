//! Tokens as a model counts them, where its `tokenizer.json` is given.

use super::prompts::CountTokens;
use crate::error::{Error, Result};
use std::path::Path;

/// Reads a `tokenizer.json`.
#[cfg(not(feature = "tokenizer"))]
pub(in crate::bench) fn load(path: &Path) -> Result<Box<dyn CountTokens>> {
    Err(unusable(
        path,
        "this build cannot read it (cargo feature `tokenizer`)",
    ))
}

/// Reads a `tokenizer.json`.
#[cfg(feature = "tokenizer")]
pub(in crate::bench) fn load(path: &Path) -> Result<Box<dyn CountTokens>> {
    let mut tokenizer = tokenizers::Tokenizer::from_file(path)
        .map_err(|cause| unusable(path, &cause.to_string()))?;
    // What some files ask for would hide how long a text is.
    tokenizer.with_padding(None);
    tokenizer
        .with_truncation(None)
        .map_err(|cause| unusable(path, &cause.to_string()))?;
    Ok(Box::new(Model(tokenizer)))
}

fn unusable(path: &Path, cause: &str) -> Error {
    Error::config(format!("--tokenizer {}: {cause}", path.display()))
}

#[cfg(feature = "tokenizer")]
struct Model(tokenizers::Tokenizer);

#[cfg(feature = "tokenizer")]
impl CountTokens for Model {
    fn count(&self, text: &str) -> usize {
        // The tokens that a model adds around a text are none of the text's.
        self.0
            .encode_fast(text, false)
            .map_or(0, |encoding| encoding.len())
    }
}

#[cfg(all(test, feature = "tokenizer"))]
mod tests {
    use super::*;
    use crate::bench::request::prompts::{Lengths, Synthetic};
    use std::path::PathBuf;

    /// Words that begin with a to m are two tokens, `[half][half]`; the others one.
    const FILE: &str = r#"{"version":"1.0","truncation":{"direction":"Right","max_length":8,
        "strategy":"LongestFirst","stride":0},"padding":null,"added_tokens":[],"normalizer":null,
        "pre_tokenizer":{"type":"Split","pattern":{"Regex":" ?[a-m][a-z]*?|[a-z]+"},
        "behavior":"Isolated","invert":false},"post_processor":null,"decoder":null,
        "model":{"type":"WordLevel","vocab":{"[UNK]":0},"unk_token":"[UNK]"}}"#;

    fn file(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn prompts_have_the_length_that_a_model_counts() {
        let path = file("hedgerow-tokenizer", FILE);
        let counter = load(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(
            counter.count("zebra apple zoo apple zoo zoo zoo zoo") > 8,
            "nothing is cut"
        );
        let synthetic = Synthetic {
            lengths: Lengths::Uniform {
                tokens: 300,
                vary: 0,
            },
            prefix_overlap: 0.5,
            count: 20,
        };
        for text in synthetic.texts(3, &*counter) {
            assert_eq!(counter.count(&text), 300, "{text}");
        }
    }

    #[test]
    fn a_file_that_is_none_is_named() {
        let path = file("hedgerow-no-tokenizer", "{}");
        let error = load(&path).err().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(
            error.is_config() && error.to_string().contains("--tokenizer"),
            "{error}"
        );
        assert!(load(Path::new("/nowhere.json")).is_err());
    }
}
