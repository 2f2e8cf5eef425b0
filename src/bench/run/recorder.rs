//! Recorder: owns what is kept of a run.

use crate::bench::measure::{Live, Recording, Sample};
use crate::caller::ReplyPort;
use actix::{Actor, Context, Handler, Message};
use std::time::Duration;

/// Keeps what a run gives. Its mailbox is bounded by the requests in flight: a sample comes of each
/// request that ended, and those of a turn come together.
pub(super) struct Recorder {
    pub(super) recording: Recording,
}

impl Actor for Recorder {
    type Context = Context<Self>;
}

/// What happened in one turn of an actor that makes load.
#[derive(Message, Debug, Default)]
#[rtype(result = "()")]
pub(super) struct Record {
    pub(super) samples: Vec<Sample>,
    pub(super) lags: Vec<Duration>,
    pub(super) dropped: u64,
}

impl Record {
    pub(super) fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.lags.is_empty() && self.dropped == 0
    }
}

impl Handler<Record> for Recorder {
    type Result = ();

    fn handle(&mut self, record: Record, _: &mut Self::Context) {
        for sample in &record.samples {
            self.recording.record(sample);
        }
        for lag in record.lags {
            self.recording.record_lag(lag);
        }
        self.recording.drop_planned(record.dropped);
    }
}

/// Tell what a display shows.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Peek {
    pub(super) now: Duration,
    pub(super) reply: ReplyPort<Live>,
}

impl Handler<Peek> for Recorder {
    type Result = ();

    fn handle(&mut self, Peek { now, reply }: Peek, _: &mut Self::Context) {
        reply.send(self.recording.live(now));
    }
}

/// Give all that was kept.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Take(pub(super) ReplyPort<Recording>);

impl Handler<Take> for Recorder {
    type Result = ();

    fn handle(&mut self, Take(reply): Take, _: &mut Self::Context) {
        let empty = Recording::new(Vec::new());
        reply.send(std::mem::replace(&mut self.recording, empty));
    }
}
