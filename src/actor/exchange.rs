//! One attempt, from its body to its decoded answer.

use super::buffers::Buffers;
use super::failure::Failure;
use super::messages::{Attempt, Success};
use crate::operation::Headers;
use crate::operation::{Arrivals, OWN_HEADERS, RequestHeader};
use crate::transport::{self, Request, Response, Transport, TransportError, decompress};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Of an answer that is a failure, so much of the body is kept for the error.
const ERROR_BODY: usize = 64 << 10;
/// A compressed one may be so large when it is unpacked, of which again the beginning is kept.
const ERROR_UNPACKED: usize = 16 << 20;

/// What the exchanges of a Worker share.
#[derive(Clone)]
pub(super) struct Tools {
    pub(super) transport: Rc<dyn Transport>,
    pub(super) max_response_bytes: usize,
    pub(super) buffers: Rc<RefCell<Buffers>>,
}

/// An attempt on its way.
pub(super) struct Exchange {
    attempt: Attempt,
    tools: Tools,
}

impl Exchange {
    pub(super) fn new(attempt: Attempt, tools: &Tools) -> Self {
        Self {
            attempt,
            tools: tools.clone(),
        }
    }

    /// Carries it out; its time limit covers connect, head and body.
    pub(super) async fn run(self) -> Result<Success, Failure> {
        let until = self.attempt.until;
        let ended = tokio::time::timeout_at(until, self.send_and_read()).await;
        ended.unwrap_or(Err(Failure::Timeout))
    }

    async fn send_and_read(&self) -> Result<Success, Failure> {
        let attempt = &self.attempt;
        let request = Request {
            head: attempt.operation.head().clone(),
            headers: self.own_headers(),
            body: self.body(),
        };
        let sent = attempt.operation.wants_arrivals().then(Instant::now);
        let response = self
            .tools
            .transport
            .send(request)
            .await
            .map_err(Failure::Transport)?;
        let arrivals = sent.map(|sent| Arrivals {
            sent,
            head: Instant::now(),
            pieces: Vec::new(),
        });
        if !(200..300).contains(&response.status) {
            return Err(refusal(response).await);
        }
        let mut buffer = self.tools.buffers.borrow_mut().take();
        let result = self.read(response, &mut buffer, arrivals).await;
        self.tools.buffers.borrow_mut().give(buffer);
        result
    }

    fn body(&self) -> Option<Bytes> {
        let attempt = &self.attempt;
        let inputs = attempt.inputs.clone();
        attempt.operation.body(inputs, attempt.try_base64)
    }

    /// The headers of this attempt alone, less those that the caller set for all.
    fn own_headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        if !self.attempt.operation.has_own_headers() {
            return Vec::new();
        }
        let given = &self.attempt.operation.head().headers;
        let left = self.attempt.until.saturating_duration_since(Instant::now());
        OWN_HEADERS
            .iter()
            .filter(|(_, name)| !given.iter().any(|(given, _)| given == name))
            .filter_map(|(which, name)| Some((name.clone(), self.own_value(*which, left)?)))
            .collect()
    }

    fn own_value(&self, which: RequestHeader, left: Duration) -> Option<HeaderValue> {
        let milliseconds = |span: Duration| u64::try_from(span.as_millis()).ok();
        match which {
            RequestHeader::Id => {
                let Attempt { id, trace, .. } = &self.attempt;
                HeaderValue::try_from(id.request_id(trace)).ok()
            }
            RequestHeader::Timeout => milliseconds(left).map(HeaderValue::from),
            RequestHeader::Deadline => {
                let ends = SystemTime::now() + left;
                let since = ends.duration_since(SystemTime::UNIX_EPOCH).ok()?;
                milliseconds(since).map(HeaderValue::from)
            }
        }
    }

    async fn read(
        &self,
        response: Response,
        buffer: &mut Vec<u8>,
        mut arrivals: Option<Arrivals>,
    ) -> Result<Success, Failure> {
        let Response {
            headers,
            content_length,
            body,
            ..
        } = response;
        let limit = self.tools.max_response_bytes;
        let stamps = arrivals.as_mut().map(|arrivals| &mut arrivals.pieces);
        transport::read_body(body, content_length, limit, buffer, stamps)
            .await
            .map_err(Failure::Transport)?;
        unpack(&headers, buffer, limit).map_err(Failure::Transport)?;
        let inputs = self.attempt.inputs.clone();
        let operation = &self.attempt.operation;
        let part = match arrivals {
            Some(arrivals) => operation.decode_timed(inputs, &headers, buffer, arrivals),
            None => operation.decode(inputs, &headers, buffer),
        };
        let part = part.map_err(Failure::Decode)?;
        Ok(Success { part, headers })
    }
}

fn unpack(headers: &Headers, buffer: &mut Vec<u8>, limit: usize) -> Result<(), TransportError> {
    let codings: Vec<&str> = headers.get_all("content-encoding").collect();
    // An answer to HEAD, or a 204, names a coding and has no body.
    if !codings.is_empty()
        && !buffer.is_empty()
        && let Some(plain) = decompress::decompress(&codings.join(","), buffer, limit)?
    {
        *buffer = plain;
    }
    Ok(())
}

/// Reads what the server says to its refusal. A body that cannot be read is no second failure.
async fn refusal(response: Response) -> Failure {
    let Response {
        status,
        headers,
        body,
        ..
    } = response;
    let mut text = transport::read_beginning(body, ERROR_BODY).await;
    if let Err(cause) = unpack(&headers, &mut text, ERROR_UNPACKED) {
        log::debug!("the body of a refusal ({status}) cannot be decompressed: {cause}");
        text.clear();
    }
    text.truncate(ERROR_BODY);
    Failure::Status {
        code: status,
        retry_after: headers.retry_after(SystemTime::now()),
        body: String::from_utf8_lossy(&text).into(),
        headers,
    }
}
