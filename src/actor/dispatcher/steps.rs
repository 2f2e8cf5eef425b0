//! What the Dispatcher's handlers do to its operations, and how a turn is sent.

use super::{Dispatcher, Wake};
use crate::actor::failure::Failure;
use crate::actor::flight::{Flight, Turned};
use crate::actor::hedger::{Settled, Watch};
use crate::actor::messages::{Abort, Assign, Flush, Outcome};
use crate::actor::metrics::Observed;
use crate::actor::planner::MakePlan;
use crate::actor::turn::{Outage, Surroundings, limits_of};
use crate::caller::OperationId;
use crate::job::End;
use crate::policy::pace::Rates;
use crate::policy::split;
use crate::transport::Account;
use actix::{AsyncContext, Context};
use std::sync::Arc;
use tokio::time::Instant;

impl Dispatcher {
    /// What this turn collects is sent when the mailbox has been worked off. All that ended is
    /// counted before others go in its place.
    pub(super) fn end_turn(&mut self, context: &mut Context<Self>) {
        while let Some(account) = self.shared.turn.moved.pop() {
            self.serve(&account, Instant::now());
        }
        if !self.flushing {
            self.flushing = true;
            context.address().do_send(Flush);
        }
    }

    /// Shows an operation its surroundings, and lets it act. That may have changed what the
    /// endpoint admits: whoever waits for it is asked when the turn ends.
    pub(super) fn with<T>(
        &mut self,
        id: OperationId,
        now: Instant,
        act: impl FnOnce(&mut Flight, &mut Surroundings<'_>) -> T,
    ) -> Option<T> {
        let (flight, _) = self.flights.get_mut(&id)?;
        let mut around = self.shared.around(flight.account(), now);
        let result = act(flight, &mut around);
        around.line_may_move(flight.account());
        Some(result)
    }

    /// Gives what room an endpoint has to those who wait for it, by turns, a request each.
    pub(super) fn serve(&mut self, account: &Arc<Account>, now: Instant) {
        // Those whose own rates hold them stand aside for those behind them.
        let mut aside = Vec::new();
        // Nobody overtakes another of the same rates: what is small would always find room first.
        let mut held = Vec::<Rates>::new();
        loop {
            let mut around = self.shared.around(account, now);
            let Some(id) = around.line.pop_front() else {
                around.line.extend(aside);
                return;
            };
            let Some((flight, _)) = self.flights.get_mut(&id) else {
                continue;
            };
            let rates = flight.job().settings.rates;
            if held.contains(&rates) {
                aside.push(id);
                continue;
            }
            match flight.take_turn(&mut around) {
                Turned::Went => around.line.push_back(id),
                Turned::Held => {
                    held.push(rates);
                    aside.push(id);
                }
                Turned::Waits => {
                    around.line.push_front(id);
                    around.line.extend(aside);
                    return;
                }
                Turned::NeedsNone => {}
            }
        }
    }

    /// That nothing gets through to an endpoint holds for all who wait for it.
    pub(super) fn suffer(&mut self, outage: &Outage, now: Instant) {
        let mut ended = Vec::new();
        for (id, (flight, _)) in &mut self.flights {
            if outage.concerns(flight.job().operation.head()) {
                let mut around = self.shared.around(&outage.head.account, now);
                let end = flight.suffer(outage, &mut around);
                ended.extend(end.map(|end| (*id, end)));
            }
        }
        for (id, end) in ended {
            self.end(id, end, now);
        }
    }

    pub(super) fn plan_or_begin(&mut self, id: OperationId, flight: &mut Flight, now: Instant) {
        flight.planned_by(self.shared.shapes.version());
        let job = flight.job();
        let limits = limits_of(job, &self.shared.shapes);
        let inputs = job.operation.inputs();
        let one_request = inputs <= limits.batch_size && limits.only_count();
        if one_request || inputs == 1 {
            flight.planned(split::Plan::Even {
                inputs,
                batch_size: inputs,
            });
            let account = Arc::clone(flight.account());
            flight.fill(&mut self.shared.around(&account, now));
        } else {
            self.peers.planner.do_send(MakePlan {
                id,
                operation: Arc::clone(&job.operation),
                limits,
            });
        }
    }

    pub(super) fn end(&mut self, id: OperationId, end: End, now: Instant) {
        let Some((flight, deadline)) = self.flights.remove(&id) else {
            return;
        };
        if let Some(deadline) = deadline {
            self.schedule.remove(deadline);
        }
        let account = Arc::clone(flight.account());
        let mut around = self.shared.around(&account, now);
        flight.end(end, &mut around);
        around.line_may_move(&account);
    }

    pub(super) fn observe(&mut self, outcome: &Outcome) {
        let observed = &mut self.shared.turn.observed;
        match &outcome.result {
            Ok(_) => observed.service_times.push(outcome.service_time),
            Err(Failure::Aborted) => observed.attempts_aborted += 1,
            Err(_) => observed.attempts_failed += 1,
        }
    }

    /// Sends what the turn collected. Counts go first: a caller who has its answer finds them.
    pub(super) fn flush(&mut self) {
        self.shared.forget_idle(Instant::now);
        let turn = &mut self.shared.turn;
        if turn.observed != Observed::default() {
            let observed = std::mem::take(&mut turn.observed);
            self.peers.observed.do_send(observed);
        }
        if !turn.assign.is_empty() {
            let assign = std::mem::take(&mut turn.assign);
            self.peers.assign.do_send(Assign(assign));
        }
        if !turn.abort.is_empty() {
            let abort = std::mem::take(&mut turn.abort);
            self.peers.abort.do_send(Abort(abort));
        }
        if !turn.watch.is_empty() {
            let watch = std::mem::take(&mut turn.watch);
            self.peers.watch.do_send(Watch(watch));
        }
        if !turn.settled.is_empty() {
            let settled = std::mem::take(&mut turn.settled);
            self.peers.settled.do_send(Settled(settled));
        }
        for (at, key) in turn.pauses.drain(..) {
            self.schedule.add(at, Wake::Resume(key));
        }
        for (at, account) in turn.ask_again.drain(..) {
            let known = self.asked_at.get(&account);
            if known.is_none_or(|known| at < *known) {
                self.asked_at.insert(Arc::clone(&account), at);
                self.schedule.add(at, Wake::Endpoint(account));
            }
        }
        for ending in turn.endings.drain(..) {
            ending.deliver();
        }
        let earliest = self.schedule.earliest();
        if let Some(alarm) = &mut self.alarm {
            alarm.set(earliest);
        }
    }
}
