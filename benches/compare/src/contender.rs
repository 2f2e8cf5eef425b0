//! The contenders. To add one: a file with a type that is a [`Contender`], and a line in [`ALL`].

mod floor;

mod batch;

mod each;

mod stream;

mod hyper;

pub(crate) use floor::Sockets;

use crate::work::{self, Work};
use anyhow::{Result, ensure};
use hedgerow::Embeddings;
use hedgerow::transport::HttpVersion;

/// In the order in which they run. The floor comes first: the others are compared with it.
pub(crate) const ALL: [&dyn Contender; 8] = [
    &floor::Floor,
    &batch::Hedgerow {
        name: "hedgerow-1",
        about: "one embed() call for all, one worker",
        workers: 1,
        version: HttpVersion::Http1,
    },
    &batch::Hedgerow {
        name: "hedgerow-2",
        about: "one embed() call for all, two workers",
        workers: 2,
        version: HttpVersion::Http1,
    },
    &batch::Hedgerow {
        name: "hedgerow-4",
        about: "one embed() call for all, four workers",
        workers: 4,
        version: HttpVersion::Http1,
    },
    &batch::Hedgerow {
        name: "hedgerow-h2",
        about: "one embed() call for all, one worker, HTTP/2 in clear text",
        workers: 1,
        version: HttpVersion::Http2,
    },
    &hyper::Hyper,
    &stream::Stream,
    &each::Each,
];

/// A client, used in one way.
pub(crate) trait Contender: Sync {
    /// By which it is chosen on the command line.
    fn name(&self) -> &'static str;

    /// In a few words, for the report.
    fn about(&self) -> &'static str;

    /// Whether it takes part in `work`.
    fn does(&self, _work: Work) -> bool {
        true
    }

    /// Whether it speaks HTTP/2.
    fn http2(&self) -> bool {
        false
    }

    /// Makes the client.
    fn start(&self, task: &Task) -> Result<Box<dyn Session>>;
}

/// What a contender is to do in this process.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) work: Work,
    /// The base URL.
    pub(crate) url: String,
    /// Of the floor alone.
    pub(crate) connections: usize,
}

/// A client at work: first a few requests to warm up, then those that are measured.
pub(crate) trait Session {
    /// Makes the inputs of the next requests. Not measured.
    fn prepare(&mut self, requests: usize);

    /// Makes the requests. This is what is measured.
    fn go(&mut self) -> Result<()>;

    /// What the requests gave. Not measured.
    fn take(&mut self) -> Got;
}

/// What the answers held.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) rows: usize,
    pub(crate) dimensions: usize,
    /// The sum of the answers' checksums.
    pub(crate) checksum: u64,
}

impl Got {
    /// Adds what came in an answer of its own.
    pub(crate) fn add(&mut self, embeddings: &Embeddings) -> Result<()> {
        let same = self.rows == 0 || self.dimensions == embeddings.dimensions();
        ensure!(same, "an answer of {} dimensions", embeddings.dimensions());
        let checksum = work::checksum(embeddings.as_slice());
        self.rows += embeddings.len();
        self.dimensions = embeddings.dimensions();
        self.checksum = self.checksum.wrapping_add(checksum);
        Ok(())
    }

    /// What `requests` right answers hold.
    pub(crate) fn right(work: Work, requests: usize) -> Self {
        Self {
            rows: requests * work.batch(),
            dimensions: work.dimensions(),
            checksum: work.checksum().wrapping_mul(requests as u64),
        }
    }

    /// Errs unless all answers were right.
    pub(crate) fn check(self, work: Work, requests: usize) -> Result<()> {
        let right = Self::right(work, requests);
        ensure!(self == right, "wrong answers: got {self:?}, not {right:?}");
        Ok(())
    }
}
