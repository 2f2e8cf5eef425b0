//! BatchPlanner: cuts an operation into requests.

use super::messages::{Plan, Planned, Stop};
use crate::policy::split::split;
use actix::{Actor, ActorContext, Context, Handler, Recipient};

/// Turns an operation into a plan. Owns nothing lasting.
pub(super) struct BatchPlanner {
    pub(super) planned: Recipient<Planned>,
}

impl Actor for BatchPlanner {
    type Context = Context<Self>;
}

impl Handler<Plan> for BatchPlanner {
    type Result = ();

    fn handle(&mut self, message: Plan, _: &mut Self::Context) {
        let Plan {
            id,
            operation,
            limits,
        } = message;
        let plan = split(operation.inputs(), limits, |input| operation.chars(input));
        self.planned.do_send(Planned { id, plan });
    }
}

impl Handler<Stop> for BatchPlanner {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        context.stop();
    }
}
