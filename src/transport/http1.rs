//! HTTP/1.1: a connection an exchange, kept for the next one.
//!
//! Written over `httparse` and bare sockets: a request is one write of bytes that were mostly put
//! together when its operation began, and a large body is read off the socket straight into the
//! buffer in which it is decoded.

mod body;

mod chunks;

mod connection;

pub(super) mod head;

pub(super) mod pool;

pub(crate) mod plain;

pub(super) mod trial;

use super::connect::Connector;
use super::site::{Prepared, Site};
use super::{Request, Response, TransportError};
use body::Http1Body;
use bytes::Bytes;
use connection::Connection;
use head::Framing;
use http::Method;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// A connection that breaks after so long without use broke for want of use, and not under load.
const STALE: Duration = Duration::from_millis(500);
/// So long after the end of a connection the refusal of what came after it is waited for: most round
/// trips are shorter.
const EVIDENCE: Duration = Duration::from_millis(100);
/// The same where there is no other try.
const LAST_EVIDENCE: Duration = Duration::from_secs(1);
/// A smaller body is copied behind its head, to be written with it at once.
const COPIED: usize = 4 << 10;

/// Makes one exchange over a connection that is idle, or else a new one.
pub(super) async fn send(
    connector: &Connector,
    prepared: &Prepared,
    request: Request,
) -> Result<Response, TransportError> {
    let site = &prepared.site;
    let now = Instant::now();
    let Request {
        fresh, last_try, ..
    } = request;
    let kept = if fresh { None } else { site.http1.take(now) };
    let (mut connection, now) = match kept {
        Some(connection) => (connection, now),
        // Boxed, as few requests need it, and the future of each would have room for it.
        None => (
            Box::pin(connect(connector, site, fresh)).await?,
            Instant::now(),
        ),
    };
    let was_idle = connection.idle_since;
    let was_answered = connection.answered;
    let is_head = request.head.method == Method::HEAD;
    connection.begin(now, |head| write(prepared, request, head));
    // Awaited where it is made: to move it would be to copy it.
    let answer = if was_answered {
        connection.exchange(&site.last_head).await
    } else {
        let answer = connection.exchange(&site.last_head);
        Box::pin(site.http1.first(answer)).await
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(cause) => {
            // What took one idle connection (a restart, a NAT that forgot) took the others, and
            // another try would meet them one after the other.
            if was_idle.is_some_and(|since| now - since >= STALE) {
                site.http1.clear();
            }
            if was_idle.is_none() {
                return Err(cause);
            }
            let patience = if last_try { LAST_EVIDENCE } else { EVIDENCE };
            return Err(Box::pin(connection.stale_or(cause, patience)).await);
        }
    };
    let framing = if is_head {
        Framing::Empty
    } else {
        answer.framing
    };
    let content_length = match framing {
        Framing::Length(length) => Some(length),
        _ => None,
    };
    let pool = answer.keeps_alive.then(|| Rc::clone(&site.http1));
    Ok(Response {
        status: answer.status,
        headers: answer.headers,
        content_length,
        body: Box::new(Http1Body::new(connection, framing, pool)),
        secret: site
            .way
            .proxy
            .as_ref()
            .and_then(|proxy| proxy.authorization.clone()),
    })
}

/// A connection where none is idle.
async fn connect(
    connector: &Connector,
    site: &Site,
    fresh: bool,
) -> Result<Box<Connection>, TransportError> {
    if fresh {
        let opened = site.http1_trial.open(connector.open(&site.way)).await?;
        return Ok(Box::new(Connection::new(opened.socket, Instant::now())));
    }
    loop {
        let mut connection = site.http1.wait(connector, &site.way).await?;
        // One that was given back may have been closed since.
        if !connection.answered || connection.is_usable(Instant::now()) {
            return Ok(connection);
        }
    }
}

/// Writes a request's head, and its body behind it where that is small; gives the body otherwise.
fn write(prepared: &Prepared, request: Request, into: &mut Vec<u8>) -> Bytes {
    into.extend_from_slice(&prepared.written);
    if let Some(values) = &request.own {
        for (own, name) in &prepared.own {
            into.extend_from_slice(name.as_str().as_bytes());
            into.extend_from_slice(b": ");
            values.write(*own, into);
            into.extend_from_slice(b"\r\n");
        }
    }
    let length = request.body.as_ref().map(Bytes::len);
    head::write_end(into, &request.head.method, length);
    let body = request.body.unwrap_or_default();
    if body.len() > COPIED {
        return body;
    }
    into.extend_from_slice(&body);
    Bytes::new()
}
