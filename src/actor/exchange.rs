//! One attempt, from its body to its decoded answer.

use super::buffers::{Buffers, Turns};
use super::failure::Failure;
use super::messages::{Attempt, Success};
use crate::operation::Arrivals;
use crate::operation::Headers;
use crate::transport::{
    self, OwnHeaders, Request, Response, Stale, Transport, TransportError, decompress,
};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::time::Instant;

/// Of an answer that is a failure, so much of the body is kept for the error.
const ERROR_BODY: usize = 64 << 10;
/// A compressed one may be so large when it is unpacked, of which again the beginning is kept.
const ERROR_UNPACKED: usize = 16 << 20;

/// What the exchanges of a Worker share.
#[derive(Clone)]
pub(super) struct Tools {
    transport: Rc<dyn Transport>,
    max_response_bytes: usize,
    buffers: Rc<RefCell<Buffers>>,
    turns: Turns,
}

impl Tools {
    pub(super) fn new(transport: Rc<dyn Transport>, max_response_bytes: usize) -> Self {
        Self {
            transport,
            max_response_bytes,
            buffers: Rc::default(),
            turns: Turns::default(),
        }
    }
}

/// An attempt on its way.
pub(super) struct Exchange {
    attempt: Attempt,
    tools: Tools,
    /// How a kept connection ended under it, after which it was sent again.
    stale: Cell<Option<Stale>>,
}

impl Exchange {
    pub(super) fn new(attempt: Attempt, tools: &Tools) -> Self {
        Self {
            attempt,
            tools: tools.clone(),
            stale: Cell::default(),
        }
    }

    /// Carries it out; its time limit covers connect, head and body.
    pub(super) async fn run(&self) -> Result<Success, Failure> {
        let until = self.attempt.until;
        let ended = tokio::time::timeout_at(until, self.send_and_read()).await;
        ended.unwrap_or(Err(Failure::Timeout))
    }

    /// Whether it was sent twice, and a server may have read both. Asked once, when it has ended.
    pub(super) fn was_resent(&self) -> bool {
        let stale = self.stale.take();
        stale.is_some_and(|stale| stale.may_have_been_read())
    }

    async fn send_and_read(&self) -> Result<Success, Failure> {
        let wants_arrivals = self.attempt.operation.wants_arrivals();
        let sent = wants_arrivals.then(Instant::now);
        let response = self.send().await.map_err(Failure::Transport)?;
        let arrivals = sent.map(|sent| Arrivals {
            sent,
            head: Instant::now(),
            pieces: Vec::new(),
        });
        if !(200..300).contains(&response.status) {
            return Err(refusal(response).await);
        }
        let length = response.content_length.filter(|_| response.body.can_wait());
        let read = pin!(async {
            let mut buffer = self.tools.buffers.borrow_mut().take();
            let result = self.read(response, &mut buffer, arrivals).await;
            self.tools.buffers.borrow_mut().give(buffer);
            result
        });
        self.tools.turns.take(length, read).await
    }

    /// Sends it, and again where a kept connection ended under it: once, over a fresh connection,
    /// as the same attempt. Whatever its method: an attempt that fails on the network is made
    /// again anyway, by the retry policy, and a client of this kind is for requests that may be.
    async fn send(&self) -> Result<Response, TransportError> {
        let transport = &self.tools.transport;
        let answer = transport.send(self.request(false)).await;
        let Err(TransportError::Stale(stale)) = answer else {
            return answer;
        };
        let request_id = self.attempt.id.request_id(&self.attempt.trace);
        log::debug!("{request_id}: {stale}; sent again over a fresh connection");
        self.stale.set(Some(stale));
        transport.send(self.request(true)).await
    }

    fn request(&self, fresh: bool) -> Request {
        Request {
            head: Arc::clone(self.attempt.operation.head()),
            own: self.own_headers(),
            body: self.body(),
            fresh,
        }
    }

    fn body(&self) -> Option<Bytes> {
        let attempt = &self.attempt;
        let inputs = attempt.inputs.clone();
        attempt.operation.body(inputs, attempt.try_base64)
    }

    fn own_headers(&self) -> Option<OwnHeaders> {
        let Attempt {
            id,
            trace,
            until,
            operation,
            ..
        } = &self.attempt;
        let own = || {
            let left = until.saturating_duration_since(Instant::now());
            OwnHeaders::new(trace, id.key.request, id.attempt, left)
        };
        operation.has_own_headers().then(own)
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
        secret,
        ..
    } = response;
    let mut text = transport::read_beginning(body, ERROR_BODY).await;
    if let Err(cause) = unpack(&headers, &mut text, ERROR_UNPACKED) {
        log::debug!("the body of a refusal ({status}) cannot be decompressed: {cause}");
        text.clear();
    }
    text.truncate(ERROR_BODY);
    let mut text = String::from_utf8_lossy(&text).into_owned();
    if let Some(secret) = secret.as_ref().and_then(|secret| secret.to_str().ok()) {
        transport::redact_value(&mut text, secret);
    }
    Failure::Status {
        code: status,
        retry_after: headers.retry_after(SystemTime::now()),
        body: text.into(),
        headers,
    }
}
