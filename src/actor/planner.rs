//! BatchPlanner: cuts an operation into requests.

use super::dispatcher::Planned;
use super::messages::Stop;
use crate::caller::OperationId;
use crate::job::Operation;
use crate::policy::split::{Limits, split};
use actix::{Actor, ActorContext, Context, Handler, Message, Recipient};
use std::sync::Arc;

/// Turns an operation into a plan. Owns nothing lasting.
pub(super) struct BatchPlanner {
    pub(super) planned: Recipient<Planned>,
}

impl Actor for BatchPlanner {
    type Context = Context<Self>;
}

/// Cut an operation into requests.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct MakePlan {
    pub id: OperationId,
    pub operation: Arc<dyn Operation>,
    pub limits: Limits,
}

impl Handler<MakePlan> for BatchPlanner {
    type Result = ();

    fn handle(&mut self, message: MakePlan, _: &mut Self::Context) {
        let MakePlan {
            id,
            operation,
            limits,
        } = message;
        let plan = split(operation.inputs(), limits, |input| {
            operation.weigh(input, &limits)
        });
        self.planned.do_send(Planned { id, plan });
    }
}

impl Handler<Stop> for BatchPlanner {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        context.stop();
    }
}
