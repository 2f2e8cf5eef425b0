//! The head of a request over HTTP/2, as far as many have it in common.

use crate::transport::trace::OwnHeader;
use crate::transport::{Head, TransportError};
use http::Uri;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TE, UPGRADE};
use http::uri::Authority;

/// The part of a request that all with one head share, with places for what each has of its own.
pub(in crate::transport) fn shared_head(
    head: &Head,
    own: &[(OwnHeader, HeaderName)],
    tunnelled: bool,
) -> Result<http::Request<()>, TransportError> {
    let bad = |cause: http::Error| TransportError::BadRequest(cause.to_string());
    let mut uri = Uri::try_from(&*head.url)
        .map_err(|cause| bad(cause.into()))?
        .into_parts();
    // A caller may have set another name than the URL's.
    if let Some((_, host)) = head.headers.iter().find(|(name, _)| *name == HOST) {
        let host = Authority::try_from(host.as_bytes());
        uri.authority = Some(host.map_err(|cause| bad(cause.into()))?);
    }
    let mut request = http::Request::builder()
        .method(head.method.clone())
        .uri(Uri::from_parts(uri).map_err(|cause| bad(cause.into()))?)
        .version(http::Version::HTTP_2)
        .body(())
        .map_err(bad)?;
    for (name, value) in head.sent_headers(tunnelled) {
        if !concerns_a_connection(name, value) {
            request.headers_mut().insert(name, value.clone());
        }
    }
    let names = own.iter().map(|(_, name)| name).chain([&CONTENT_LENGTH]);
    for name in names {
        let place = HeaderValue::from_static("");
        request.headers_mut().insert(name, place);
    }
    Ok(request)
}

/// Whether a header is one of a connection, which HTTP/2 has none of (RFC 9113, section 8.2.2). The
/// host is the authority that is asked.
fn concerns_a_connection(name: &HeaderName, value: &HeaderValue) -> bool {
    let of_connection = [CONNECTION, HOST, UPGRADE];
    let named = ["keep-alive", "proxy-connection"];
    of_connection.contains(name)
        || named.contains(&name.as_str())
        || (*name == TE && !value.as_bytes().eq_ignore_ascii_case(b"trailers"))
}
