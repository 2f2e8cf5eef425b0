//! The clock of an open loop. A runtime's timers tick in whole milliseconds, which would be the
//! lateness of every request; a thread that sleeps is early to within a tenth of one.

use actix::{Message, Recipient};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::time::{Duration, Instant};

/// Wakes come no closer than this, so that a fast schedule costs no more than so many wakes a
/// second; what became due between two is sent together.
const NAP: Duration = Duration::from_micros(100);

/// It is time.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub(super) struct Wake;

/// A thread that keeps the time for one actor; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Pacer {
    /// The queue is short: an instant is sent a turn at most.
    instants: Sender<Instant>,
    armed: Option<Instant>,
}

impl Pacer {
    /// `None` where no thread can be had.
    pub(super) fn start(wake: Recipient<Wake>) -> Option<Self> {
        let (instants, asked) = unbounded();
        std::thread::Builder::new()
            .name("hedgerow-pacer".into())
            .spawn(move || run(&asked, &wake))
            .map_err(|cause| log::error!("no thread for the schedule: {cause}"))
            .ok()?;
        Some(Self {
            instants,
            armed: None,
        })
    }

    /// Asks for a wake. Asking again for the same instant, or one that has passed, is free.
    pub(super) fn wake_at(&mut self, at: tokio::time::Instant) {
        let at = at.into_std();
        if self.armed != Some(at) {
            self.armed = Some(at);
            // It ends with this alone.
            let _ = self.instants.send(at);
        }
    }
}

fn run(asked: &Receiver<Instant>, wake: &Recipient<Wake>) {
    let mut at: Option<Instant> = None;
    let mut last = Instant::now();
    loop {
        let next = match at {
            Some(at) => asked.recv_deadline(at.max(last + NAP)),
            None => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(instant) => at = Some(instant),
            Err(RecvTimeoutError::Timeout) => {
                at = None;
                last = Instant::now();
                wake.do_send(Wake);
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
