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
    queue: Timers<Instant, RequestKey>,
    operations: HashMap<OperationId, Hedged>,
    alarm: Option<Alarm>,
}

/// An operation that hedges.
struct Hedged {
    budget: Budget,
    delays: Delays,
    /// Those whose twin was not called for.
    requests: HashMap<u32, Place>,
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
            operations: HashMap::new(),
            alarm: None,
        }
    }

    fn watch(&mut self, watched: Watched) {
        let Watched {
            key,
            started,
            plan,
            requests,
        } = watched;
        let operation = self
            .operations
            .entry(key.operation)
            .or_insert_with(|| Hedged {
                budget: plan.budget(requests),
                delays: Delays::new(plan.delay),
                requests: HashMap::new(),
            });
        let place = match operation.delays.delay() {
            Some(delay) => Place::Queued(self.queue.add(later(started, delay), key)),
            None => Place::Unscheduled { started },
        };
        if let Some(Place::Queued(place)) = operation.requests.insert(key.request, place) {
            self.queue.remove(place);
        }
    }

    fn settle(&mut self, settlement: Settlement) {
        match settlement {
            Settlement::Request { key, time } => {
                let Some(operation) = self.operations.get_mut(&key.operation) else {
                    return;
                };
                if let Some(Place::Queued(place)) = operation.requests.remove(&key.request) {
                    self.queue.remove(place);
                }
                if let Some(time) = time
                    && operation.delays.record(time)
                {
                    operation.schedule_all(key.operation, &mut self.queue);
                }
            }
            Settlement::Unsent(key) => {
                if let Some(operation) = self.operations.get_mut(&key.operation) {
                    operation.budget.refund();
                }
            }
            Settlement::Operation(id) => {
                let Some(operation) = self.operations.remove(&id) else {
                    return;
                };
                for place in operation.requests.into_values() {
                    if let Place::Queued(place) = place {
                        self.queue.remove(place);
                    }
                }
            }
        }
    }

    /// Takes all that are due and that the budgets allow.
    fn take_due(&mut self, now: Instant) -> Vec<RequestKey> {
        let mut due = Vec::new();
        while let Some(key) = self.queue.pop_due(now) {
            let Some(operation) = self.operations.get_mut(&key.operation) else {
                continue;
            };
            operation.requests.remove(&key.request);
            if operation.budget.spend() {
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

impl Hedged {
    /// The delay has become known: the requests that waited for it are put into the queue.
    fn schedule_all(&mut self, id: OperationId, queue: &mut Timers<Instant, RequestKey>) {
        let Some(delay) = self.delays.delay() else {
            return;
        };
        for (request, place) in &mut self.requests {
            if let Place::Unscheduled { started } = place {
                let key = RequestKey {
                    operation: id,
                    request: *request,
                };
                *place = Place::Queued(queue.add(later(*started, delay), key));
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
    pub key: RequestKey,
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
        key: RequestKey,
        time: Option<Duration>,
    },
    /// A twin that was called for, and not sent: what was spent on it is refunded.
    Unsent(RequestKey),
    /// An operation with all its requests.
    Operation(OperationId),
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

    fn new() -> (Hedger, Instant) {
        let nobody = Nobody.start().recipient();
        (Hedger::new(nobody), Instant::now())
    }

    impl Hedger {
        /// A request's attempt began: its first, or one after a failure.
        fn begun(&mut self, request: u32, started: Instant) {
            self.watch(Watched {
                key: key(request),
                started,
                plan: HedgePlan {
                    delay: HedgeDelay::Fixed(DELAY),
                    budget_share: 0.0,
                },
                requests: 9,
            });
        }

        fn ended(&mut self, request: u32) {
            let (key, time) = (key(request), None);
            self.settle(Settlement::Request { key, time });
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
        hedger.settle(Settlement::Unsent(key(0)));
        hedger.ended(0);
        assert_eq!(hedger.left(1, start), BUDGET - 1);
    }

    #[actix_rt::test]
    async fn a_twin_that_was_not_sent_is_given_back_whether_or_not_its_request_goes_on() {
        for goes_on in [true, false] {
            let (mut hedger, start) = new();
            hedger.begun(0, start);
            assert_eq!(hedger.take_due(start + DELAY), [key(0)]);
            hedger.settle(Settlement::Unsent(key(0)));
            if goes_on {
                hedger.begun(0, start + 10 * DELAY);
            }
            hedger.ended(0);
            assert_eq!(hedger.left(1, start), BUDGET);
        }
    }
}
