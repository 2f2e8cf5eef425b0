//! One request of a benchmark, as Workers see it.

use super::measured::{Expected, Measured};
use super::timing::Timing;
use crate::decode::{DecodeError, Format, check};
use crate::headers::Headers;
use crate::job::{Observer, Operation, Part};
use crate::transport::Head;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use tokio::time::Instant;

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

    fn leaves_encoding_open(&self) -> bool {
        false
    }

    fn body(&self, _: Range<usize>, _: bool) -> Option<Bytes> {
        Some(self.body.clone())
    }

    fn decode(&self, _: Range<usize>, _: &Headers, _: &mut Vec<u8>) -> Result<Part, DecodeError> {
        unreachable!("its observer reads every answer")
    }

    fn observer(&self) -> Option<Box<dyn Observer>> {
        Some(Box::new(Stopwatch {
            timing: Timing::begin(),
            expected: self.expected,
        }))
    }

    /// What is sent follows from the configuration alone: no ids, no clock.
    fn has_own_headers(&self) -> bool {
        false
    }
}

/// Stamps when what of one attempt's answer comes, and then reads it.
struct Stopwatch {
    timing: Timing,
    expected: Expected,
}

impl Observer for Stopwatch {
    fn head_came(&mut self) {
        self.timing.head = Instant::now();
    }

    fn piece_came(&mut self, length: usize) {
        self.timing.pieces.push((length, Instant::now()));
    }

    fn decode(self: Box<Self>, headers: &Headers, body: &mut Vec<u8>) -> Result<Part, DecodeError> {
        let format = Format::of_answer(headers);
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
        let measured = Measured::read(expected, body, &self.timing)?;
        Ok(Part::Other(Box::new(measured)))
    }
}
