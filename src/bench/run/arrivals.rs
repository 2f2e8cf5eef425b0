//! Arrivals: the open loop, in which requests start by a schedule, whatever became of those before;
//! and the partly open one, in which sessions do.
//!
//! What must wait for a place is not taken from the agenda before it has one, so that waiting
//! requests take no memory, and keeps its scheduled start, so that the wait is latency.

use super::agenda::Agenda;
use super::launch::{Answered, Conduct, Done, Launcher, Reply};
use super::pacer::{Pacer, Wake};
use crate::bench::plan::OpenLoad;
use actix::{Actor, AsyncContext, Context, Handler, Message};
use crossbeam_channel::Sender;
use std::time::Duration;

/// An agenda, and what of it is under way.
pub(super) struct Arrivals {
    launcher: Launcher,
    agenda: Agenda,
    max_in_flight: usize,
    reply: Option<Reply>,
    pacer: Option<Pacer>,
    done: Option<Sender<Done>>,
    ended: bool,
    flushing: bool,
}

impl Arrivals {
    pub(super) fn new(launcher: Launcher, load: OpenLoad, done: Sender<Done>) -> Self {
        Self {
            launcher,
            max_in_flight: load.max_in_flight,
            agenda: Agenda::new(load),
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
            && let Some(start) = self.agenda.take_due(now)
        {
            if !waited && start.scheduled >= self.launcher.warmup {
                self.launcher.late(now.saturating_sub(start.scheduled));
            }
            self.launcher.launch(start, &reply);
        }
    }

    fn is_full(&self) -> bool {
        self.launcher.in_flight() >= self.max_in_flight
    }

    /// The clock wakes it for what is due next; where there is no place, an end does.
    fn arm(&mut self) {
        if self.is_full() || self.ended {
            return;
        }
        if let Some(pacer) = &mut self.pacer
            && let Some(next) = self.agenda.next_at()
        {
            pacer.wake_at(self.launcher.began + next);
        }
    }

    /// Gives up what was due by now and had no place, and the rest of each session; cuts what is
    /// under way.
    fn end(&mut self) {
        self.ended = true;
        let dropped = self.agenda.give_up(self.launcher.now());
        self.launcher.drop_planned(dropped);
        self.launcher.cut();
    }

    /// A request has ended, in success or not: its session goes on, or is given up with the run.
    fn follow(&mut self, number: u64, ended: Duration) {
        if self.ended {
            let dropped = self.agenda.after(number);
            self.launcher.drop_planned(dropped);
        } else {
            self.agenda.answered(number, ended);
        }
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
        let number = answered.start.number;
        let ended = answered.ended(&self.launcher);
        if self.launcher.answered(answered) {
            self.follow(number, ended);
            // What follows at once does not wait for the clock.
            let may_follow = self.agenda.after(number) > 0;
            if !self.ended && (was_full || may_follow) {
                self.send_due(was_full);
            }
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
        let over = self.ended || self.agenda.is_empty();
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
