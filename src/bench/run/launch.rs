//! What both kinds of load share: a request goes to the Dispatcher as a job of its own, and its end
//! comes back as a message and becomes a sample.

use super::recorder::Record;
use crate::actor::Entrance;
use crate::bench::answer::Measured;
use crate::bench::measure::{FailureKind, Sample};
use crate::bench::request::Workload;
use crate::caller::{Cancel, OperationId, Reason};
use crate::config::Checked;
use crate::error::Error;
use crate::job::{End, Gather, Job, Part, RequestError, RequestRecord};
use crate::policy::hedge::{Delays, HedgeDelay, HedgePlan};
use crate::policy::pieces::Requests;
use actix::{Message, Recipient};
use rustc_hash::FxHashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What the actors that make load are told from outside.
#[derive(Message, Debug, Clone, Copy, PartialEq, Eq)]
#[rtype(result = "()")]
pub(super) enum Conduct {
    /// Begin.
    Begin(Instant),
    /// Look at the clock: the level may have changed, or the run be over.
    Look,
    /// Tell the Recorder what has not been told yet.
    Tell,
    /// The run is over: cut what is under way.
    End,
}

/// What an actor that made load tells when it has done all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Done {
    /// Places of the schedule that were taken: by a request that was sent, or in vain.
    pub(super) planned: u64,
}

/// One request that is to be started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) user: u32,
    /// Says which request of the workload it is.
    pub(super) number: u64,
    pub(super) scheduled: Duration,
}

/// A request has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Answered {
    pub(super) id: OperationId,
    pub(super) start: Start,
    outcome: Result<Box<Measured>, Error>,
    attempts: u32,
    /// From its first attempt's start.
    time: Duration,
}

impl Answered {
    /// When its last byte was read; of a failure, now. From the run's start.
    pub(super) fn ended(&self, launcher: &Launcher) -> Duration {
        match &self.outcome {
            Ok(measured) => measured.ended.saturating_duration_since(launcher.began),
            Err(_) => launcher.now(),
        }
    }
}

/// Sends requests for an actor, and makes samples of their ends.
pub(super) struct Launcher {
    pub(super) entrance: Entrance,
    pub(super) cancel: Recipient<Cancel>,
    pub(super) record: Recipient<Record>,
    pub(super) workload: Arc<Workload>,
    pub(super) settings: Arc<Checked>,
    pub(super) warmup: Duration,
    pub(super) began: Instant,
    in_flight: FxHashSet<OperationId>,
    hedging: Option<Hedging>,
    turn: Record,
    planned: u64,
}

/// Hedging after a quantile of what the run's requests took: each request is an operation of its
/// own, whose own requests would say nothing. In a closed loop with several threads each learns from
/// its own share of them.
struct Hedging {
    plan: HedgePlan,
    delays: Delays,
}

impl Hedging {
    /// The plan of requests from now on, where it has changed by one that took so long.
    fn learn(&mut self, time: Duration) -> Option<HedgePlan> {
        let before = self.delays.delay();
        self.delays.record(time);
        let delay = self.delays.delay().filter(|now| before != Some(*now))?;
        let delay = HedgeDelay::Fixed(delay);
        Some(HedgePlan { delay, ..self.plan })
    }
}

impl Launcher {
    pub(super) fn new(
        (entrance, cancel): (Entrance, Recipient<Cancel>),
        record: Recipient<Record>,
        workload: Arc<Workload>,
        mut settings: Checked,
        warmup: Duration,
    ) -> Self {
        let by_quantile = |plan: &mut HedgePlan| matches!(plan.delay, HedgeDelay::Quantile(_));
        let hedging = settings.hedge.take_if(by_quantile).map(|plan| Hedging {
            plan,
            delays: Delays::new(plan.delay),
        });
        Self {
            entrance,
            cancel,
            record,
            workload,
            settings: Arc::new(settings),
            warmup,
            began: Instant::now(),
            in_flight: FxHashSet::default(),
            hedging,
            turn: Record::default(),
            planned: 0,
        }
    }

    /// Since the run's start.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    pub(super) fn done(&self) -> Done {
        Done {
            planned: self.planned,
        }
    }

    /// Sends a request to the Dispatcher, as a client does.
    pub(super) fn launch(&mut self, start: Start, reply: &Reply) {
        let id = OperationId::next();
        self.in_flight.insert(id);
        self.planned += 1;
        let port = Port {
            id,
            start,
            attempts: 0,
            time: Duration::ZERO,
            outcome: None,
            reply: Arc::clone(reply),
        };
        let operation = self.workload.request(start.number);
        let job = Job::without_ports(operation, Box::new(port), Arc::clone(&self.settings));
        if let Err(refused) = self.entrance.submit(id, job) {
            let end = End::Failed(self.entrance.overloaded());
            refused.gather.finish(end, None, Duration::ZERO);
        }
    }

    /// The client turned to a request so late.
    pub(super) fn late(&mut self, lag: Duration) {
        self.turn.lags.push(lag);
    }

    /// Places of the schedule that are given up.
    pub(super) fn drop_planned(&mut self, places: u64) {
        self.planned += places;
        self.turn.dropped += places;
    }

    /// Makes a sample of an end. Says whether one was still waited for.
    pub(super) fn answered(&mut self, answered: Answered) -> bool {
        if !self.in_flight.remove(&answered.id) {
            return false;
        }
        if let Some(hedging) = &mut self.hedging
            && answered.outcome.is_ok()
            && let Some(plan) = hedging.learn(answered.time)
        {
            // Requests under way keep the settings that they began with.
            self.settings = Arc::new(Checked {
                hedge: Some(plan),
                ..(*self.settings).clone()
            });
        }
        let sample = self.sample(answered);
        self.turn.samples.push(sample);
        true
    }

    fn sample(&self, answered: Answered) -> Sample {
        let Answered {
            start,
            outcome,
            attempts,
            ..
        } = answered;
        let since = |at: Instant| at.saturating_duration_since(self.began);
        let started = Sample {
            attempts,
            warmup: start.scheduled < self.warmup,
            ..Sample::started(start.user, start.scheduled)
        };
        match outcome {
            Ok(measured) => Sample {
                sent: since(measured.sent),
                ended: since(measured.ended),
                first_byte: Some(since(measured.first_byte)),
                first_token: measured.first_token.map(since),
                first_reasoning: measured.first_reasoning.map(since),
                token_gaps: measured.token_gaps,
                chunk_gaps: measured.chunk_gaps,
                prompt_tokens: measured.tokens.prompt,
                completion_tokens: measured.tokens.completion,
                tokens_estimated: measured.tokens.estimated,
                bytes: measured.bytes,
                ..started
            },
            Err(error) => Sample {
                ended: self.now(),
                outcome: Err(kind_of(&error)),
                error: Some(error.to_string()),
                ..started
            },
        }
    }

    /// Whether so much is to be told that a message is worth it.
    pub(super) fn has_much_to_tell(&self) -> bool {
        const MUCH: usize = 32;
        self.turn.samples.len() >= MUCH
    }

    /// What was collected goes to the recorder in one message.
    pub(super) fn flush(&mut self) {
        if !self.turn.is_empty() {
            let turn = std::mem::take(&mut self.turn);
            // The next message is likely to be as long.
            self.turn.samples.reserve(turn.samples.len());
            self.record.do_send(turn);
        }
    }

    /// Cuts what is under way. The ends of what is cut come as any other.
    pub(super) fn cut(&self) {
        for id in &self.in_flight {
            self.cancel.do_send(Cancel {
                id: *id,
                reason: Reason::Cancelled,
            });
        }
    }
}

fn kind_of(error: &Error) -> FailureKind {
    match error.status() {
        Some(code) => FailureKind::Status(code),
        None if error.is_timeout() => FailureKind::Timeout,
        None if error.is_connect() => FailureKind::Connect,
        None if error.is_network() => FailureKind::Network,
        None if error.is_answer() => FailureKind::Answer,
        None if error.is_cancelled() || error.is_closed() => FailureKind::Cancelled,
        None => FailureKind::Other,
    }
}

/// Where ends go. Shared: a recipient of its own would cost each request an allocation.
pub(super) type Reply = Arc<Recipient<Answered>>;

/// The reply port of a request: its end is a message to the actor that started it.
struct Port {
    id: OperationId,
    start: Start,
    attempts: u32,
    time: Duration,
    outcome: Option<Result<Box<Measured>, Error>>,
    reply: Reply,
}

impl Gather for Port {
    fn planned(&mut self, _: usize) {}

    fn accept(&mut self, _: usize, part: Part, record: RequestRecord) -> Result<(), String> {
        match part {
            Part::Other(measured) => {
                let measured = measured.downcast::<Measured>();
                let measured = measured.map_err(|_| "a part that is no measurement".to_owned())?;
                self.attempts = record.attempts;
                self.time = record.time;
                self.outcome = Some(Ok(measured));
                Ok(())
            }
            other => Err(other.is_no("measurement")),
        }
    }

    fn failed(&mut self, failed: RequestError, attempts: u32) {
        self.attempts = attempts;
        self.outcome = Some(Err(failed.error));
    }

    fn cut_off(&mut self, attempts: u32) {
        self.attempts = attempts;
    }

    fn finish(self: Box<Self>, end: End, _: Option<&Requests>, _: Duration) {
        let outcome = match (self.outcome, end) {
            (Some(outcome), _) => outcome,
            (None, End::Failed(error) | End::CutShort(error)) => Err(error),
            (None, End::Done) => Err(Error::config("a request ended without an end")),
        };
        self.reply.do_send(Answered {
            id: self.id,
            start: self.start,
            outcome,
            attempts: self.attempts,
            time: self.time,
        });
    }

    fn is_abandoned(&self) -> bool {
        false
    }
}
