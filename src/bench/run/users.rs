//! Users: the closed loop. Each has one request under way, and sends the next when it has ended, and
//! its user has thought about it.
//!
//! One actor holds them all: what ends in one turn is recorded by one message, where an actor a user
//! would send one each. Measured with 256 users and small posts, an actor a user costs 4 % more CPU a
//! request (6.8 against 6.5 us; 5 of 6 interleaved pairs), and a mailbox a user. Where a run has
//! several threads, each has its share of the users, and a system of its own that they send by:
//! of a request only its sample passes between threads, together with others.

use super::launch::{Answered, Conduct, Done, Launcher, Reply, Start};
use super::pacer::{Pacer, Wake};
use crate::bench::plan::ClosedLoad;
use crate::policy::timers::Timers;
use actix::{Actor, AsyncContext, Context, Handler, Message};
use crossbeam_channel::Sender;
use std::time::Duration;

/// Which users an actor holds: every `of`-th from `first`, so that all shares grow with a level.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) first: u32,
    pub(super) of: u32,
}

/// The users of a run, or a share of them.
pub(super) struct Users {
    launcher: Launcher,
    load: ClosedLoad,
    share: Share,
    /// How many requests each of the share has started, and whether one is under way.
    states: Vec<State>,
    /// Users who think, by when they will have thought. They are busy meanwhile.
    thinking: Timers<Duration, u32>,
    pacer: Option<Pacer>,
    reply: Option<Reply>,
    /// Told once, when all have done all.
    done: Option<Sender<Done>>,
    ending: bool,
    flushing: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    started: u64,
    busy: bool,
}

impl Users {
    pub(super) fn new(
        launcher: Launcher,
        load: ClosedLoad,
        share: Share,
        done: Sender<Done>,
    ) -> Self {
        Self {
            launcher,
            states: share.users(load.users).map(|_| State::default()).collect(),
            share,
            load,
            thinking: Timers::new(),
            pacer: None,
            reply: None,
            done: Some(done),
            ending: false,
            flushing: false,
        }
    }

    /// Lets a user who has nothing under way start a request, if it may.
    fn start(&mut self, user: u32, now: Duration) {
        let state = &mut self.states[self.share.place(user)];
        if state.busy || self.ending || !self.load.lets(user, state.started, now) {
            return;
        }
        let Some(reply) = &self.reply else { return };
        let number = state.started * u64::from(self.load.users) + u64::from(user);
        state.started += 1;
        state.busy = true;
        let start = Start {
            user,
            number,
            scheduled: now,
        };
        self.launcher.launch(start, reply);
    }

    /// A request was answered: its user thinks, or sends the next at once.
    fn follow(&mut self, user: u32, ended: Duration) {
        if self.load.think.is_zero() {
            self.states[self.share.place(user)].busy = false;
            self.start(user, self.launcher.now());
        } else {
            self.thinking.add(ended + self.load.think, user);
            self.arm();
        }
    }

    /// Those who have thought send their next requests, which were due when they had.
    fn end_thoughts(&mut self) {
        let now = self.launcher.now();
        while let Some(due) = self.thinking.earliest()
            && let Some(user) = self.thinking.pop_due(now)
        {
            let before = self.launcher.in_flight();
            self.states[self.share.place(user)].busy = false;
            self.start(user, due);
            if self.launcher.in_flight() > before && due >= self.launcher.warmup {
                self.launcher.late(now.saturating_sub(due));
            }
        }
        self.arm();
    }

    fn arm(&mut self) {
        if let Some(pacer) = &mut self.pacer
            && let Some(next) = self.thinking.earliest()
        {
            pacer.wake_at(self.launcher.began + next);
        }
    }

    fn start_all(&mut self) {
        let now = self.launcher.now();
        for user in self.share.users(self.load.users) {
            self.start(user, now);
        }
    }

    /// Whether nothing is under way, and nothing will be.
    fn is_done(&self) -> bool {
        if self.launcher.in_flight() > 0 {
            return false;
        }
        let all = |most| self.states.iter().all(|state| state.started >= most);
        self.ending
            || (self.load.until).is_some_and(|until| self.launcher.now() >= until)
            || self.load.per_user.is_some_and(all)
    }

    fn end_turn(&mut self, context: &mut Context<Self>) {
        if !self.flushing {
            self.flushing = true;
            context.address().do_send(TurnEnd);
        }
    }
}

impl Share {
    /// The users that belong to it, of so many.
    fn users(self, all: u32) -> impl Iterator<Item = u32> {
        (self.first..all).step_by(self.of as usize)
    }

    /// The place of one of its users among them.
    fn place(self, user: u32) -> usize {
        (user / self.of) as usize
    }
}

impl ClosedLoad {
    /// Whether a user who has started so many requests may start another.
    fn lets(&self, user: u32, started: u64, now: Duration) -> bool {
        self.per_user.is_none_or(|most| started < most)
            && self.until.is_none_or(|until| now < until)
            && self
                .levels
                .as_ref()
                .is_none_or(|levels| f64::from(user) < levels.level(now).round())
    }
}

impl Actor for Users {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.reply = Some(Reply::new(context.address().recipient()));
        if !self.load.think.is_zero() {
            self.pacer = Pacer::start(context.address().recipient());
        }
    }
}

impl Handler<Conduct> for Users {
    type Result = ();

    fn handle(&mut self, conduct: Conduct, context: &mut Self::Context) {
        match conduct {
            Conduct::Begin(at) => {
                self.launcher.began = at;
                self.start_all();
            }
            Conduct::Look => self.start_all(),
            Conduct::Tell => self.launcher.flush(),
            Conduct::End => {
                self.ending = true;
                self.launcher.cut();
            }
        }
        self.end_turn(context);
    }
}

impl Handler<Answered> for Users {
    type Result = ();

    fn handle(&mut self, answered: Answered, context: &mut Self::Context) {
        let user = answered.start.user;
        let ended = answered.ended(&self.launcher);
        if self.launcher.answered(answered) {
            self.follow(user, ended);
        }
        self.end_turn(context);
    }
}

impl Handler<Wake> for Users {
    type Result = ();

    fn handle(&mut self, _: Wake, context: &mut Self::Context) {
        self.end_thoughts();
        self.end_turn(context);
    }
}

/// The turn is over.
#[derive(Message)]
#[rtype(result = "()")]
struct TurnEnd;

impl Handler<TurnEnd> for Users {
    type Result = ();

    fn handle(&mut self, _: TurnEnd, _: &mut Self::Context) {
        self.flushing = false;
        let is_done = self.is_done();
        if is_done || self.launcher.has_much_to_tell() {
            self.launcher.flush();
        }
        if is_done && let Some(done) = self.done.take() {
            // A run that is gone does not mind.
            let _ = done.send(self.launcher.done());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::plan::{Levels, Stage};

    #[test]
    fn shares_hold_each_user_once() {
        let share = |first| Share { first, of: 3 }.users(8).collect::<Vec<_>>();
        assert_eq!(share(0), [0, 3, 6]);
        assert_eq!(share(1), [1, 4, 7]);
        assert_eq!(share(2), [2, 5]);
    }

    #[test]
    fn a_user_goes_on_for_its_requests_its_time_and_its_level() {
        let second = Duration::from_secs(1);
        let load = ClosedLoad {
            users: 10,
            per_user: Some(2),
            until: Some(second),
            levels: Some(Levels(vec![Stage {
                from: 0.0,
                to: 10.0,
                span: second,
            }])),
            think: Duration::ZERO,
        };
        assert!(load.lets(4, 1, second / 2));
        assert!(!load.lets(4, 2, second / 2), "all requests are made");
        assert!(!load.lets(5, 0, second / 2), "not yet its turn");
        assert!(!load.lets(0, 0, second), "the time is over");
    }
}
