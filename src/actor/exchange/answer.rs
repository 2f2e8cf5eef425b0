//! An answer of status 2xx, from its head to its part.
//!
//! The thread that reads it also keeps the deadlines of others, so that what takes a while is done
//! elsewhere or in turns (`labour.rs`).

use super::Exchange;
use crate::actor::failure::Failure;
use crate::actor::messages::Success;
use crate::actor::room::Held;
use crate::decode::{DecodeError, beginning};
use crate::headers::Headers;
use crate::job::{Observer, Operation, Part};
use crate::transport::decompress::{Codings, most_unpacked, too_large};
use crate::transport::{self, Refusal, Response, TransportError, redacted};
use http::HeaderValue;
use std::ops::Range;
use std::sync::Arc;

/// So many bytes are unpacked and decoded at once, however they are written.
const SMALL: usize = 64 << 10;
/// So many take serde a few milliseconds, and so do ...
const SERDE_SOON: usize = 256 << 10;
/// ... so many the scanner.
const SCANNED_SOON: usize = 4 << 20;

/// Of an answer that is no JSON, so many bytes are told.
const EXCERPT: usize = 100;

impl Exchange {
    pub(super) async fn read(
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
                let none = transport::read_body(&mut body, None, 0, buffer, |_| (), async |_| ());
                none.await.map_err(|_| Failure::Transport(cause))?;
                None
            }
        };
        let mut held = Held::default();
        let came = |length| {
            if let Some(observer) = &mut observer {
                observer.piece_came(length);
            }
        };
        // Boxed, as few answers need it.
        let grown = async |bytes| Box::pin(self.tools.room.grow(&mut held, bytes)).await;
        let limit = self.tools.max_response_bytes;
        transport::read_body(&mut body, content_length, limit, buffer, came, grown)
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
            observer => {
                let read = self.read_large(packed, &headers, buffer, held, observer);
                Box::pin(read).await?
            }
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

    /// Unpacks and decodes a body that may take its time.
    async fn read_large(
        &self,
        packed: Option<Codings>,
        headers: &Headers,
        buffer: &mut Vec<u8>,
        mut held: Held,
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
        let limit = self.tools.max_response_bytes;
        if packed.is_some() {
            let most = buffer.capacity() + most_unpacked(buffer.len(), limit);
            self.tools.room.grow(&mut held, most).await;
        }
        let reader = observer.is_none().then(|| Reader {
            operation: Arc::clone(operation),
            inputs,
            headers: headers.clone(),
        });
        let body = std::mem::take(buffer);
        let done = labour.beside(move |goes_on| {
            let read = read(body, packed.as_ref(), limit, reader, goes_on);
            drop(held);
            read
        });
        let done = done.await.ok_or(Failure::Lost)?;
        let (body, decoded) = done.map_err(Failure::Transport)?;
        *buffer = body;
        match (decoded, observer) {
            (Some(decoded), _) => Ok(decoded),
            (None, Some(observer)) => Ok(observer.decode(headers, buffer)),
            // It was said that nobody waits.
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
                let named = headers.content_type().unwrap_or("of no content-type");
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

/// What decodes a body on another thread.
struct Reader {
    operation: Arc<dyn Operation>,
    inputs: Range<usize>,
    headers: Headers,
}

/// A body that was unpacked, and what it was decoded to, if it was.
type Read = Result<(Vec<u8>, Option<Result<Part, DecodeError>>), TransportError>;

/// Unpacks a body and decodes it, while that is still wanted.
fn read(
    mut body: Vec<u8>,
    packed: Option<&Codings>,
    limit: usize,
    reader: Option<Reader>,
    goes_on: &dyn Fn() -> bool,
) -> Read {
    if let Some(codings) = packed {
        let most = most_unpacked(body.len(), limit);
        let plain = codings.unpack(&body, most, goes_on)?;
        body = plain.ok_or_else(|| too_large(body.len(), limit))?;
    }
    let Some(reader) = reader.filter(|_| goes_on()) else {
        return Ok((body, None));
    };
    let Reader {
        operation,
        inputs,
        headers,
    } = reader;
    let decoded = operation.decode(inputs, &headers, &mut body);
    if body.capacity() > SCANNED_SOON {
        // To free much takes its time too. Of what cannot be read the beginning is told.
        body.truncate(SMALL);
        body.shrink_to_fit();
    }
    Ok((body, Some(decoded)))
}
