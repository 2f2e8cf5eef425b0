//! The part of a request that all requests to a path share: URL, key, fixed headers.

use crate::config::{ApiKey, BaseUrl, Preference};
use crate::error::{Error, Result};
use crate::transport::{Head, decompress};
use http::Method;
use http::header::{self, HeaderName, HeaderValue};
use std::sync::{Arc, OnceLock};

const USER_AGENT: &str = concat!("hedgerow/", env!("CARGO_PKG_VERSION"));

/// The headers that differ from attempt to attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestHeader {
    /// `perfclient-<operation>-<request>-<attempt>`, for the server's logs.
    Id,
    /// What is left of the attempt's time, in milliseconds.
    Timeout,
    /// When the attempt ends, in Unix milliseconds.
    Deadline,
}

/// Their names.
pub(crate) const OWN_HEADERS: [(RequestHeader, HeaderName); 3] = [
    (
        RequestHeader::Id,
        HeaderName::from_static("x-baseten-customer-request-id"),
    ),
    (
        RequestHeader::Timeout,
        HeaderName::from_static("request-timeout-ms"),
    ),
    (
        RequestHeader::Deadline,
        HeaderName::from_static("request-deadline-ms"),
    ),
];

/// Where a client's requests go. The head that most operations share is made once.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub base_url: BaseUrl,
    pub api_key: Option<ApiKey>,
    embeddings: OnceLock<Arc<Head>>,
}

impl Endpoint {
    pub(crate) fn new(base_url: BaseUrl, api_key: Option<ApiKey>) -> Self {
        Self {
            base_url,
            api_key,
            embeddings: OnceLock::new(),
        }
    }

    /// The head of embedding requests.
    pub(crate) fn embeddings_head(&self, preference: &Preference) -> Result<Arc<Head>> {
        let make = || self.head(Method::POST, "/v1/embeddings", preference);
        if preference.api_key.is_some() || !preference.extra_headers.is_empty() {
            return make();
        }
        if let Some(head) = self.embeddings.get() {
            Ok(Arc::clone(head))
        } else {
            let head = make()?;
            Ok(Arc::clone(self.embeddings.get_or_init(|| head)))
        }
    }

    fn head(&self, method: Method, path: &str, preference: &Preference) -> Result<Arc<Head>> {
        let url = self.base_url.join(path);
        let mut headers = vec![
            (header::HOST, host_of(&url)?),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
            (
                header::ACCEPT_ENCODING,
                HeaderValue::from_static(decompress::ACCEPTED),
            ),
            (header::USER_AGENT, HeaderValue::from_static(USER_AGENT)),
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            ),
        ];
        if let Some(key) = preference.api_key.as_ref().or(self.api_key.as_ref()) {
            headers.push((header::AUTHORIZATION, bearer(key)?));
        }
        for (name, value) in preference.extra_headers.iter() {
            set(&mut headers, extra_header(name, value)?);
        }
        Ok(Arc::new(Head {
            method,
            origin: self.base_url.origin().into(),
            url: url.into(),
            headers,
        }))
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
    let mut value = HeaderValue::try_from(format!("Bearer {}", key.reveal()))
        .map_err(|_| Error::config("api_key holds a character that a header cannot hold"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The values of extra headers may be keys: an error shows the name alone.
fn extra_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    let checked = HeaderName::try_from(name).map_err(|_| {
        Error::config(format!(
            "extra_headers: {name:?} is not a valid header name"
        ))
    })?;
    let mut value = HeaderValue::try_from(value).map_err(|_| {
        Error::config(format!(
            "extra_headers: the value of {name:?} holds a character that a header cannot hold"
        ))
    })?;
    value.set_sensitive(true);
    Ok((checked, value))
}

fn host_of(url: &str) -> Result<HeaderValue> {
    let parsed =
        url::Url::parse(url).map_err(|_| Error::config(format!("base_url: bad URL {url}")))?;
    let host = parsed.host_str().unwrap_or_default();
    let text = match parsed.port() {
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
        let head = endpoint().embeddings_head(&preference).unwrap();
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
        let other = endpoint.embeddings_head(&preference).unwrap();
        assert_eq!(value(&other, "authorization"), ["Bearer sk-other"]);
        let own = endpoint.embeddings_head(&Preference::default()).unwrap();
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
            let error = endpoint().embeddings_head(&preference).unwrap_err();
            assert!(error.to_string().contains(name));
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
    }
}
