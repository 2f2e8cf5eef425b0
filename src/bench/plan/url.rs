//! Where requests go.

use crate::config::BaseUrl;
use crate::error::{Error, Result};

/// Origin, and path with query.
pub(super) fn split_url(endpoint: &str) -> Result<(BaseUrl, String)> {
    // What is before an `@` or behind a `?` may be a secret.
    let shown = endpoint.split(['?', '#']).next().unwrap_or_default();
    let shown = Some(shown).filter(|shown| !shown.contains('@'));
    let shown = shown.map_or(String::new(), |shown| format!(" (got {shown:?})"));
    let bad = |cause: String| {
        Error::config(format!(
            "the endpoint is not a URL that can be used: {cause}{shown}"
        ))
    };
    let url = url::Url::parse(endpoint).map_err(|cause| bad(cause.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it holds a user name or a password".to_owned()));
    }
    let origin = url.origin().ascii_serialization();
    let base = BaseUrl::parse(&origin).map_err(|cause| bad(cause.to_string()))?;
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    Ok((base, path))
}
