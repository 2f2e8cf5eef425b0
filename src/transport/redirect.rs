//! Redirects: followed within a server, and told where they are not.
//!
//! An answer of 307 or 308 sends a request, as it is, to another place (RFC 9110, 15.4.8). Frameworks
//! do so for a slash that is missing at the end of a path. A request goes on to the same scheme, host
//! and port alone: so no key travels to another host, nor in clear text.

use super::Head;
use super::secret::redacted;
use crate::headers::Headers;
use http::HeaderValue;
use std::sync::Arc;
use url::Url;

/// Whether an answer of this status sends a request elsewhere as it is, with its method and its body.
pub(crate) fn sends_on(status: u16) -> bool {
    matches!(status, 307 | 308)
}

impl Head {
    /// Where `headers` of an answer send this request.
    fn location(&self, headers: &Headers) -> Option<Url> {
        let location = headers.get("location")?;
        Url::parse(&self.url).ok()?.join(location).ok()
    }

    /// The same request for the place on its server that an answer sends it to; `None` where that is
    /// no place, or another server's.
    pub(crate) fn sent_on(&self, headers: &Headers) -> Option<Arc<Self>> {
        let mut to = self.location(headers)?;
        to.set_fragment(None);
        let is_bare = to.username().is_empty() && to.password().is_none();
        let is_ours = Url::parse(&self.url).is_ok_and(|from| from.origin() == to.origin());
        (is_bare && is_ours).then(|| {
            let account = Arc::clone(&self.account);
            let (method, headers) = (self.method.clone(), self.headers.clone());
            Arc::new(Self::new(method, to.as_str(), account, headers))
        })
    }
}

/// Where an answer of this status sends a request with `head`, as it is told: a query may hold a key,
/// and `secret` is what no error may show beside those of the head.
pub(super) fn told(
    status: u16,
    headers: &Headers,
    secret: Option<&HeaderValue>,
    head: &Head,
) -> Option<Box<str>> {
    if !(300..400).contains(&status) {
        return None;
    }
    let mut to = head.location(headers)?;
    to.set_query(None);
    to.set_fragment(None);
    // A URL that can hold none has none.
    let _ = to.set_username("");
    let _ = to.set_password(None);
    Some(redacted(to.into(), secret, head))
}

#[cfg(test)]
mod tests {
    use super::super::Account;
    use super::*;
    use http::{HeaderName, Method};

    fn head() -> Head {
        let mut key = HeaderValue::from_static("Bearer sk-12345678");
        key.set_sensitive(true);
        let account = Arc::new(Account::new("https://h:8443", &[]));
        let headers = vec![(HeaderName::from_static("authorization"), key)];
        Head::new(Method::POST, "https://h:8443/v1/a?q=1", account, headers)
    }

    fn to(location: &str) -> Headers {
        [("location", location)].into_iter().collect()
    }

    #[test]
    fn a_request_goes_on_within_its_server_alone() {
        for (location, url) in [
            ("/v1/a/", "https://h:8443/v1/a/"),
            ("b?x=2#y", "https://h:8443/v1/b?x=2"),
            ("https://h:8443/c", "https://h:8443/c"),
            ("//h:8443/c", "https://h:8443/c"),
            ("HTTPS://H:8443/c", "https://h:8443/c"),
        ] {
            let on = head().sent_on(&to(location)).expect(location);
            assert_eq!(*on.url, *url);
            assert_eq!((&on.method, &on.headers), (&Method::POST, &head().headers));
        }
        for location in [
            "http://h:8443/c",
            "https://h/c",
            "https://other:8443/c",
            "//other/c",
            "https://user:password@h:8443/c",
            "https://h:8443@other/c",
            "https://[/c",
            "data:x",
            "\\\\other/c",
        ] {
            assert!(head().sent_on(&to(location)).is_none(), "{location}");
        }
        assert!(head().sent_on(&Headers::default()).is_none());
    }

    #[test]
    fn where_it_leads_is_told_without_secrets() {
        let told = |status, location: &str| told(status, &to(location), None, &head());
        for (location, shown) in [
            ("/login?key=secret#secret", "https://h:8443/login"),
            ("http://u:secret@other/x?secret", "http://other/x"),
            ("/sk-12345678/x", "https://h:8443/***/x"),
        ] {
            assert_eq!(told(302, location).as_deref(), Some(shown));
        }
        assert_eq!(told(302, "https://["), None);
        assert_eq!(told(404, "/x"), None);
    }
}
