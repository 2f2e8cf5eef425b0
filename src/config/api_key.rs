//! The key that requests carry.

use crate::error::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// A bearer token. Its Debug output never shows it, and it has no Display.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(Arc<str>);

impl ApiKey {
    /// Wraps a token.
    ///
    /// # Errors
    ///
    /// When it is empty or holds a character that no header may hold (a line break, say). The
    /// error does not show the token.
    pub fn new(token: impl AsRef<str>) -> Result<Self> {
        let token = token.as_ref();
        if token.is_empty() {
            return Err(Error::config("api_key cannot be empty"));
        }
        if !token.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
            return Err(Error::config(
                "api_key holds a character that a header cannot hold; \
                 visible ASCII without spaces is allowed (a line break at its end, perhaps?)",
            ));
        }
        Ok(Self(token.into()))
    }

    /// The token of the environment: `BASETEN_API_KEY`, else `OPENAI_API_KEY`.
    ///
    /// # Errors
    ///
    /// As [`ApiKey::new`].
    pub fn from_env() -> Result<Option<Self>> {
        ["BASETEN_API_KEY", "OPENAI_API_KEY"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|token| !token.is_empty()))
            .map(Self::new)
            .transpose()
    }

    /// The token itself, for the `authorization` header alone.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown() {
        let key = ApiKey::new("sk-secret").unwrap();
        assert_eq!(format!("{key:?}"), "ApiKey(***)");
        let error = ApiKey::new("sk-secret\n").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("sk-secret"));
    }
}
