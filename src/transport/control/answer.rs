//! The answer to a control request, and whether it is whole, which awc does not say.

use crate::headers::Headers;
use crate::transport::secret::Secrets;
use crate::transport::{Head, TransportError};
use awc::ClientResponse;
use awc::error::{ConnectError, PayloadError, SendRequestError};
use awc::http::Version;
use awc::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use futures_util::StreamExt;
use http::{HeaderValue, Method};
use std::cell::Cell;
use std::io;
use std::time::Duration;

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct ControlAnswer {
    pub(crate) status: u16,
    /// With lower-case names, in no order.
    pub(crate) headers: Headers,
    /// As sent, also where `content-encoding` says something of it. `None` where the answer is over
    /// HTTP/1.1 and says nothing of where its body ends: awc does not read that.
    pub(crate) body: Option<Vec<u8>>,
    /// The key to a proxy, which may send it back.
    pub(super) secret: Option<HeaderValue>,
}

impl ControlAnswer {
    /// `text`, a part of the answer, without the keys that went with the request.
    pub(crate) fn without_keys(&self, text: &str, head: &Head) -> Box<str> {
        Secrets::of(head, self.secret.as_ref()).out_of(text.to_owned())
    }
}

/// Where the body of an answer ends.
#[derive(Debug, Clone, Copy)]
enum Ends {
    /// There is none.
    AtOnce,
    After(u64),
    AfterLastChunk,
    WithConnection,
    Unknown,
}

impl Ends {
    fn of(answer: &ClientResponse, method: &Method) -> Result<Self, TransportError> {
        let header = |name| {
            let value = answer.headers().get(name);
            value.map(|value| value.to_str().unwrap_or_default().trim())
        };
        if *method == Method::HEAD || matches!(answer.status().as_u16(), 204 | 304) {
            return Ok(Self::AtOnce);
        }
        let is_old = answer.version() == Version::HTTP_10;
        match (header(TRANSFER_ENCODING), header(CONTENT_LENGTH)) {
            (Some(_), _) if is_old => {
                let cause = "it is in chunks, which HTTP/1.0 does not have".to_owned();
                Err(TransportError::Malformed(cause))
            }
            (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Ok(Self::AfterLastChunk),
            (_, Some(length)) => {
                let bad = |_| TransportError::Malformed("its length is no number".to_owned());
                length.parse().map(Self::After).map_err(bad)
            }
            (_, None) if is_old => Ok(Self::WithConnection),
            (_, None) => Ok(Self::Unknown),
        }
    }
}

/// Reads an answer. `ended` says whether the server has ended the connection.
pub(super) async fn read(
    mut answer: ClientResponse,
    method: &Method,
    ended: &Cell<bool>,
    longest: usize,
) -> Result<ControlAnswer, TransportError> {
    let status = answer.status().as_u16();
    if (100..200).contains(&status) {
        let cause = format!("an informational answer ({status}) came, and awc reads none after it");
        return Err(TransportError::Malformed(cause));
    }
    let pairs = || {
        let headers = answer.headers().iter();
        headers.map(|(name, value)| (name.as_str(), value.as_bytes()))
    };
    let headers = Headers::from_pairs(pairs);
    let body = match Ends::of(&answer, method)? {
        Ends::AtOnce => Some(Vec::new()),
        Ends::Unknown => None,
        ends => Some(read_body(&mut answer, ends, ended, longest).await?),
    };
    Ok(ControlAnswer {
        status,
        headers,
        body,
        secret: None,
    })
}

async fn read_body(
    answer: &mut ClientResponse,
    ends: Ends,
    ended: &Cell<bool>,
    longest: usize,
) -> Result<Vec<u8>, TransportError> {
    let too_large = TransportError::TooLarge { limit: longest };
    let mut body = Vec::new();
    if matches!(ends, Ends::After(length) if length > longest as u64) {
        return Err(too_large);
    }
    while let Some(piece) = answer.next().await {
        let piece = piece.map_err(|cause| cut(&cause, ended))?;
        if piece.len() > longest - body.len() {
            return Err(too_large);
        }
        body.extend_from_slice(&piece);
    }
    match ends {
        Ends::After(expected) if expected != body.len() as u64 => Err(TransportError::Truncated {
            received: body.len() as u64,
            expected,
        }),
        // The last chunk is known without looking for more.
        Ends::AfterLastChunk if ended.get() => Err(cut_in_chunks()),
        _ => Ok(body),
    }
}

fn cut_in_chunks() -> TransportError {
    TransportError::Broken("the body ended before its last chunk".to_owned())
}

/// Why a body breaks off.
fn cut(cause: &PayloadError, ended: &Cell<bool>) -> TransportError {
    match cause {
        _ if ended.get() => cut_in_chunks(),
        PayloadError::Incomplete(Some(cause)) | PayloadError::Io(cause)
            if cause.kind() != io::ErrorKind::InvalidInput =>
        {
            TransportError::Broken(cause.to_string())
        }
        other => TransportError::Malformed(other.to_string()),
    }
}

/// Why there is no answer.
pub(super) fn not_sent(
    cause: SendRequestError,
    ended: &Cell<bool>,
    within: Duration,
) -> TransportError {
    let text = cause.to_string();
    match cause {
        SendRequestError::Connect(ConnectError::Io(cause)) => {
            let ours = cause.downcast::<TransportError>();
            ours.unwrap_or_else(|other| TransportError::Connect(other.to_string()))
        }
        SendRequestError::Connect(ConnectError::Timeout) | SendRequestError::Timeout => {
            late(within)
        }
        _ if ended.get() => {
            TransportError::Broken("the connection ended before the answer".to_owned())
        }
        SendRequestError::Url(_) | SendRequestError::Http(_) => TransportError::BadRequest(text),
        SendRequestError::Send(cause) => TransportError::Broken(cause.to_string()),
        SendRequestError::Response(cause) => {
            let cause = cause.to_string();
            match cause.strip_prefix("I/O error: ") {
                Some(cause) => TransportError::Broken(cause.to_owned()),
                None => TransportError::Malformed(cause),
            }
        }
        _ => TransportError::Broken(text),
    }
}

/// It took longer than it may.
pub(super) fn late(within: Duration) -> TransportError {
    let seconds = within.as_secs_f64();
    TransportError::Broken(format!("there was no whole answer within {seconds:.3} s"))
}
