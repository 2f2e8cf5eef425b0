//! What a server takes in one request, as its refusals tell: so many inputs, tokens or bytes.
//!
//! What one request was refused for is remembered by URL, for all operations that go there: others
//! are cut to fit before they are sent. A limit on tokens is kept in characters, which can be counted:
//! a refusal that names the limit and what was asked for says how many characters a token has in
//! texts like these. One that names no number is taken for about half of
//! what was refused.

use super::split::{Limits, Weight};
use rustc_hash::FxHashMap;
use std::fmt;

/// What a refusal says of the inputs of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// Nothing: it is about a key, a model, a field, or the server.
    None,
    /// They are too many, or too much.
    Shape(ShapeLimit),
    /// One of them is bad.
    Input,
    /// By its status it may be about one of them; it does not say.
    Perhaps,
}

/// A limit on one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShapeLimit {
    Inputs {
        most: usize,
    },
    Tokens {
        most: usize,
        /// How many the request had.
        asked: Option<usize>,
        /// The words may as well be about a single input.
        of_one: bool,
    },
    /// A limit on bytes that is not always named.
    Bytes {
        most: Option<usize>,
    },
}

impl fmt::Display for ShapeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inputs { most } => write!(f, "at most {most} inputs"),
            Self::Tokens { most, .. } => write!(f, "at most {most} tokens"),
            Self::Bytes { most: Some(most) } => write!(f, "at most {most} bytes"),
            Self::Bytes { most: None } => f.write_str("fewer bytes than it was sent"),
        }
    }
}

/// How much of its share of tokens a request is filled with: texts differ in how many characters a
/// token has.
const FILLED: (usize, usize) = (9, 10);

/// What one URL takes in one request, as far as it is known. Bytes are those of a whole body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    inputs: Option<usize>,
    chars: Option<usize>,
    bytes: Option<usize>,
}

/// A request that was refused: how many inputs it had, and what its body weighed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub inputs: usize,
    pub weight: Weight,
}

impl Shape {
    /// A request was refused for this limit.
    fn learn(&mut self, limit: ShapeLimit, load: Load) {
        let Weight { chars, bytes, .. } = load.weight;
        match limit {
            ShapeLimit::Inputs { most } => {
                // A server that names more than it was sent means something else, or errs.
                let fits_already = most >= load.inputs;
                let most = if fits_already { load.inputs / 2 } else { most };
                let most = most.max(1);
                self.inputs = least(self.inputs, Some(most));
            }
            ShapeLimit::Tokens {
                most,
                asked: Some(asked),
                ..
            } if asked > most => {
                let fair = share(chars, most, asked);
                let most = share(fair, FILLED.0, FILLED.1).max(1);
                self.chars = least(self.chars, Some(most));
            }
            ShapeLimit::Tokens { .. } => halve(&mut self.chars, chars),
            ShapeLimit::Bytes { most: Some(most) } if most < bytes => {
                self.bytes = least(self.bytes, Some(most));
            }
            ShapeLimit::Bytes { .. } => halve(&mut self.bytes, bytes),
        }
    }

    /// `limits`, and no more than is known to be taken.
    pub(crate) fn narrow(self, limits: Limits) -> Limits {
        Limits {
            batch_size: limits.batch_size.min(self.inputs.unwrap_or(usize::MAX)),
            max_chars: least(limits.max_chars, self.chars),
            max_tokens: limits.max_tokens,
            max_bytes: least(limits.max_bytes, self.bytes),
        }
    }
}

/// The lower of two limits, where there is one.
fn least(one: Option<usize>, other: Option<usize>) -> Option<usize> {
    one.into_iter().chain(other).min()
}

/// `part` of `whole` shares of something.
fn share(of: usize, part: usize, whole: usize) -> usize {
    let exact = of as u128 * part as u128 / whole.max(1) as u128;
    usize::try_from(exact).unwrap_or(usize::MAX)
}

/// What is taken for a limit that is not named, of what was refused: half, and room for halves that
/// are not even.
const HALF: (usize, usize) = (9, 16);

/// Learns of a limit that was not named. What was sent before it was known, and is larger, tells
/// nothing new.
fn halve(known: &mut Option<usize>, refused: usize) {
    if known.is_none_or(|known| refused <= known) {
        *known = Some(share(refused, HALF.0, HALF.1).max(1));
    }
}

/// What is known of all URLs.
#[derive(Debug, Default)]
pub(crate) struct ShapeMemory {
    known: FxHashMap<Box<str>, Shape>,
    version: u32,
}

impl ShapeMemory {
    /// Another number whenever something was learned.
    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// Whether nothing was learned yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// What is known of one URL.
    pub(crate) fn of(&self, url: &str) -> Shape {
        let known = self.known.get(url);
        known.copied().unwrap_or_default()
    }

    /// A request to `url` was refused for this limit. Says whether that was news.
    pub(crate) fn learn(&mut self, url: &str, limit: ShapeLimit, load: Load) -> bool {
        let shape = self.known.entry(url.into()).or_default();
        let before = *shape;
        shape.learn(limit, load);
        let is_news = *shape != before;
        self.version = self.version.wrapping_add(u32::from(is_news));
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn load(inputs: usize, chars: usize, bytes: usize) -> Load {
        Load {
            inputs,
            weight: Weight {
                chars,
                bytes,
                tokens: 0,
            },
        }
    }

    fn tokens(most: usize, asked: Option<usize>) -> ShapeLimit {
        ShapeLimit::Tokens {
            most,
            asked,
            of_one: false,
        }
    }

    fn after(told: &[(ShapeLimit, Load)]) -> Limits {
        let mut memory = ShapeMemory::default();
        for (limit, load) in told {
            memory.learn("http://a", *limit, *load);
        }
        memory.of("http://a").narrow(Limits::of_count(128))
    }

    #[test]
    fn a_limit_is_remembered_for_its_url_alone() {
        let mut memory = ShapeMemory::default();
        let inputs = ShapeLimit::Inputs { most: 32 };
        assert!(memory.learn("http://a", inputs, load(128, 1000, 2000)));
        assert!(!memory.learn("http://a", inputs, load(128, 1000, 2000)));
        assert_eq!(memory.version(), 1);
        let narrowed = |url| memory.of(url).narrow(Limits::of_count(128));
        assert_eq!(narrowed("http://a"), Limits::of_count(32));
        assert_eq!(narrowed("http://b"), Limits::of_count(128));
        let own = memory.of("http://a").narrow(Limits::of_count(8));
        assert_eq!(own.batch_size, 8);
    }

    #[test]
    fn a_limit_on_tokens_becomes_one_on_characters_of_such_texts() {
        let told = [(tokens(300_000, Some(384_028)), load(101, 1_212_000, 0))];
        let most = after(&told).max_chars.unwrap();
        // 3.156 characters a token, and a tenth less.
        assert_eq!(most, 852_124);
        let denser = (tokens(300_000, Some(600_000)), load(70, 840_000, 0));
        assert_eq!(after(&[told[0], denser]).max_chars, Some(378_000));
    }

    #[test]
    fn a_limit_that_is_not_named_is_about_half_of_what_was_refused() {
        let bare = ShapeLimit::Bytes { most: None };
        let first = (bare, load(128, 0, 1000));
        assert_eq!(after(&[first]).max_bytes, Some(562));
        // One that was under way tells nothing new; one that was cut to fit does.
        assert_eq!(
            after(&[first, (bare, load(128, 0, 900))]).max_bytes,
            Some(562)
        );
        assert_eq!(
            after(&[first, (bare, load(64, 0, 480))]).max_bytes,
            Some(270)
        );
        assert_eq!(
            after(&[(tokens(10, None), load(9, 90, 0))]).max_chars,
            Some(50)
        );
        let named = ShapeLimit::Bytes { most: Some(700) };
        assert_eq!(after(&[(named, load(9, 0, 1000))]).max_bytes, Some(700));
    }

    proptest! {
        #[test]
        fn what_was_refused_never_fits_again_unless_it_cannot_be_less(
            most in 0usize..5000, asked in prop::option::of(0usize..5000),
            inputs in 2usize..500, chars in 2usize..5000, bytes in 2usize..5000, kind in 0u8..3,
        ) {
            let limit = match kind {
                0 => ShapeLimit::Inputs { most },
                1 => tokens(most, asked),
                _ => ShapeLimit::Bytes { most: asked },
            };
            let mut shape = Shape::default();
            shape.learn(limit, load(inputs, chars, bytes));
            let limits = shape.narrow(Limits::of_count(usize::MAX));
            let fits = inputs <= limits.batch_size
                && limits.max_chars.is_none_or(|most| chars <= most)
                && limits.max_bytes.is_none_or(|most| bytes <= most);
            prop_assert!(!fits, "{:?}", limits);
            prop_assert!(limits.batch_size > 0 && limits.max_chars != Some(0));
        }
    }
}
