//! HTTP/2: many exchanges over few connections.
//!
//! A server has one connection a Worker; another is opened when all streams that it allows on one
//! are in use. Dropping an exchange resets its stream and leaves the connection to the others.

pub(super) mod session;

mod body;

pub(super) mod head;

use super::connect::Connector;
use super::site::Prepared;
use super::{Request, Response, TransportError};
use crate::headers::Headers;
use body::Http2Body;
use bytes::BytesMut;
use h2::Reason;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, HeaderValue};
use session::{Stream, stream};

/// So often is a request sent again that met the end of a connection which had answered none:
/// beyond that, its server takes no requests at all. Where a connection has answered some, those
/// that come after its last are sent again as often as it takes: servers end each connection after
/// so many requests, and what is then on its way to them is nobody's failure.
const MOST_IN_VAIN: usize = 3;

/// Room for the values of the headers that are a request's own.
const OWN_VALUES: usize = 128;

/// Makes one exchange. `None` with a server that speaks HTTP/1.1 alone.
pub(super) async fn send(
    connector: &Connector,
    prepared: &Prepared,
    request: &Request,
) -> Result<Option<Response>, TransportError> {
    let mut in_vain = 0;
    let mut refused = false;
    loop {
        let Some(stream) = stream(connector, &prepared.site.way, &prepared.site.http2).await?
        else {
            return Ok(None);
        };
        prepared.site.sweeper.begin();
        match exchange(stream, prepared, request).await {
            Err(Failed::Unseen { in_vain: false, .. }) => {}
            Err(Failed::Unseen { .. }) if in_vain < MOST_IN_VAIN => in_vain += 1,
            // A server that is asked for too much refuses the second as well.
            Err(Failed::Refused(_)) if !refused => refused = true,
            Err(Failed::Unseen { cause, .. } | Failed::Refused(cause) | Failed::Perhaps(cause)) => {
                return Err(cause);
            }
            Ok(response) => return Ok(Some(response)),
        }
    }
}

/// An exchange without an answer.
enum Failed {
    /// The server has ended the connection, and says that this is not among the requests that it
    /// has processed or may process (RFC 9113, section 6.8).
    Unseen {
        cause: TransportError,
        /// The connection has answered no request.
        in_vain: bool,
    },
    /// The server has refused the stream, and processed nothing of it (section 8.7).
    Refused(TransportError),
    /// It may have seen it.
    Perhaps(TransportError),
}

impl From<TransportError> for Failed {
    fn from(cause: TransportError) -> Self {
        Self::Perhaps(cause)
    }
}

impl Failed {
    /// What it means that `stream` ended of `cause` before the head of an answer.
    fn of(stream: &Stream, cause: &h2::Error) -> Self {
        let failed = stream.failed(cause);
        // The streams that a GOAWAY counts as processed go on, or end with the connection.
        if cause.is_go_away() && cause.is_remote() {
            Self::Unseen {
                cause: failed,
                in_vain: !stream.has_answered(),
            }
        } else if cause.is_remote() && cause.reason() == Some(Reason::REFUSED_STREAM) {
            Self::Refused(failed)
        } else if cause.is_io() && stream.followed_idleness() {
            Self::Perhaps(TransportError::Stale {
                cause: failed.to_string(),
                unread: false,
            })
        } else {
            Self::Perhaps(failed)
        }
    }
}

async fn exchange(
    mut stream: Stream,
    prepared: &Prepared,
    request: &Request,
) -> Result<Response, Failed> {
    let mut head = prepared.http2()?;
    fill(head.headers_mut(), prepared, request, stream.is_first);
    let sent = stream.sender.send_request(head, request.body.is_none());
    let (answer, mut sending) = sent.map_err(|cause| Failed::of(&stream, &cause))?;
    if let Some(body) = &request.body {
        let queued = sending.send_data(body.clone(), true);
        queued.map_err(|cause| Failed::of(&stream, &cause))?;
    }
    let answer = answer.await;
    let (parts, body) = answer
        .map_err(|cause| Failed::of(&stream, &cause))?
        .into_parts();
    stream.answered();
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

/// Writes what is this request's alone into the places that the shared head has for it.
///
/// No other request has these values: in the table of headers that both ends keep they would push
/// out those that all have (RFC 7541, section 6.2.3). Only those of a connection's first request go
/// there, for their names, which the others then need not spell.
fn fill(headers: &mut HeaderMap, prepared: &Prepared, request: &Request, is_first: bool) {
    let own = request.own.as_ref();
    let mut values = own.map(|own| (own, BytesMut::with_capacity(OWN_VALUES)));
    for (header, name) in &prepared.own {
        let value = values.as_mut().and_then(|(values, text)| {
            values.write(*header, text);
            HeaderValue::from_maybe_shared(text.split().freeze()).ok()
        });
        if let Some(mut value) = value {
            value.set_sensitive(!is_first);
            headers.insert(name, value);
        } else {
            headers.remove(name);
        }
    }
    match &request.body {
        Some(body) => headers.insert(CONTENT_LENGTH, body.len().into()),
        None => headers.remove(CONTENT_LENGTH),
    };
}
