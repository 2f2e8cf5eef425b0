//! The texts of an operation: moved in once, then shared, never copied.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Texts, shared between an operation's requests. Cloning copies no text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Inputs(Arc<Vec<String>>);

impl Deref for Inputs {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl From<Vec<String>> for Inputs {
    fn from(texts: Vec<String>) -> Self {
        Self(Arc::new(texts))
    }
}

impl<T: Into<String>> FromIterator<T> for Inputs {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        texts
            .into_iter()
            .map(Into::into)
            .collect::<Vec<String>>()
            .into()
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for Inputs {
    fn from(texts: [T; N]) -> Self {
        texts.into_iter().collect()
    }
}

impl From<&[&str]> for Inputs {
    fn from(texts: &[&str]) -> Self {
        texts.iter().copied().collect()
    }
}

impl From<Vec<&str>> for Inputs {
    fn from(texts: Vec<&str>) -> Self {
        texts.into_iter().collect()
    }
}

impl From<&str> for Inputs {
    fn from(text: &str) -> Self {
        [text].into()
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} texts", self.len())
    }
}
