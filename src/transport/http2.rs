//! HTTP/2: many exchanges over few connections.
//!
//! A server has one connection a Worker; another is opened when all streams that it allows on one
//! are in use. Dropping an exchange resets its stream and leaves the connection to the others.

mod session;

mod body;

pub(super) use session::Sessions;

use super::connect::Connector;
use super::site::Prepared;
use super::{Head, Request, Response, TransportError};
use crate::operation::Headers;
use body::Http2Body;
use bytes::Bytes;
use h2::Reason;
use http::Uri;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Authority;
use session::{Stream, stream};

/// So often is a request sent again that met the end of connections: servers end each after some
/// requests, and what is then on its way to them is nobody's failure.
const MOST_RESENT: usize = 3;

/// Makes one exchange. `None` with a server that speaks HTTP/1.1 alone.
pub(super) async fn send(
    connector: &Connector,
    prepared: &Prepared,
    request: &Request,
) -> Result<Option<Response>, TransportError> {
    let mut resent = 0;
    loop {
        let Some(stream) = stream(connector, &prepared.site).await? else {
            return Ok(None);
        };
        match exchange(stream, prepared, request).await {
            Err(Failed::Unseen(_)) if resent < MOST_RESENT => resent += 1,
            Err(Failed::Unseen(cause) | Failed::Perhaps(cause)) => return Err(cause),
            Ok(response) => return Ok(Some(response)),
        }
    }
}

/// An exchange without an answer.
enum Failed {
    /// The server has ended the connection in good order, and has not seen the request (RFC 9113,
    /// section 6.8).
    Unseen(TransportError),
    /// It may have seen it.
    Perhaps(TransportError),
}

impl From<TransportError> for Failed {
    fn from(cause: TransportError) -> Self {
        Self::Perhaps(cause)
    }
}

async fn exchange(
    mut stream: Stream,
    prepared: &Prepared,
    request: &Request,
) -> Result<Response, Failed> {
    let mut head = prepared.http2()?;
    if let Some(values) = &request.own {
        for (own, name) in &prepared.own {
            let mut value = Vec::with_capacity(64);
            values.write(*own, &mut value);
            if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
                head.headers_mut().insert(name, value);
            }
        }
    }
    if let Some(body) = &request.body {
        head.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    }
    let sent = stream.sender.send_request(head, request.body.is_none());
    let (answer, mut sending) = sent.map_err(|cause| stream.failed(&cause))?;
    if let Some(body) = &request.body {
        let queued = sending.send_data(body.clone(), true);
        queued.map_err(|cause| stream.failed(&cause))?;
    }
    let answer = answer.await.map_err(|cause| {
        let failed = stream.failed(&cause);
        if cause.is_go_away() && cause.is_remote() && cause.reason() == Some(Reason::NO_ERROR) {
            Failed::Unseen(failed)
        } else {
            Failed::Perhaps(failed)
        }
    });
    let (parts, body) = answer?.into_parts();
    let length = parts.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let content_length = length.filter(|_| !body.is_end_stream());
    let pairs = || {
        let headers = parts.headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.as_bytes()))
    };
    Ok(Response {
        secret: None,
        status: parts.status.as_u16(),
        headers: Headers::from_pairs(pairs),
        content_length,
        body: Box::new(Http2Body {
            body,
            sending,
            refused: !parts.status.is_success(),
            stream,
        }),
    })
}

/// The part of a request that all with one head share.
pub(super) fn shared_head(head: &Head) -> Result<http::Request<()>, TransportError> {
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
    for (name, value) in &head.headers {
        add(request.headers_mut(), name.clone(), value.clone());
    }
    Ok(request)
}

/// Adds a header, unless it concerns a connection, which HTTP/2 has no headers for (RFC 9113,
/// section 8.2.2). The host is the authority that is asked.
fn add(headers: &mut http::HeaderMap, name: HeaderName, value: HeaderValue) {
    let of_connection = [
        CONNECTION,
        HOST,
        PROXY_AUTHENTICATE,
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    let named = ["keep-alive", "proxy-connection"];
    if !of_connection.contains(&name) && !named.contains(&name.as_str()) {
        headers.insert(name, value);
    }
}

/// What went wrong, without the words that a server may add to it: they may quote a key.
fn described(cause: &h2::Error) -> String {
    let Some(reason) = cause.reason() else {
        return cause.to_string();
    };
    let what = match (cause.is_remote(), cause.is_reset()) {
        (true, true) => "the server reset the stream",
        (true, false) => "the server ended the connection",
        (false, _) => "the connection broke",
    };
    format!("{what}: {reason}")
}
