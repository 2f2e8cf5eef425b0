//! One request of a benchmark, as Workers see it.

use super::measured::{Expected, Measured};
use crate::decode::{DecodeError, Format, check};
use crate::operation::{Arrivals, Headers, Operation, Part};
use crate::transport::Head;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

/// A request that is written already. Sending it copies nothing.
#[derive(Debug)]
pub(in crate::bench) struct WorkloadRequest {
    pub(in crate::bench) head: Arc<Head>,
    pub(in crate::bench) body: Bytes,
    pub(in crate::bench) expected: Expected,
}

impl Operation for WorkloadRequest {
    fn head(&self) -> &Arc<Head> {
        &self.head
    }

    fn inputs(&self) -> usize {
        1
    }

    fn chars(&self, _: usize) -> usize {
        0
    }

    fn leaves_encoding_open(&self) -> bool {
        false
    }

    fn body(&self, _: Range<usize>, _: bool) -> Option<Bytes> {
        Some(self.body.clone())
    }

    fn decode(&self, _: Range<usize>, _: &Headers, _: &mut Vec<u8>) -> Result<Part, DecodeError> {
        // Workers ask an operation that wants arrivals by the other function.
        Err(DecodeError::Malformed("nothing was stamped".to_owned()))
    }

    fn wants_arrivals(&self) -> bool {
        true
    }

    fn decode_timed(
        &self,
        _: Range<usize>,
        headers: &Headers,
        body: &mut Vec<u8>,
        arrivals: Arrivals,
    ) -> Result<Part, DecodeError> {
        let format = headers.format();
        let expected = match self.expected {
            // Not every service that can stream does.
            Expected::Stream if format == Format::Json => Expected::Json,
            Expected::Anything if format == Format::MessagePack => {
                check(format, body)?;
                Expected::Anything
            }
            Expected::Anything if format == Format::Json && !body.is_empty() => Expected::AnyJson,
            other => other,
        };
        let measured = Measured::read(expected, body, &arrivals)?;
        Ok(Part::Measured(Box::new(measured)))
    }

    /// What is sent follows from the configuration alone: no ids, no clock.
    fn has_own_headers(&self) -> bool {
        false
    }
}
