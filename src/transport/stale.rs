//! Kept connections that end under the next request.
//!
//! A server may close a kept connection at any time, and a request that is just then on its way
//! finds nobody. `http1` and `http2` say when that has happened ([`TransportError::Stale`]). Where
//! the server is known not to have read the request, it is sent again here, over a fresh connection
//! (RFC 9112, section 9.3.1), as the same attempt. Where it may have read it, that is for the retry
//! policy to decide.

use super::{Request, Response, Transport, TransportError};

/// Sends what `request` makes, and again where a kept connection ended under it unread: once, over
/// a fresh connection, which `request` is told. `told` is what the log knows the attempt by.
///
/// # Errors
///
/// As [`Transport::send`].
pub(crate) async fn send(
    transport: &dyn Transport,
    request: impl Fn(bool) -> Request,
    told: impl FnOnce() -> String,
) -> Result<Response, TransportError> {
    let answer = transport.send(request(false)).await;
    let Err(TransportError::Stale {
        cause,
        unread: true,
    }) = &answer
    else {
        return answer;
    };
    log::debug!("{}: {cause}; sent again over a fresh connection", told());
    transport.send(request(true)).await
}
