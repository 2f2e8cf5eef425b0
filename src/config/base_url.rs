//! Where requests go.

use crate::error::{Error, Result};

/// A checked base URL: `http` or `https`, a host, no credentials, no query; no slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl(String);

impl BaseUrl {
    pub(crate) fn parse(raw: &str) -> Result<Self> {
        // The raw text is shown only once it is known to hold no password.
        let url = url::Url::parse(raw.trim())
            .map_err(|cause| Error::config(format!("base_url is not a URL: {cause}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::config(
                "base_url must not hold a user name or a password; give the key as api_key",
            ));
        }
        if !matches!(url.scheme(), "http" | "https") {
            let scheme = url.scheme();
            return Err(Error::config(format!(
                "base_url must begin with http:// or https://, not {scheme}:"
            )));
        }
        if url.query().is_some() || url.fragment().is_some() {
            // It is not shown: some put a key there.
            return Err(Error::config(
                "base_url must not hold a query (?...) or a fragment (#...)",
            ));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The base URL as text, without a slash at its end.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> &str {
        let authority = self.0.find("://").map_or(0, |end| end + 3);
        let path = self.0[authority..].find('/');
        path.map_or(&self.0, |start| &self.0[..authority + start])
    }

    /// The URL of `path` below this one. Slashes join cleanly, and a base that already ends in
    /// `/v1` does not get a second one; nor does one that is the whole URL of embeddings, or of
    /// another path of several steps, get that once more.
    pub(crate) fn join(&self, path: &str) -> String {
        let path = path.trim_start_matches('/');
        let base = &self.0[self.origin().len()..];
        let is_there = base
            .strip_suffix(path)
            .is_some_and(|rest| rest.ends_with('/'));
        if is_there && path.contains('/') {
            return self.0.clone();
        }
        let path = match path.strip_prefix("v1/") {
            Some(rest) if base.ends_with("/v1") => rest,
            _ => path,
        };
        format!("{}/{path}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_and_versions_join_cleanly() {
        for (base, path, url) in [
            ("http://h", "/v1/embeddings", "http://h/v1/embeddings"),
            ("http://h/", "v1/embeddings", "http://h/v1/embeddings"),
            ("http://h/v1/", "/v1/embeddings", "http://h/v1/embeddings"),
            ("http://h/v1", "/rerank", "http://h/v1/rerank"),
            ("https://h:8/a/b//", "/v1/x", "https://h:8/a/b/v1/x"),
            ("http://v1", "/v1/embeddings", "http://v1/v1/embeddings"),
            (
                "http://h/v1/embeddings",
                "/v1/embeddings",
                "http://h/v1/embeddings",
            ),
            (
                "http://h/a/v1/embeddings/",
                "v1/embeddings",
                "http://h/a/v1/embeddings",
            ),
            (
                "http://h/xv1/embeddings",
                "/v1/embeddings",
                "http://h/xv1/embeddings/v1/embeddings",
            ),
            (
                "http://v1/embeddings",
                "/v1/embeddings",
                "http://v1/embeddings/v1/embeddings",
            ),
            ("http://h/predict", "/predict", "http://h/predict/predict"),
        ] {
            assert_eq!(BaseUrl::parse(base).unwrap().join(path), url);
        }
    }

    #[test]
    fn the_origin_has_no_path() {
        for base in ["https://h:8443", "https://h:8443/a/b"] {
            assert_eq!(BaseUrl::parse(base).unwrap().origin(), "https://h:8443");
        }
    }

    #[test]
    fn a_bad_base_url_is_refused_without_showing_a_password() {
        for raw in [
            "",
            "h",
            "ftp://h",
            "http://",
            "http://h?x=1",
            "http://u:secret@h",
        ] {
            let error = BaseUrl::parse(raw).unwrap_err();
            assert!(error.is_config(), "{raw}");
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
    }
}
