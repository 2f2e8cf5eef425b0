//! Where a client's requests go, and what all requests to a path there share: URL, key, fixed
//! headers.

use crate::config::{ApiKey, BaseUrl, Preference};
use crate::error::{Error, Result};
use crate::transport::{Account, Head, decompress, is_secret, sensitive};
use http::Method;
use http::header::{self, HeaderName, HeaderValue};
use std::sync::{Arc, OnceLock};
use url::Url;

const USER_AGENT: &str = concat!("hedgerow/", env!("CARGO_PKG_VERSION"));

/// JSON first; whatever else an endpoint has, `MessagePack` among it, where it has no JSON. That is
/// not named: servers that look for its name alone would answer with it though they have JSON.
const ACCEPT: &str = "application/json, */*;q=0.5";

/// So many heads are kept. A client asks for a handful of paths; one that asks for more makes a
/// head a call for the rest.
const MOST_KEPT: usize = 32;

/// Where a client's requests go. The head that the operations on a path share is made once, and is
/// then the same `Arc`, by which transports know it again.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub base_url: BaseUrl,
    pub api_key: Option<ApiKey>,
    /// Filled from the front, and never changed.
    kept: [OnceLock<Kept>; MOST_KEPT],
}

#[derive(Debug)]
struct Kept {
    path: Box<str>,
    head: Arc<Head>,
}

impl Endpoint {
    pub(crate) fn new(base_url: BaseUrl, api_key: Option<ApiKey>) -> Self {
        Self {
            base_url,
            api_key,
            kept: [const { OnceLock::new() }; MOST_KEPT],
        }
    }

    /// The head of requests to `path`.
    pub(crate) fn head(
        &self,
        method: Method,
        path: &str,
        preference: &Preference,
    ) -> Result<Arc<Head>> {
        let is_plain = preference.api_key.is_none() && preference.extra_headers.is_empty();
        // A query may differ from call to call.
        if !is_plain || path.contains('?') {
            return self.make_head(method, path, preference);
        }
        for place in &self.kept {
            if place.get().is_none() {
                let head = self.make_head(method.clone(), path, preference)?;
                let path = path.into();
                // Where another thread was faster, what it kept is looked at below.
                let _ = place.set(Kept { path, head });
            }
            if let Some(kept) = place.get()
                && *kept.path == *path
                && kept.head.method == method
            {
                return Ok(Arc::clone(&kept.head));
            }
        }
        self.make_head(method, path, preference)
    }

    fn make_head(&self, method: Method, path: &str, preference: &Preference) -> Result<Arc<Head>> {
        let url = self.url(path)?;
        let mut headers = vec![
            (header::HOST, host_of(&url)?),
            (header::ACCEPT, HeaderValue::from_static(ACCEPT)),
            (
                header::ACCEPT_ENCODING,
                HeaderValue::from_static(decompress::ACCEPTED),
            ),
            (header::USER_AGENT, HeaderValue::from_static(USER_AGENT)),
        ];
        if matches!(method, Method::POST | Method::PUT | Method::PATCH) {
            let json = HeaderValue::from_static("application/json");
            headers.push((header::CONTENT_TYPE, json));
        }
        if let Some(key) = preference.api_key.as_ref().or(self.api_key.as_ref()) {
            headers.push((header::AUTHORIZATION, bearer(key)?));
        }
        for (name, value) in preference.extra_headers.iter() {
            set(&mut headers, extra_header(name, value)?);
        }
        let account = Arc::new(Account::new(self.base_url.origin(), &headers));
        Ok(Arc::new(Head::new(method, url.as_str(), account, headers)))
    }

    /// The URL of `path`, with what no URL may hold escaped. An error does not show it: some put
    /// keys into queries.
    fn url(&self, path: &str) -> Result<Url> {
        let mut url = Url::parse(&self.base_url.join(path))
            .map_err(|cause| Error::config(format!("base_url and path make no URL: {cause}")))?;
        url.set_fragment(None);
        Ok(url)
    }
}

/// Replaces a header of the same name, whatever its case, or adds it.
fn set(headers: &mut Vec<(HeaderName, HeaderValue)>, header: (HeaderName, HeaderValue)) {
    match headers.iter_mut().find(|(name, _)| *name == header.0) {
        Some(place) => *place = header,
        None => headers.push(header),
    }
}

fn bearer(key: &ApiKey) -> Result<HeaderValue> {
    sensitive(&format!("Bearer {}", key.reveal()))
        .ok_or_else(|| Error::config("api_key holds a character that a header cannot hold"))
}

/// The value of an extra header may be a key: an error shows the name alone.
fn extra_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    let checked = HeaderName::try_from(name).map_err(|_| {
        Error::config(format!(
            "extra_headers: {name:?} is not a valid header name"
        ))
    })?;
    let secret = is_secret(checked.as_str(), value);
    let mut value = HeaderValue::try_from(value).map_err(|_| {
        Error::config(format!(
            "extra_headers: the value of {name:?} holds a character that a header cannot hold"
        ))
    })?;
    value.set_sensitive(secret);
    Ok((checked, value))
}

fn host_of(url: &Url) -> Result<HeaderValue> {
    let host = url.host_str().unwrap_or_default();
    let text = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    HeaderValue::try_from(text)
        .map_err(|_| Error::config(format!("base_url: {host:?} is not a valid host")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        let base = BaseUrl::parse("http://127.0.0.1:8080").unwrap();
        Endpoint::new(base, Some(ApiKey::new("sk-client").unwrap()))
    }

    fn value(head: &Head, name: &str) -> Vec<String> {
        let found = head.headers.iter().filter(|(found, _)| found == name);
        found
            .map(|(_, value)| value.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn an_extra_header_replaces_one_of_the_same_name_whatever_its_case() {
        let preference = Preference {
            extra_headers: [
                ("AUTHORIZATION", "Basic x"),
                ("X-Mine", "1"),
                ("x-mine", "2"),
            ]
            .into(),
            ..Preference::default()
        };
        let head = endpoint().head(Method::POST, "/x", &preference).unwrap();
        assert_eq!(value(&head, "authorization"), ["Basic x"]);
        assert_eq!(value(&head, "x-mine"), ["2"]);
        assert_eq!(value(&head, "host"), ["127.0.0.1:8080"]);
    }

    #[test]
    fn the_operation_s_key_replaces_the_client_s() {
        let endpoint = endpoint();
        let preference = Preference {
            api_key: Some(ApiKey::new("sk-other").unwrap()),
            ..Preference::default()
        };
        let other = endpoint.head(Method::POST, "/x", &preference).unwrap();
        assert_eq!(value(&other, "authorization"), ["Bearer sk-other"]);
        let own = endpoint
            .head(Method::POST, "/x", &Preference::default())
            .unwrap();
        assert_eq!(value(&own, "authorization"), ["Bearer sk-client"]);
        assert!(!format!("{own:?} {endpoint:?}").contains("sk-"));
    }

    #[test]
    fn a_bad_extra_header_is_refused_by_name_without_its_value() {
        for (name, value) in [("bad name", "secret"), ("x", "secret\nsecret")] {
            let preference = Preference {
                extra_headers: [(name, value)].into(),
                ..Preference::default()
            };
            let error = endpoint()
                .head(Method::POST, "/x", &preference)
                .unwrap_err();
            assert!(error.to_string().contains(name));
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
    }

    #[test]
    fn a_head_that_asks_for_no_coding_is_made_once_unless_the_caller_says_which() {
        let endpoint = endpoint();
        let head = plain(&endpoint, Method::POST, "/a");
        assert_eq!(value(&head, "accept-encoding"), [decompress::ACCEPTED]);
        let uncoded = head.uncoded();
        assert_eq!(value(uncoded, "accept-encoding"), ["identity"]);
        assert_eq!(value(uncoded, "authorization"), ["Bearer sk-client"]);
        assert_eq!((&uncoded.url, &uncoded.account), (&head.url, &head.account));
        assert!(Arc::ptr_eq(
            uncoded,
            plain(&endpoint, Method::POST, "/a").uncoded()
        ));
        assert!(Arc::ptr_eq(uncoded, uncoded.uncoded()));
        let preference = Preference {
            extra_headers: [("Accept-Encoding", "br")].into(),
            ..Preference::default()
        };
        let own = endpoint.head(Method::POST, "/a", &preference).unwrap();
        assert!(Arc::ptr_eq(&own, own.uncoded()));
    }

    fn plain(endpoint: &Endpoint, method: Method, path: &str) -> Arc<Head> {
        let preference = Preference::default();
        endpoint.head(method, path, &preference).unwrap()
    }

    #[test]
    fn a_head_is_made_once_for_each_method_and_path() {
        let endpoint = endpoint();
        let get = |path: &str| plain(&endpoint, Method::GET, path);
        let first = get("/a");
        assert!(Arc::ptr_eq(&first, &get("/a")));
        assert!(!Arc::ptr_eq(&first, &get("/b")));
        let post = plain(&endpoint, Method::POST, "/a");
        assert!(!Arc::ptr_eq(&first, &post));
        assert_eq!(value(&post, "content-type"), ["application/json"]);
        assert!(value(&first, "content-type").is_empty());
        assert!(!Arc::ptr_eq(&get("/a?q=1"), &get("/a?q=1")));
        for number in 0..2 * MOST_KEPT {
            let path = format!("/{number}");
            assert_eq!(*get(&path).url, format!("http://127.0.0.1:8080{path}"));
        }
        assert!(Arc::ptr_eq(&first, &get("/a")));
        assert!(!Arc::ptr_eq(&get("/63"), &get("/63")));
    }

    #[test]
    fn a_path_joins_cleanly_and_what_no_url_may_hold_is_escaped() {
        let endpoint = endpoint();
        for (path, url) in [
            ("a//b", "/a//b"),
            ("//evil/x", "/evil/x"),
            ("@evil", "/@evil"),
            ("", "/"),
            ("?a=b c&d=\u{fc}#e", "/?a=b%20c&d=%C3%BC"),
            ("/a b\r\nx: y", "/a%20bx:%20y"),
        ] {
            let head = plain(&endpoint, Method::GET, path);
            assert_eq!(*head.url, format!("http://127.0.0.1:8080{url}"));
            assert_eq!(value(&head, "host"), ["127.0.0.1:8080"]);
        }
    }
}
