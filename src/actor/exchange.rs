//! One attempt, from its body to its decoded answer.

use super::buffers::{Buffers, Turns};
use super::failure::Failure;
use super::labour::Labour;
use super::messages::{Attempt, Success};
use crate::decode::{DecodeError, beginning};
use crate::headers::Headers;
use crate::job::{Observer, Part};
use crate::policy::limit::ProbeStage;
use crate::transport::decompress::{Codings, most_unpacked, too_large};
use crate::transport::{
    self, Head, OwnHeaders, Refusal, Request, Response, Sending, Transport, TransportError,
    redacted,
};
use bytes::Bytes;
use http::HeaderValue;
use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A connect that ends at its very limit is told within so long.
const AFTER_CONNECT: Duration = Duration::from_millis(250);

/// Of an answer that is no JSON, so many bytes are told.
const EXCERPT: usize = 100;

/// So often is a request sent on.
const MOST_REDIRECTS: usize = 3;
/// A longer body of an answer that sends a request on costs its connection.
const SHORT: usize = 4 << 10;

/// So many bytes are unpacked and decoded at once, however they are written.
const SMALL: usize = 64 << 10;
/// So many take serde a few milliseconds, and so do ...
const SERDE_SOON: usize = 256 << 10;
/// ... so many the scanner.
const SCANNED_SOON: usize = 4 << 20;

/// What the exchanges of a Worker share.
#[derive(Clone)]
pub(super) struct Tools {
    transport: Rc<dyn Transport>,
    max_response_bytes: usize,
    buffers: Rc<RefCell<Buffers>>,
    turns: Turns,
    labour: Labour,
}

impl Tools {
    pub(super) fn new(transport: Rc<dyn Transport>, max_response_bytes: usize) -> Self {
        Self {
            transport,
            max_response_bytes,
            buffers: Rc::default(),
            turns: Turns::default(),
            labour: Labour::default(),
        }
    }
}

/// An attempt on its way.
pub(super) struct Exchange {
    attempt: Attempt,
    tools: Tools,
    sending: Sending,
}

impl Exchange {
    pub(super) fn new(attempt: Attempt, tools: &Tools) -> Self {
        Self {
            attempt,
            tools: tools.clone(),
            sending: Sending::default(),
        }
    }

    /// Carries it out; its time limit covers connect, head and body. `probe` is told how far it
    /// comes, if it is one.
    pub(super) async fn run(&self, probe: impl Fn(ProbeStage)) -> Result<Success, Failure> {
        let until = self.attempt.until;
        let ended = tokio::time::timeout_at(until, self.send_and_read(probe)).await;
        ended.unwrap_or(Err(Failure::Timeout))
    }

    /// Whether it was sent twice, and a server may have read both. Asked once, when it has ended.
    pub(super) fn was_resent(&self) -> bool {
        self.sending.may_have_been_read_twice()
    }

    async fn send_and_read(&self, probe: impl Fn(ProbeStage)) -> Result<Success, Failure> {
        let Attempt {
            operation, probing, ..
        } = &self.attempt;
        let mut observer = operation.observer();
        let sent = self.send(self.head());
        let sent = if *probing {
            Box::pin(self.probe(sent, &probe)).await
        } else {
            sent.await
        };
        let mut response = sent.map_err(Failure::Transport)?;
        if transport::sends_on(response.status) {
            response = Box::pin(self.follow(response)).await?;
        }
        if let Some(observer) = &mut observer {
            observer.head_came();
        }
        if !(200..300).contains(&response.status) {
            return Err(Failure::Refused(
                Refusal::read(response, operation.head()).await,
            ));
        }
        if *probing {
            probe(ProbeStage::Answered);
        }
        let length = response.content_length.filter(|_| response.body.can_wait());
        let read = pin!(async {
            let mut buffer = self.tools.buffers.borrow_mut().take();
            let result = self.read(response, &mut buffer, observer).await;
            self.tools.buffers.borrow_mut().give(buffer);
            result
        });
        self.tools.turns.take(length, read).await
    }

    fn head(&self) -> &Arc<Head> {
        let head = self.attempt.operation.head();
        if self.attempt.try_base64 {
            head.uncoded()
        } else {
            head
        }
    }

    async fn send(&self, head: &Arc<Head>) -> Result<Response, TransportError> {
        let sent = self.sending.send(
            &*self.tools.transport,
            |fresh| self.request(head, fresh),
            || self.attempt.id.request_id(&self.attempt.trace),
        );
        sent.await
    }

    /// Sends the request on to where its server says, a few times.
    async fn follow(&self, mut answer: Response) -> Result<Response, Failure> {
        let mut head = Arc::clone(self.head());
        for _ in 0..MOST_REDIRECTS {
            let sends_on = transport::sends_on(answer.status);
            let Some(to) = sends_on.then(|| head.sent_on(&answer.headers)).flatten() else {
                break;
            };
            // Read to its end, it leaves the connection for the next.
            let mut rest = Vec::new();
            let _ = transport::read_body(&mut answer.body, None, SHORT, &mut rest, |_| ()).await;
            drop(answer);
            log::debug!("{:?} goes on to {to:?}", self.attempt.id);
            head = to;
            answer = self.send(&head).await.map_err(Failure::Transport)?;
        }
        Ok(answer)
    }

    /// What is under way for longer than a connect may take is connected. Many servers send nothing of
    /// an answer before they have all of it.
    async fn probe<T>(&self, sent: impl Future<Output = T>, probe: &impl Fn(ProbeStage)) -> T {
        let mut sent = pin!(sent);
        let connect = self.tools.transport.longest_connect() + AFTER_CONNECT;
        if let Ok(sent) = tokio::time::timeout(connect, &mut sent).await {
            return sent;
        }
        probe(ProbeStage::Connected);
        sent.await
    }

    fn request(&self, head: &Arc<Head>, fresh: bool) -> Request {
        Request {
            head: Arc::clone(head),
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
        mut observer: Option<Box<dyn Observer>>,
    ) -> Result<Success, Failure> {
        let Response {
            headers,
            content_length,
            mut body,
            secret,
            ..
        } = response;
        let codings = match Codings::of(&headers) {
            Ok(codings) => codings,
            Err(cause) => {
                // An answer to HEAD, or a 204, names a coding and has no body.
                let read = transport::read_body(&mut body, None, 0, buffer, |_| ()).await;
                read.map_err(|_| Failure::Transport(cause))?;
                None
            }
        };
        let limit = self.tools.max_response_bytes;
        let came = |length| {
            if let Some(observer) = &mut observer {
                observer.piece_came(length);
            }
        };
        transport::read_body(&mut body, content_length, limit, buffer, came)
            .await
            .map_err(Failure::Transport)?;
        let packed = match codings {
            Some(codings) => self.unpack_small(codings, buffer)?,
            None => None,
        };
        let is_small = packed.is_none() && buffer.len() <= SMALL;
        let is_observed = observer.is_some();
        let decoded = match observer {
            Some(observer) if packed.is_none() => observer.decode(&headers, buffer),
            None if is_small => {
                let inputs = self.attempt.inputs.clone();
                self.attempt.operation.decode(inputs, &headers, buffer)
            }
            observer => Box::pin(self.read_large(packed, &headers, buffer, observer)).await?,
        };
        let part = decoded.map_err(|cause| {
            if is_observed {
                return Failure::Decode(cause);
            }
            let secret = secret.as_ref();
            self.unreadable(cause, buffer, &headers, secret, body.may_be_cut())
        })?;
        let rates = transport::rate_report(&headers);
        Ok(Success {
            part,
            headers,
            rates,
        })
    }

    /// Unpacks a body that is small, packed and unpacked. Gives the codings back of one that is not.
    fn unpack_small(
        &self,
        codings: Codings,
        body: &mut Vec<u8>,
    ) -> Result<Option<Codings>, Failure> {
        if body.is_empty() {
            return Ok(None);
        }
        if body.len() <= SMALL {
            let most = most_unpacked(body.len(), self.tools.max_response_bytes);
            let plain = codings.unpack(body, most.min(SERDE_SOON), || true);
            if let Some(plain) = plain.map_err(Failure::Transport)? {
                *body = plain;
                return Ok(None);
            }
        }
        Ok(Some(codings))
    }

    /// Unpacks and decodes a body that may take its time, so that this thread has some for others.
    async fn read_large(
        &self,
        packed: Option<Codings>,
        headers: &Headers,
        buffer: &mut Vec<u8>,
        observer: Option<Box<dyn Observer>>,
    ) -> Result<Result<Part, DecodeError>, Failure> {
        let labour = &self.tools.labour;
        let operation = &self.attempt.operation;
        let inputs = self.attempt.inputs.clone();
        if packed.is_none() && buffer.len() <= SCANNED_SOON {
            let decoded = labour.here(|| {
                if buffer.len() <= SERDE_SOON {
                    Some(operation.decode(inputs.clone(), headers, buffer))
                } else {
                    operation.scan(inputs.clone(), headers, buffer)
                }
            });
            if let Some(decoded) = decoded.await {
                return Ok(decoded);
            }
        }
        let mut body = std::mem::take(buffer);
        let limit = self.tools.max_response_bytes;
        let reader = observer.is_none().then(|| (Arc::clone(operation), headers.clone()));
        let done = labour.beside(move |goes_on| {
            if let Some(codings) = packed {
                unpack(&codings, &mut body, limit, goes_on)?;
            }
            let decoded = reader
                .filter(|_| goes_on())
                .map(|(operation, headers)| operation.decode(inputs, &headers, &mut body));
            if decoded.is_some() && body.capacity() > SCANNED_SOON {
                // To free much takes its time too. Of what cannot be read the beginning is told.
                body.truncate(SMALL);
                body.shrink_to_fit();
            }
            Ok((body, decoded))
        });
        let done = done.await.ok_or(Failure::Lost)?;
        let (body, decoded) = done.map_err(Failure::Transport)?;
        *buffer = body;
        match (decoded, observer) {
            (Some(decoded), _) => Ok(decoded),
            (None, Some(observer)) => Ok(observer.decode(headers, buffer)),
            // It is said that nobody waits.
            (None, None) => Err(Failure::Aborted),
        }
    }

    /// What it means that an answer cannot be read. `secret` is what no error may show, beside the
    /// request's keys.
    fn unreadable(
        &self,
        cause: DecodeError,
        body: &[u8],
        headers: &Headers,
        secret: Option<&HeaderValue>,
        may_be_cut: bool,
    ) -> Failure {
        let head = self.attempt.operation.head();
        let cause = cause.redacted(|text| redacted(text, secret, head));
        Failure::Decode(match cause {
            DecodeError::NotJson(reason) if may_be_cut => DecodeError::Malformed(reason),
            DecodeError::NotJson(reason) => {
                let named = headers.get("content-type").unwrap_or("of no content-type");
                let text = format!("{reason}; it is {named}: {}", beginning(body, EXCERPT));
                DecodeError::NotJson(redacted(text, secret, head).into())
            }
            cause @ DecodeError::Shape { .. } => {
                // It may be a refusal that came too late for a status.
                if let Some(refusal) = Refusal::within(body, headers, secret, head) {
                    return Failure::Refused(refusal);
                }
                cause
            }
            other => other,
        })
    }
}

/// Unpacks a body in place, as far as it may unfold.
fn unpack(
    codings: &Codings,
    body: &mut Vec<u8>,
    limit: usize,
    goes_on: &dyn Fn() -> bool,
) -> Result<(), TransportError> {
    let most = most_unpacked(body.len(), limit);
    let plain = codings.unpack(body, most, goes_on)?;
    *body = plain.ok_or_else(|| too_large(body.len(), limit))?;
    Ok(())
}
