//! What the server counts. One ledger, behind one short lock: a request takes
//! it twice, and a snapshot is consistent in itself.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::denial::Denial;
use super::limiter::Permit;
use super::quota::Headers;
use super::request::Request;

/// A snapshot of a server's counters, as `GET /stats` answers it. `/stats` and
/// `/mock/...` themselves are not counted, but their connections are.
///
/// Since the last reset, `requests` is the sum of `answered`, `aborted`,
/// `dropped` and those in flight that began since.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Requests received whole.
    pub requests: u64,
    /// Requests answered whole, with whatever status. Counted just before the
    /// last bytes are written, so that a client that has its answer finds it here.
    pub answered: u64,
    /// Requests whose client closed the connection before it had its answer.
    pub aborted: u64,
    /// Requests whose connection the server closed early, for a fault.
    pub dropped: u64,
    /// What was received but is no HTTP/1 request.
    pub malformed: u64,
    /// Requests received and not yet done with.
    pub in_flight: u64,
    /// The most that `in_flight` has been.
    pub peak_in_flight: u64,
    /// Connections open now.
    pub connections_open: u64,
    /// Connections accepted.
    pub connections_total: u64,
    /// The most that `connections_open` has been.
    pub connections_peak: u64,
    /// Requests by path, without the query.
    pub per_path: BTreeMap<String, u64>,
    /// Requests by bearer token, `none` for those without. Use test tokens only.
    pub per_key: BTreeMap<String, u64>,
    /// Answers by status, those that broke off among them.
    pub per_status: BTreeMap<u16, u64>,
    /// Answers that are refusals by the server's [`Limits`](super::Limits), by the
    /// name of the limit, such as `max_in_flight`.
    pub per_limit: BTreeMap<String, u64>,
}

/// The counters, shared by all threads of a server.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The plain counters; its maps stay empty until a snapshot is taken.
    counts: Stats,
    /// Goes up with each reset, so that a request from before one counts nothing after.
    epoch: u64,
    per_path: Tally,
    per_key: Tally,
    per_status: FxHashMap<u16, u64>,
    per_limit: Tally,
}

impl Ledger {
    pub(super) fn snapshot(&self) -> Stats {
        let inner = self.lock();
        let mut stats = inner.counts.clone();
        stats.per_path = inner.per_path.sorted();
        stats.per_key = inner.per_key.sorted();
        stats.per_limit = inner.per_limit.sorted();
        stats.per_status = inner
            .per_status
            .iter()
            .map(|(&status, &n)| (status, n))
            .collect();
        stats
    }

    /// Forgets everything but what is true of this moment.
    pub(super) fn reset(&self) {
        let mut inner = self.lock();
        let Stats {
            in_flight,
            connections_open,
            ..
        } = inner.counts;
        let epoch = inner.epoch + 1;
        let counts = Stats {
            in_flight,
            peak_in_flight: in_flight,
            connections_open,
            connections_peak: connections_open,
            ..Stats::default()
        };
        *inner = Inner {
            counts,
            epoch,
            ..Inner::default()
        };
    }

    pub(super) fn connect(&self) -> Presence<'_> {
        let counts = &mut self.lock().counts;
        counts.connections_total += 1;
        counts.connections_open += 1;
        counts.connections_peak = counts.connections_peak.max(counts.connections_open);
        Presence(self)
    }

    /// Connections open now.
    pub(super) fn connections(&self) -> u64 {
        self.lock().counts.connections_open
    }

    pub(super) fn malformed(&self) {
        self.lock().counts.malformed += 1;
    }

    /// Begins a request.
    pub(super) fn begin(&self, path: &str, key: &str) -> Serving<'_> {
        let mut inner = self.lock();
        inner.per_path.count(path);
        inner.per_key.count(key);
        let counts = &mut inner.counts;
        counts.requests += 1;
        counts.in_flight += 1;
        counts.peak_in_flight = counts.peak_in_flight.max(counts.in_flight);
        let crowd = counts.in_flight;
        Serving {
            ledger: self,
            epoch: inner.epoch,
            crowd,
            status: None,
            end: None,
            permit: None,
            limit: None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection, for as long as it is open.
#[derive(Debug)]
pub(super) struct Presence<'a>(&'a Ledger);

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        self.0.lock().counts.connections_open -= 1;
    }
}

/// A request, from its last byte to the end of its answer. Dropped before it
/// was settled, as when its client goes away, it counts as aborted.
#[derive(Debug)]
pub(super) struct Serving<'a> {
    ledger: &'a Ledger,
    epoch: u64,
    /// How many were in flight when this began, itself among them.
    pub(super) crowd: u64,
    status: Option<u16>,
    end: Option<RequestEnd>,
    /// Given back where the request ends, so that a client that has its answer
    /// finds its place free.
    permit: Option<Permit<'a>>,
    /// The limit that refused it.
    limit: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestEnd {
    Answered,
    Aborted,
    Dropped,
}

impl<'a> Serving<'a> {
    /// Takes the permit of a request that the limits let in by its head, and has
    /// the rest of it weighed.
    pub(super) fn admit(
        &mut self,
        permit: Option<Permit<'a>>,
        request: &Request<'_>,
        now: Instant,
    ) -> Result<Headers, Box<Denial>> {
        self.permit = permit;
        self.permit
            .as_mut()
            .map_or(Ok(Headers::new()), |permit| permit.admit(request, now))
    }

    /// Notes the status of the answer that is about to be sent.
    pub(super) fn status(&mut self, status: u16) {
        self.status = Some(status);
    }

    /// Notes the limit whose refusal is about to be sent.
    pub(super) fn refused_by(&mut self, limit: &'static str) {
        self.limit = Some(limit);
    }

    /// The whole answer goes out now.
    pub(super) fn answered(&mut self) {
        self.settle(RequestEnd::Answered);
    }

    /// The server closes the connection now.
    pub(super) fn dropped(&mut self) {
        self.settle(RequestEnd::Dropped);
    }

    /// The last bytes could not be written after all.
    pub(super) fn undelivered(&mut self) {
        if self.end == Some(RequestEnd::Answered) {
            let mut inner = self.ledger.lock();
            if inner.epoch == self.epoch {
                inner.counts.answered -= 1;
                inner.counts.aborted += 1;
            }
        }
    }

    fn settle(&mut self, end: RequestEnd) {
        if self.end.replace(end).is_some() {
            return;
        }
        self.permit = None;
        let mut inner = self.ledger.lock();
        inner.counts.in_flight -= 1;
        if inner.epoch != self.epoch {
            return;
        }
        if let Some(status) = self.status {
            *inner.per_status.entry(status).or_default() += 1;
        }
        if let Some(limit) = self.limit {
            inner.per_limit.count(limit);
        }
        match end {
            RequestEnd::Answered => inner.counts.answered += 1,
            RequestEnd::Aborted => inner.counts.aborted += 1,
            RequestEnd::Dropped => inner.counts.dropped += 1,
        }
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        if self.end.is_none() {
            self.settle(RequestEnd::Aborted);
        }
    }
}

/// Counts by name. Bounded, because a client chooses the names: past the bound
/// new ones are counted together as `other`.
#[derive(Debug, Default)]
struct Tally(FxHashMap<String, u64>);

impl Tally {
    const NAMES: usize = 4096;

    fn count(&mut self, name: &str) {
        if let Some(count) = self.0.get_mut(name) {
            *count += 1;
        } else {
            let name = if self.0.len() < Self::NAMES {
                name
            } else {
                "other"
            };
            *self.0.entry(name.to_owned()).or_default() += 1;
        }
    }

    fn sorted(&self) -> BTreeMap<String, u64> {
        self.0
            .iter()
            .map(|(name, &count)| (name.clone(), count))
            .collect()
    }
}
