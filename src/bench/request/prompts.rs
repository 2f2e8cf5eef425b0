//! Prompts that are made up, from a list of words that ships: the same seed, the same texts.

use super::rng::{Purpose, Rng};
use crate::error::{Error, Result};

/// A thousand English words of three to eight letters.
const WORDS: &str = include_str!("words.txt");
/// Without a tokenizer, so many bytes are counted for a token: common for English prose.
const BYTES_A_TOKEN: usize = 4;

/// What the lengths of prompts are.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Lengths {
    /// Uniform between `tokens - vary` and `tokens + vary`, at least 1.
    Uniform {
        /// Tokens in the middle.
        tokens: u32,
        /// The most that a prompt differs from it.
        vary: u32,
    },
    /// Log-normal: half of the prompts are longer than the median.
    LogNormal {
        /// Tokens of the median prompt.
        median: u32,
        /// The standard deviation of the logarithm, 0 to 5.
        sigma: f64,
    },
}

/// No prompt is longer, in tokens.
const LONGEST: u32 = 2_000_000;

impl Lengths {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float is clamped by the cast, and then to the limits"
    )]
    fn draw(self, rng: &mut Rng) -> u32 {
        let tokens = match self {
            Self::Uniform { tokens, vary } => uniform_around(tokens, vary, rng),
            Self::LogNormal { median, sigma } => {
                (f64::from(median) * libm::exp(sigma * rng.normal())).round() as u32
            }
        };
        tokens.clamp(1, LONGEST)
    }
}

/// Uniform in `middle - vary` to `middle + vary`, at least 1.
pub(super) fn uniform_around(middle: u32, vary: u32, rng: &mut Rng) -> u32 {
    let offset = rng.below(u64::from(vary) * 2 + 1);
    let drawn = (u64::from(middle) + offset).saturating_sub(u64::from(vary));
    u32::try_from(drawn).unwrap_or(u32::MAX).max(1)
}

/// How prompts are made up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Synthetic {
    /// How long they are.
    pub lengths: Lengths,
    /// The share of each prompt, from its beginning, that all have in common: 0 to 1.
    pub prefix_overlap: f64,
    /// How many different prompts there are; requests take them in turn.
    pub count: u32,
}

/// Counts the tokens of a text.
pub(in crate::bench) trait CountTokens {
    /// How many there are.
    fn count(&self, text: &str) -> usize;
}

/// A token for every four bytes.
#[derive(Debug)]
pub(in crate::bench) struct Estimate;

impl CountTokens for Estimate {
    fn count(&self, text: &str) -> usize {
        text.len().div_ceil(BYTES_A_TOKEN)
    }
}

impl Synthetic {
    pub(in crate::bench) fn check(&self) -> Result<()> {
        let (tokens, sigma) = match self.lengths {
            Lengths::Uniform { tokens, .. } => (tokens, 0.0),
            Lengths::LogNormal { median, sigma } => (median, sigma),
        };
        if !(1..=LONGEST).contains(&tokens) {
            return Err(Error::config(format!(
                "input_tokens must be between 1 and {LONGEST} (got {tokens})"
            )));
        }
        if !(0.0..=5.0).contains(&sigma) {
            return Err(Error::config(format!(
                "the sigma of prompts' lengths must be between 0 and 5 (got {sigma})"
            )));
        }
        if !(0.0..=1.0).contains(&self.prefix_overlap) {
            return Err(Error::config(format!(
                "prefix_overlap must be between 0 and 1 (got {})",
                self.prefix_overlap
            )));
        }
        if self.count == 0 {
            return Err(Error::config(
                "the number of prompts must be at least 1 (got 0)",
            ));
        }
        Ok(())
    }

    /// The texts, in their order.
    pub(in crate::bench) fn texts(&self, seed: u64, counter: &dyn CountTokens) -> Vec<String> {
        let words = Words::new(counter);
        let prompt = |number: u32| {
            let mut rng = Rng::new(seed, Purpose::Prompts, number.into());
            let length = self.lengths.draw(&mut rng) as usize;
            let shared = share_of(length, self.prefix_overlap);
            let mut text = String::with_capacity(length * BYTES_A_TOKEN + 8);
            let mut common = Rng::new(seed, Purpose::Prefixes, 0);
            grow(&mut text, shared, &words, &mut common, counter);
            grow(&mut text, length, &words, &mut rng, counter);
            text
        };
        (0..self.count).map(prompt).collect()
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a small count"
)]
fn share_of(length: usize, share: f64) -> usize {
    (length as f64 * share.clamp(0.0, 1.0)).round() as usize
}

/// Adds words until there are so many tokens, and cuts what is too much. Counting is what costs:
/// as many words are added at once as will most likely be needed.
fn grow(
    text: &mut String,
    tokens: usize,
    words: &Words<'_>,
    rng: &mut Rng,
    counter: &dyn CountTokens,
) {
    let had = text.len();
    let mut found = if text.is_empty() {
        0
    } else {
        counter.count(text)
    };
    while found < tokens {
        for _ in 0..words.needed_for(tokens - found) {
            let index = rng.below(words.list.len() as u64);
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(words.list[usize::try_from(index).unwrap_or(0)]);
        }
        let before = std::mem::replace(&mut found, counter.count(text));
        if found <= before {
            // A tokenizer that finds nothing in English words would be asked for ever.
            return;
        }
    }
    // The longest beginning that has no more tokens than were asked for: it is near the end.
    let (mut fits, mut too_long) = (text.len(), text.len() + 1);
    let mut step = 8;
    while fits > had && counter.count(&text[..fits]) > tokens {
        too_long = fits;
        fits = fits.saturating_sub(step).max(had);
        step *= 2;
    }
    while too_long - fits > 1 {
        let middle = fits.midpoint(too_long);
        if counter.count(&text[..middle]) <= tokens {
            fits = middle;
        } else {
            too_long = middle;
        }
    }
    text.truncate(fits);
}

/// The words, and how many tokens they have on the average.
struct Words<'a> {
    list: Vec<&'a str>,
    tokens: usize,
}

impl Words<'_> {
    fn new(counter: &dyn CountTokens) -> Words<'static> {
        let list: Vec<&str> = WORDS.lines().collect();
        let tokens = counter.count(&list.join(" ")).max(1);
        Words { list, tokens }
    }

    /// At least one.
    fn needed_for(&self, tokens: usize) -> usize {
        (tokens * self.list.len()).div_ceil(self.tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synthetic(lengths: Lengths, prefix_overlap: f64) -> Synthetic {
        Synthetic {
            lengths,
            prefix_overlap,
            count: 200,
        }
    }

    #[test]
    fn prompts_have_the_length_that_was_asked_for_and_differ() {
        let exact = synthetic(
            Lengths::Uniform {
                tokens: 100,
                vary: 0,
            },
            0.0,
        );
        let texts = exact.texts(1, &Estimate);
        assert!(texts.iter().all(|text| Estimate.count(text) == 100));
        let different: std::collections::HashSet<&String> = texts.iter().collect();
        assert_eq!(different.len(), 200);
        assert_eq!(texts, exact.texts(1, &Estimate));
        assert_ne!(texts, exact.texts(2, &Estimate));
    }

    #[test]
    fn lengths_vary_within_their_bounds() {
        let varied = synthetic(
            Lengths::Uniform {
                tokens: 50,
                vary: 60,
            },
            0.0,
        );
        let lengths: Vec<usize> = varied
            .texts(1, &Estimate)
            .iter()
            .map(|text| text.len().div_ceil(4))
            .collect();
        assert!(lengths.iter().all(|tokens| (1..=110).contains(tokens)));
        assert!(lengths.iter().any(|tokens| *tokens > 90));
        let skewed = synthetic(
            Lengths::LogNormal {
                median: 64,
                sigma: 1.0,
            },
            0.0,
        );
        let mut lengths: Vec<usize> = skewed.texts(1, &Estimate).iter().map(String::len).collect();
        lengths.sort_unstable();
        let median = lengths[100] / 4;
        assert!(
            (50..80).contains(&median) && lengths[199] / 4 > 3 * median,
            "{median}"
        );
    }

    #[test]
    fn log_normal_lengths_are_the_same_on_every_machine() {
        let lengths = Lengths::LogNormal {
            median: 100_000,
            sigma: 1.0,
        };
        let mut rng = Rng::new(42, Purpose::Prompts, 0);
        let drawn: Vec<u32> = (0..4).map(|_| lengths.draw(&mut rng)).collect();
        assert_eq!(drawn, [69_118, 532_701, 214_934, 226_112]);
    }

    #[test]
    fn a_share_of_each_prompt_is_common_to_all() {
        let overlapping = synthetic(
            Lengths::Uniform {
                tokens: 100,
                vary: 0,
            },
            0.75,
        );
        let texts = overlapping.texts(1, &Estimate);
        assert!(texts.iter().all(|text| text[..300] == texts[0][..300]));
        assert!(texts.iter().any(|text| text[301..] != texts[0][301..]));
    }

    #[test]
    fn the_list_has_a_thousand_plain_words() {
        let words: Vec<&str> = WORDS.lines().collect();
        assert!(words.len() >= 1000 && words.is_sorted());
        assert!(
            words
                .iter()
                .all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()))
        );
    }
}
