//! Whom a server's limits are for: an origin, and the key by which it knows who asks.

use super::secret::is_secret;
use http::{HeaderName, HeaderValue};
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::LazyLock;

/// It names a call, and not who asks.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// An endpoint as its server's limits see it: requests to one origin with one key share what is
/// learned of it, those with another key do not.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    origin: Box<str>,
    /// A hash of the origin and of what in the headers is secret, of another seed in each process.
    hash: u64,
}

impl Account {
    /// Of `origin` (scheme, host and port), asked with `headers`.
    #[must_use]
    pub fn new(origin: &str, headers: &[(HeaderName, HeaderValue)]) -> Self {
        static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        // Not by how a value looks: an id of each call may look like a key.
        let mut secrets: Vec<_> = headers
            .iter()
            .filter(|(name, _)| is_secret(name.as_str(), "") && *name != IDEMPOTENCY_KEY)
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        secrets.sort_unstable();
        Self {
            origin: origin.into(),
            hash: SEED.hash_one((origin, secrets)),
        }
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// Made once: each attempt looks its account up.
impl Hash for Account {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

/// The origin alone.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.origin, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{ACCEPT, AUTHORIZATION};

    fn account(origin: &str, key: &'static str, accept: &'static str) -> Account {
        let headers = [
            (ACCEPT, HeaderValue::from_static(accept)),
            (AUTHORIZATION, HeaderValue::from_static(key)),
        ];
        Account::new(origin, &headers)
    }

    #[test]
    fn one_origin_and_key_are_one_account_and_others_are_others() {
        let own = account("http://h", "Bearer a", "x");
        assert_eq!(own, account("http://h", "Bearer a", "y"));
        assert_ne!(own, account("http://h", "Bearer b", "x"));
        assert_ne!(own, account("http://g", "Bearer a", "x"));
        let call = |id: &'static str| {
            let name = HeaderName::from_static(IDEMPOTENCY_KEY);
            Account::new("http://h", &[(name, HeaderValue::from_static(id))])
        };
        assert_eq!(call("1"), call("2"));
        assert_eq!(format!("{own} {own:?}"), "http://h \"http://h\"");
    }
}
