//! Arrivals: the open loop. Requests start by a schedule, whatever became of those before.
//!
//! What must wait for a place is not taken from the schedule before it has one, so that waiting
//! takes no memory, and keeps its scheduled start, so that the wait is latency.

use super::blueprint::Arrivals as Plan;
use super::launch::{Answered, Conduct, Done, Launcher, Reply, Start};
use super::load::Schedule;
use super::pacer::{Pacer, Wake};
use actix::{Actor, AsyncContext, Context, Handler, Message};
use crossbeam_channel::Sender;
use std::iter::{Peekable, Take};

/// A schedule, and what of it is under way.
pub(super) struct Arrivals {
    launcher: Launcher,
    schedule: Peekable<Take<Schedule>>,
    max_in_flight: usize,
    number: u64,
    reply: Option<Reply>,
    pacer: Option<Pacer>,
    done: Option<Sender<Done>>,
    ended: bool,
    flushing: bool,
}

impl Arrivals {
    pub(super) fn new(launcher: Launcher, plan: Plan, done: Sender<Done>) -> Self {
        let most = usize::try_from(plan.most).unwrap_or(usize::MAX);
        Self {
            launcher,
            schedule: plan.schedule.take(most).peekable(),
            max_in_flight: plan.max_in_flight,
            number: 0,
            reply: None,
            pacer: None,
            done: Some(done),
            ended: false,
            flushing: false,
        }
    }

    /// Sends all that is due and has a place. `waited` says that it was the lack of places that
    /// held them back, and not the client.
    fn send_due(&mut self, waited: bool) {
        let Some(reply) = self.reply.clone() else {
            return;
        };
        let now = self.launcher.now();
        while self.launcher.in_flight() < self.max_in_flight
            && let Some(scheduled) = self.schedule.next_if(|at| *at <= now)
        {
            if !waited && scheduled >= self.launcher.warmup {
                self.launcher.late(now.saturating_sub(scheduled));
            }
            let start = Start {
                user: 0,
                number: self.number,
                scheduled,
            };
            self.number += 1;
            self.launcher.launch(start, &reply);
        }
    }

    fn is_full(&self) -> bool {
        self.launcher.in_flight() >= self.max_in_flight
    }

    /// The clock wakes it for the next arrival; where there is no place, an end does.
    fn arm(&mut self) {
        if self.is_full() || self.ended {
            return;
        }
        if let Some(pacer) = &mut self.pacer
            && let Some(next) = self.schedule.peek()
        {
            pacer.wake_at(self.launcher.began + *next);
        }
    }

    /// Gives up what was due by now and had no place, and cuts what is under way.
    fn end(&mut self) {
        self.ended = true;
        let now = self.launcher.now();
        let mut dropped = 0;
        while self.schedule.next_if(|at| *at <= now).is_some() {
            dropped += 1;
        }
        self.launcher.drop_planned(dropped);
        self.launcher.cut();
    }

    fn end_turn(&mut self, context: &mut Context<Self>) {
        if !self.flushing {
            self.flushing = true;
            context.address().do_send(TurnEnd);
        }
    }
}

impl Actor for Arrivals {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.reply = Some(Reply::new(context.address().recipient()));
        self.pacer = Pacer::start(context.address().recipient());
    }
}

impl Handler<Conduct> for Arrivals {
    type Result = ();

    fn handle(&mut self, conduct: Conduct, context: &mut Self::Context) {
        match conduct {
            Conduct::Begin(at) => self.launcher.began = at,
            Conduct::Look | Conduct::Tell => {}
            Conduct::End => self.end(),
        }
        self.end_turn(context);
    }
}

impl Handler<Wake> for Arrivals {
    type Result = ();

    fn handle(&mut self, _: Wake, context: &mut Self::Context) {
        if !self.ended {
            self.send_due(false);
        }
        self.end_turn(context);
    }
}

impl Handler<Answered> for Arrivals {
    type Result = ();

    fn handle(&mut self, answered: Answered, context: &mut Self::Context) {
        let was_full = self.is_full();
        if self.launcher.answered(answered) && was_full && !self.ended {
            self.send_due(true);
        }
        self.end_turn(context);
    }
}

/// The turn is over.
#[derive(Message)]
#[rtype(result = "()")]
struct TurnEnd;

impl Handler<TurnEnd> for Arrivals {
    type Result = ();

    fn handle(&mut self, _: TurnEnd, _: &mut Self::Context) {
        self.flushing = false;
        self.launcher.flush();
        let over = self.ended || self.schedule.peek().is_none();
        if over && self.launcher.in_flight() == 0 {
            if let Some(done) = self.done.take() {
                // A run that is gone does not mind.
                let _ = done.send(self.launcher.done());
            }
        } else {
            self.arm();
        }
    }
}
