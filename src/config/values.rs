//! Values of a preference that are more than a number.

use crate::caller::Progress;
use crate::policy::tokens::estimate;
use std::fmt;
use std::sync::Arc;

/// What a request that fails for good does to the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnError {
    /// The call ends with its error, which carries what had finished
    /// ([`Error::partial`](crate::Error::partial)); requests under way are aborted.
    #[default]
    Raise,
    /// The others go on. The call gives what succeeded, with the failures in its `errors()`; also
    /// when its total timeout ends it.
    Return,
}

/// What is called with the progress of a call.
///
/// ```
/// use hedgerow::{OnProgress, Preference};
///
/// let preference = Preference {
///     on_progress: Some(OnProgress::new(|progress| {
///         println!("{} of {}, {:.0}/s", progress.done, progress.total, progress.rate());
///     })),
///     ..Preference::default()
/// };
/// ```
#[derive(Clone)]
pub struct OnProgress(Arc<dyn Fn(Progress) + Send + Sync>);

impl OnProgress {
    /// Wraps a function.
    pub fn new(callback: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(callback))
    }

    pub(crate) fn call(&self, progress: Progress) {
        (self.0)(progress);
    }
}

impl fmt::Debug for OnProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnProgress(..)")
    }
}

/// What counts the tokens of a text.
///
/// ```
/// use hedgerow::{CountTokens, Preference};
///
/// let preference = Preference {
///     tokens_per_minute: Some(1_000_000),
///     count_tokens: Some(CountTokens::new(|text| text.split_whitespace().count())),
///     ..Preference::default()
/// };
/// ```
#[derive(Clone)]
pub struct CountTokens(Arc<dyn Fn(&str) -> usize + Send + Sync>);

impl CountTokens {
    /// Wraps a function.
    pub fn new(counter: impl Fn(&str) -> usize + Send + Sync + 'static) -> Self {
        Self(Arc::new(counter))
    }

    /// One that panics would take the whole system with it: its text is estimated.
    pub(crate) fn count(&self, text: &str) -> usize {
        let counted = std::panic::AssertUnwindSafe(|| (self.0)(text));
        std::panic::catch_unwind(counted).unwrap_or_else(|_| estimate(text))
    }
}

impl fmt::Debug for CountTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountTokens(..)")
    }
}

/// Headers of the caller's own, as `[("name", "value")].into()` or collected. Their values may be
/// keys, so that Debug shows the names alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ExtraHeaders(Vec<(String, String)>);

impl ExtraHeaders {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for ExtraHeaders {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let headers = headers.into_iter();
        Self(
            headers
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

impl<N: Into<String>, V: Into<String>, const COUNT: usize> From<[(N, V); COUNT]> for ExtraHeaders {
    fn from(headers: [(N, V); COUNT]) -> Self {
        headers.into_iter().collect()
    }
}

impl fmt::Debug for ExtraHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}
