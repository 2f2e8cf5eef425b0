//! MetricsCollector: what happened, as counters and one histogram.

use super::messages::Stop;
use crate::caller::ReplyPort;
use crate::policy::limit::State;
use crate::transport::Account;
use actix::{Actor, ActorContext, Context, Handler, Message};
use hdrhistogram::Histogram;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::time::Duration;

/// Longest service time that the histogram tells apart, in microseconds: the longest timeout.
const LONGEST_US: u64 = 3_600_000_000;
/// Significant decimal digits of the histogram's values.
const DIGITS: u8 = 3;

/// Everything since the system started.
pub(super) struct MetricsCollector {
    /// The sum of all that was observed, without the times.
    sum: Observed,
    service_us: Histogram<u64>,
    /// Endpoints that refused something or were away, and what they were at last.
    endpoints: FxHashMap<Arc<Account>, State>,
    /// What those refused that were forgotten.
    refused_before: u64,
}

impl MetricsCollector {
    pub(super) fn new() -> Self {
        // These bounds are constants that the library accepts.
        let service_us = Histogram::new_with_bounds(1, LONGEST_US, DIGITS)
            .expect("1 us to 1 h at 3 digits is a valid histogram");
        Self {
            sum: Observed::default(),
            service_us,
            endpoints: FxHashMap::default(),
            refused_before: 0,
        }
    }

    fn snapshot(&self) -> MetricsSnapshot {
        let quantile = |q| Duration::from_micros(self.service_us.value_at_quantile(q));
        MetricsSnapshot {
            operations: self.sum.operations,
            requests_succeeded: self.sum.succeeded,
            requests_failed: self.sum.failed,
            attempts: self.sum.attempts,
            attempts_failed: self.sum.attempts_failed,
            attempts_aborted: self.sum.attempts_aborted,
            retries: self.sum.retries,
            hedges: self.sum.hedges,
            hedges_won: self.sum.hedges_won,
            samples: self.service_us.len(),
            service_mean: Duration::from_secs_f64(self.service_us.mean().max(0.0) / 1e6),
            service_p50: quantile(0.50),
            service_p90: quantile(0.90),
            service_p99: quantile(0.99),
            service_p999: quantile(0.999),
            service_max: Duration::from_micros(self.service_us.max()),
            refused: self.refused_before
                + self
                    .endpoints
                    .values()
                    .map(|state| state.refused)
                    .sum::<u64>(),
            endpoints: self.endpoints.iter().map(EndpointSnapshot::of).collect(),
        }
    }
}

/// What a system did since it started.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct MetricsSnapshot {
    /// Operations that ended, however.
    pub operations: u64,
    /// Requests that succeeded.
    pub requests_succeeded: u64,
    /// Requests that failed for good.
    pub requests_failed: u64,
    /// Attempts that were started, retries and hedges included; two for each that was sent again
    /// because a kept connection ended under it, unless the server is known not to have read it.
    pub attempts: u64,
    /// Attempts that failed; most were made again.
    pub attempts_failed: u64,
    /// Attempts that were aborted: a hedge's loser, or cancelled.
    pub attempts_aborted: u64,
    /// Attempts made because one before them had failed.
    pub retries: u64,
    /// Second attempts made because the first was slow.
    pub hedges: u64,
    /// Hedges that succeeded before the attempt that they doubled.
    pub hedges_won: u64,
    /// How many service times the figures below rest on.
    pub samples: u64,
    /// Mean service time of successful attempts: from the start of sending to the decoded answer.
    pub service_mean: Duration,
    /// Half took at most this long. Quantiles hold 3 significant digits.
    pub service_p50: Duration,
    /// 90 % took at most this long.
    pub service_p90: Duration,
    /// 99 % took at most this long.
    pub service_p99: Duration,
    /// 99.9 % took at most this long.
    pub service_p999: Duration,
    /// The longest.
    pub service_max: Duration,
    /// Attempts that were refused as too much (429, 503).
    pub refused: u64,
    /// The endpoints that refused something or could not be reached, each key apart; not those that
    /// have been idle for long where there are thousands.
    pub endpoints: Vec<EndpointSnapshot>,
}

/// An endpoint that refused something or could not be reached, as it was when that changed last.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EndpointSnapshot {
    /// Scheme, host and port.
    pub origin: String,
    /// How many requests it takes at once, learned from refusals; `None` where none was refused
    /// for that.
    pub window: Option<usize>,
    /// The requests a second that it allows, where its answers say so.
    pub requests_per_second: Option<f64>,
    /// The tokens a second that it allows, where its answers say so.
    pub tokens_per_second: Option<f64>,
    /// Whether nothing gets through.
    pub closed: bool,
    /// Attempts that it refused as too much (429, 503).
    pub refused: u64,
    /// Attempts that it answered.
    pub served: u64,
}

impl EndpointSnapshot {
    fn of((account, state): (&Arc<Account>, &State)) -> Self {
        Self {
            origin: account.origin().to_owned(),
            window: state.window,
            requests_per_second: state.rates[0],
            tokens_per_second: state.rates[1],
            closed: state.closed_since.is_some(),
            refused: state.refused,
            served: state.served,
        }
    }
}

impl Actor for MetricsCollector {
    type Context = Context<Self>;
}

/// What happened in one turn of the Dispatcher.
#[derive(Message, Debug, Default, PartialEq)]
#[rtype(result = "()")]
pub(super) struct Observed {
    pub operations: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub attempts: u64,
    pub retries: u64,
    pub hedges: u64,
    pub hedges_won: u64,
    pub attempts_failed: u64,
    pub attempts_aborted: u64,
    /// The service time of each attempt that succeeded.
    pub service_times: Vec<Duration>,
    /// Endpoints whose limits changed, and what they are at.
    pub endpoints: Vec<(Arc<Account>, State)>,
    /// Endpoints that were idle, and are remembered no more.
    pub forgotten: Vec<Arc<Account>>,
}

impl Handler<Observed> for MetricsCollector {
    type Result = ();

    fn handle(&mut self, observed: Observed, _: &mut Self::Context) {
        for time in observed.service_times {
            let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            self.service_us.saturating_record(us.max(1));
        }
        self.endpoints.extend(observed.endpoints);
        for account in observed.forgotten {
            let state = self.endpoints.remove(&account);
            self.refused_before += state.map_or(0, |state| state.refused);
        }
        let sum = &mut self.sum;
        sum.operations += observed.operations;
        sum.succeeded += observed.succeeded;
        sum.failed += observed.failed;
        sum.attempts += observed.attempts;
        sum.retries += observed.retries;
        sum.hedges += observed.hedges;
        sum.hedges_won += observed.hedges_won;
        sum.attempts_failed += observed.attempts_failed;
        sum.attempts_aborted += observed.attempts_aborted;
    }
}

/// Tell what happened so far.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Snapshot(pub(crate) ReplyPort<MetricsSnapshot>);

impl Handler<Snapshot> for MetricsCollector {
    type Result = ();

    fn handle(&mut self, Snapshot(reply): Snapshot, _: &mut Self::Context) {
        reply.send(self.snapshot());
    }
}

impl Handler<Stop> for MetricsCollector {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        context.stop();
    }
}
