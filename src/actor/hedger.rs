//! Hedger: says when a slow request is to get a twin.

use super::alarm::Alarm;
use super::messages::{
    Due, OperationId, RequestKey, Settled, Settlement, Stop, Tick, Watch, Watched,
};
use crate::policy::budget::Budget;
use crate::policy::hedge::Delays;
use crate::policy::schedule::{Key, Schedule, later};
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Recipient};
use std::collections::HashMap;
use tokio::time::Instant;

/// One queue of due times for all operations, and the hedge budget of each.
pub(super) struct Hedger {
    due: Recipient<Due>,
    queue: Schedule<Instant, RequestKey>,
    operations: HashMap<OperationId, Hedged>,
    alarm: Option<Alarm>,
}

/// An operation that hedges.
struct Hedged {
    budget: Budget,
    delays: Delays,
    requests: HashMap<u32, Place>,
}

/// Where a request that is watched stands.
enum Place {
    /// It waits for the delay to become known.
    Unscheduled { started: Instant },
    /// It is in the queue.
    Queued(Key<Instant>),
    /// Its twin was called for.
    Called,
}

impl Hedger {
    pub(super) fn new(due: Recipient<Due>) -> Self {
        Self {
            due,
            queue: Schedule::new(),
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
        match operation.requests.insert(key.request, place) {
            Some(Place::Queued(place)) => drop(self.queue.remove(place)),
            // Its twin was called for while it paused, and not sent.
            Some(Place::Called) => operation.budget.refund(),
            Some(Place::Unscheduled { .. }) | None => {}
        }
    }

    fn settle(&mut self, settlement: Settlement) {
        match settlement {
            Settlement::Request { key, hedged, time } => {
                let Some(operation) = self.operations.get_mut(&key.operation) else {
                    return;
                };
                match operation.requests.remove(&key.request) {
                    Some(Place::Queued(place)) => drop(self.queue.remove(place)),
                    // Called for, and too late to be sent.
                    Some(Place::Called) if !hedged => operation.budget.refund(),
                    _ => {}
                }
                if let Some(time) = time
                    && operation.delays.record(time)
                {
                    operation.schedule_all(key.operation, &mut self.queue);
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
            if operation.budget.spend() {
                operation.requests.insert(key.request, Place::Called);
                due.push(key);
            } else {
                operation.requests.remove(&key.request);
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
    fn schedule_all(&mut self, id: OperationId, queue: &mut Schedule<Instant, RequestKey>) {
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

impl Handler<Watch> for Hedger {
    type Result = ();

    fn handle(&mut self, Watch(many): Watch, _: &mut Self::Context) {
        for watched in many {
            self.watch(watched);
        }
        self.rearm();
    }
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
