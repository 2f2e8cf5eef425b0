//! Hedger: says when a slow request is to get a twin.

use super::alarm::Alarm;
use super::dispatcher::Due;
use super::messages::{RequestKey, Stop, Tick};
use crate::caller::OperationId;
use crate::policy::budget::Budget;
use crate::policy::hedge::{Delays, HedgePlan};
use crate::policy::timers::{Key, Timers, later};
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// One queue of due times for all operations, and the hedge budget of each.
pub(super) struct Hedger {
    due: Recipient<Due>,
    queue: Timers<Instant, Hedge>,
    /// By the name of the operation, or of the series that it is of.
    hedged: HashMap<OperationId, Hedged>,
    alarm: Option<Alarm>,
}

/// A request that may get a twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hedge {
    pub(super) key: RequestKey,
    /// The series of operations that hedge as one; its own where it is of none.
    pub(super) series: OperationId,
}

/// An operation that hedges, or a series of them.
struct Hedged {
    budget: Budget,
    /// That the budget is for, and the operation that was counted last: they come by their numbers.
    budgeted: usize,
    newest: Option<OperationId>,
    delays: Delays,
    /// Those whose twin was not called for.
    requests: HashMap<RequestKey, Place>,
}

/// Where a request that is watched stands.
enum Place {
    /// It waits for the delay to become known.
    Unscheduled { started: Instant },
    /// It is in the queue.
    Queued(Key<Instant>),
}

impl Hedger {
    pub(super) fn new(due: Recipient<Due>) -> Self {
        Self {
            due,
            queue: Timers::new(),
            hedged: HashMap::new(),
            alarm: None,
        }
    }

    fn watch(&mut self, watched: Watched) {
        let Watched {
            hedge,
            started,
            plan,
            requests,
        } = watched;
        let Hedge { key, series } = hedge;
        let hedged = self
            .hedged
            .entry(series)
            .or_insert_with(|| Hedged::new(plan));
        hedged.count(key.operation, requests, plan.budget_share);
        let place = match hedged.delays.delay() {
            Some(delay) => Place::Queued(self.queue.add(later(started, delay), hedge)),
            None => Place::Unscheduled { started },
        };
        if let Some(Place::Queued(place)) = hedged.requests.insert(key, place) {
            self.queue.remove(place);
        }
    }

    fn settle(&mut self, settlement: Settlement) {
        match settlement {
            Settlement::Request { hedge, time } => {
                let Some(hedged) = self.hedged.get_mut(&hedge.series) else {
                    return;
                };
                if let Some(Place::Queued(place)) = hedged.requests.remove(&hedge.key) {
                    self.queue.remove(place);
                }
                if let Some(time) = time
                    && hedged.delays.record(time)
                {
                    hedged.schedule_all(hedge.series, &mut self.queue);
                }
            }
            Settlement::Unsent(hedge) => {
                if let Some(hedged) = self.hedged.get_mut(&hedge.series) {
                    hedged.budget.refund();
                }
            }
            Settlement::Operation { id, series } if id != series => {
                if let Some(hedged) = self.hedged.get_mut(&series) {
                    let of_it = |key: &RequestKey, _: &mut Place| key.operation == id;
                    let ended = hedged.requests.extract_if(of_it);
                    remove_all(&mut self.queue, ended.map(|(_, place)| place));
                }
            }
            Settlement::Operation { series, .. } | Settlement::Series(series) => {
                if let Some(hedged) = self.hedged.remove(&series) {
                    remove_all(&mut self.queue, hedged.requests.into_values());
                }
            }
        }
    }

    /// Takes all that are due and that the budgets allow.
    fn take_due(&mut self, now: Instant) -> Vec<RequestKey> {
        let mut due = Vec::new();
        while let Some(Hedge { key, series }) = self.queue.pop_due(now) {
            let Some(hedged) = self.hedged.get_mut(&series) else {
                continue;
            };
            hedged.requests.remove(&key);
            if hedged.budget.spend() {
                due.push(key);
            }
        }
        due
    }

    fn rearm(&mut self) {
        let earliest = self.queue.earliest();
        if let Some(alarm) = &mut self.alarm {
            alarm.set(earliest);
        }
    }
}

fn remove_all(queue: &mut Timers<Instant, Hedge>, places: impl Iterator<Item = Place>) {
    for place in places {
        if let Place::Queued(place) = place {
            queue.remove(place);
        }
    }
}

impl Hedged {
    fn new(plan: HedgePlan) -> Self {
        Self {
            budget: Budget::of_operation(0, plan.budget_share),
            budgeted: 0,
            newest: None,
            delays: Delays::new(plan.delay),
            requests: HashMap::new(),
        }
    }

    /// The budget is for the requests of each operation, which is counted when it comes.
    fn count(&mut self, operation: OperationId, requests: usize, budget_share: f64) {
        if self.newest.is_none_or(|newest| newest < operation) {
            self.newest = Some(operation);
            self.budget.grow(self.budgeted, requests, budget_share);
            self.budgeted += requests;
        }
    }

    /// The delay has become known: the requests that waited for it are put into the queue.
    fn schedule_all(&mut self, series: OperationId, queue: &mut Timers<Instant, Hedge>) {
        let Some(delay) = self.delays.delay() else {
            return;
        };
        for (key, place) in &mut self.requests {
            if let Place::Unscheduled { started } = place {
                let hedge = Hedge { key: *key, series };
                *place = Place::Queued(queue.add(later(*started, delay), hedge));
            }
        }
    }
}

impl Actor for Hedger {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.alarm = Some(Alarm::new(context.address().recipient()));
    }
}

/// Requests that want a twin if they have not ended by then.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Watch(pub Vec<Watched>);

/// One request to watch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watched {
    pub hedge: Hedge,
    pub started: Instant,
    pub plan: HedgePlan,
    /// The requests of the operation, from which its budget follows.
    pub requests: usize,
}

impl Handler<Watch> for Hedger {
    type Result = ();

    fn handle(&mut self, Watch(many): Watch, _: &mut Self::Context) {
        for watched in many {
            self.watch(watched);
        }
        self.rearm();
    }
}

/// Requests, or whole operations, that need no watching any more, and twins that were not sent.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Settled(pub Vec<Settlement>);

/// What ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Settlement {
    /// A request; `time` says how long the attempt took that succeeded.
    Request {
        hedge: Hedge,
        time: Option<Duration>,
    },
    /// A twin that was called for, and not sent: what was spent on it is refunded.
    Unsent(Hedge),
    /// An operation with all its requests.
    Operation {
        id: OperationId,
        series: OperationId,
    },
    /// A series: no more of it comes.
    Series(OperationId),
}

impl Handler<Settled> for Hedger {
    type Result = ();

    fn handle(&mut self, Settled(many): Settled, _: &mut Self::Context) {
        for settlement in many {
            self.settle(settlement);
        }
        self.rearm();
    }
}

impl Handler<Tick> for Hedger {
    type Result = ();

    fn handle(&mut self, _: Tick, _: &mut Self::Context) {
        let due = self.take_due(Instant::now());
        if !due.is_empty() {
            self.due.do_send(Due(due));
        }
        self.rearm();
    }
}

impl Handler<Stop> for Hedger {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        self.alarm = None;
        context.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::hedge::HedgeDelay;

    /// Listens to nothing.
    struct Nobody;

    impl Actor for Nobody {
        type Context = Context<Self>;
    }

    impl Handler<Due> for Nobody {
        type Result = ();

        fn handle(&mut self, _: Due, _: &mut Self::Context) {}
    }

    const DELAY: Duration = Duration::from_millis(50);
    /// What an operation has that hedges no share of its requests.
    const BUDGET: usize = 2;

    fn key(request: u32) -> RequestKey {
        let operation = OperationId(0);
        RequestKey { operation, request }
    }

    fn hedge(request: u32) -> Hedge {
        let key = key(request);
        let series = key.operation;
        Hedge { key, series }
    }

    fn new() -> (Hedger, Instant) {
        let nobody = Nobody.start().recipient();
        (Hedger::new(nobody), Instant::now())
    }

    impl Hedger {
        /// A request's attempt began: its first, or one after a failure.
        fn begun(&mut self, request: u32, started: Instant) {
            self.watch(Watched {
                hedge: hedge(request),
                started,
                plan: HedgePlan {
                    delay: HedgeDelay::Fixed(DELAY),
                    budget_share: 0.0,
                },
                requests: 9,
            });
        }

        fn ended(&mut self, request: u32) {
            let (hedge, time) = (hedge(request), None);
            self.settle(Settlement::Request { hedge, time });
        }

        /// How many twins are called for of requests that begin after `first`.
        fn left(&mut self, first: u32, start: Instant) -> usize {
            for request in first..first + 9 {
                self.begun(request, start);
            }
            self.take_due(start + DELAY).len()
        }
    }

    #[actix_rt::test]
    async fn a_retry_that_crosses_the_call_for_a_twin_takes_nothing_back() {
        let (mut hedger, start) = new();
        hedger.begun(0, start);
        assert_eq!(hedger.take_due(start + DELAY), [key(0)]);
        // The Dispatcher has begun a retry before it hears of it, and gives that its twin.
        hedger.begun(0, start + DELAY);
        hedger.ended(0);
        assert_eq!(hedger.left(1, start), BUDGET - 1);
    }

    #[actix_rt::test]
    async fn a_request_that_has_its_twin_may_be_called_for_and_is_paid_for_once() {
        let (mut hedger, start) = new();
        hedger.begun(0, start);
        assert_eq!(hedger.take_due(start + DELAY), [key(0)]);
        hedger.begun(0, start + DELAY);
        assert_eq!(hedger.take_due(start + 2 * DELAY), [key(0)]);
        hedger.settle(Settlement::Unsent(hedge(0)));
        hedger.ended(0);
        assert_eq!(hedger.left(1, start), BUDGET - 1);
    }

    #[actix_rt::test]
    async fn a_twin_that_was_not_sent_is_given_back_whether_or_not_its_request_goes_on() {
        for goes_on in [true, false] {
            let (mut hedger, start) = new();
            hedger.begun(0, start);
            assert_eq!(hedger.take_due(start + DELAY), [key(0)]);
            hedger.settle(Settlement::Unsent(hedge(0)));
            if goes_on {
                hedger.begun(0, start + 10 * DELAY);
            }
            hedger.ended(0);
            assert_eq!(hedger.left(1, start), BUDGET);
        }
    }

    #[actix_rt::test]
    async fn a_series_learns_from_all_its_operations_and_is_forgotten_at_its_end() {
        let (mut hedger, start) = new();
        let series = OperationId(1000);
        let batch = |number| Hedge {
            key: RequestKey {
                operation: OperationId(number),
                request: 0,
            },
            series,
        };
        let plan = HedgePlan {
            delay: HedgeDelay::Quantile(0.9),
            budget_share: 0.1,
        };
        let begin = |hedger: &mut Hedger, number| {
            hedger.watch(Watched {
                hedge: batch(number),
                started: start,
                plan,
                requests: 1,
            });
        };
        for number in 0..20 {
            begin(&mut hedger, number);
            let (hedge, time) = (batch(number), Some(DELAY));
            hedger.settle(Settlement::Request { hedge, time });
            let id = OperationId(number);
            hedger.settle(Settlement::Operation { id, series });
        }
        (20..60).for_each(|number| begin(&mut hedger, number));
        // One that is given up is called for no more.
        let id = OperationId(20);
        hedger.settle(Settlement::Operation { id, series });
        let due = hedger.take_due(start + DELAY);
        assert_eq!(due.len(), 1 + 6, "a tenth of 60, and one");
        assert!(!due.contains(&batch(20).key));
        hedger.settle(Settlement::Series(series));
        assert!(hedger.hedged.is_empty() && hedger.queue.earliest().is_none());
    }
}
