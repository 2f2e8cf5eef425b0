//! The learned window against simulated servers.

#![allow(
    clippy::cast_precision_loss,
    clippy::unchecked_time_subtraction,
    reason = "counts of some thousands, and a clock that only goes on"
)]

use super::scattered::Scattered;
use super::{Room, State, Window};
use crate::policy::gate::Pause;
use crate::policy::limit::{Admission, Ended, EndpointLimits, Follows, Sign};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);
/// From client to server, and back.
const WAY: Duration = Duration::from_micros(250);

/// A server that takes so many at once, for so long each, and refuses the others at once.
#[derive(Debug, Clone)]
struct Server {
    /// Capacities, each from its time on.
    capacity: Vec<(Duration, usize)>,
    latency: Duration,
    /// One in a hundred takes twenty times as long.
    heavy_tail: bool,
    /// One in so many is refused whatever else is in service.
    noise: Option<u64>,
    /// It counts a request for so long after its answer is there.
    lag: Duration,
}

impl Server {
    fn new(capacity: usize, latency: Duration) -> Self {
        Self {
            capacity: vec![(Duration::ZERO, capacity)],
            latency,
            heavy_tail: false,
            noise: None,
            lag: Duration::ZERO,
        }
    }

    fn capacity(&self, at: Duration) -> usize {
        let now = self.capacity.iter().rev().find(|(from, _)| *from <= at);
        now.expect("the first is from 0").1
    }

    /// From the sending of a request to its answer, on average.
    fn mean_time(&self) -> Duration {
        let tail = if self.heavy_tail { 0.19 } else { 0.0 };
        self.latency.mul_f64(1.0 + tail) + 2 * WAY
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives {
        operation: usize,
        sent: Duration,
        probing: bool,
    },
    Leaves,
    Answered {
        operation: usize,
        sent: Duration,
        probing: bool,
    },
    Refused {
        operation: usize,
        sent: Duration,
        probing: bool,
    },
    Wake,
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    /// When each answer came.
    served: Vec<Duration>,
    refused: Vec<Duration>,
    by_operation: BTreeMap<usize, u64>,
    times_closed: u32,
}

impl Outcome {
    fn refused_share(&self) -> f64 {
        self.refused.len() as f64 / (self.refused.len() + self.served.len()) as f64
    }

    /// Answers a second within a span.
    fn rate(&self, from: Duration, to: Duration) -> f64 {
        let within = self.served.iter().filter(|at| (from..to).contains(*at));
        within.count() as f64 / (to - from).as_secs_f64()
    }
}

struct World {
    start: Instant,
    now: Duration,
    server: Server,
    in_service: usize,
    limits: EndpointLimits,
    operations: Vec<Operation>,
    line: VecDeque<usize>,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    numbers: u64,
    woken_at: Option<Duration>,
    outcome: Outcome,
}

#[derive(Clone, Copy)]
struct Operation {
    window: usize,
    in_window: usize,
    queued: bool,
}

impl World {
    /// Operations that never run out of requests.
    fn new(server: Server, operations: usize, window: usize) -> Self {
        let start = Instant::now();
        Self {
            start,
            now: Duration::ZERO,
            server,
            in_service: 0,
            limits: EndpointLimits::new(start),
            operations: vec![
                Operation {
                    window,
                    in_window: 0,
                    queued: false
                };
                operations
            ],
            line: VecDeque::new(),
            events: BinaryHeap::new(),
            numbers: 0,
            woken_at: None,
            outcome: Outcome::default(),
        }
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.numbers += 1;
        self.events.push(Reverse((at, self.numbers, event)));
    }

    /// Any number, the same in each run.
    fn draw(&mut self) -> u64 {
        self.numbers += 1;
        let mut x = self.numbers.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x ^= x >> 29;
        x.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33
    }

    fn join(&mut self, operation: usize) {
        let state = &mut self.operations[operation];
        if !state.queued && state.in_window < state.window {
            state.queued = true;
            self.line.push_back(operation);
        }
    }

    /// Gives out what room there is, by turns.
    fn serve_line(&mut self) {
        while let Some(operation) = self.line.front().copied() {
            let probing = match self.limits.admit(self.start + self.now) {
                Admission::Go => false,
                Admission::GoAsProbe => true,
                Admission::Wait(until) => {
                    let until = until.map(|at| at - self.start);
                    if let Some(at) = until
                        && self
                            .woken_at
                            .is_none_or(|woken| woken <= self.now || at < woken)
                    {
                        self.woken_at = Some(at);
                        self.at(at, Event::Wake);
                    }
                    return;
                }
            };
            self.line.pop_front();
            self.limits.sent();
            self.operations[operation].queued = false;
            self.operations[operation].in_window += 1;
            let sent = self.now;
            self.at(
                self.now + WAY,
                Event::Arrives {
                    operation,
                    sent,
                    probing,
                },
            );
            self.join(operation);
        }
    }

    fn run(mut self, until: Duration) -> Outcome {
        for operation in 0..self.operations.len() {
            self.join(operation);
        }
        self.serve_line();
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            if at > until {
                break;
            }
            self.now = at;
            self.handle(event);
            self.serve_line();
        }
        self.outcome
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrives {
                operation,
                sent,
                probing,
            } => {
                let noisy = self
                    .server
                    .noise
                    .is_some_and(|one_in| self.draw().is_multiple_of(one_in));
                if noisy || self.in_service >= self.server.capacity(self.now) {
                    self.at(
                        self.now + WAY,
                        Event::Refused {
                            operation,
                            sent,
                            probing,
                        },
                    );
                    return;
                }
                self.in_service += 1;
                let slow = self.server.heavy_tail && self.draw().is_multiple_of(100);
                let took = self.server.latency * if slow { 20 } else { 1 };
                // Not all the same: nothing may depend on their keeping step.
                let took = took.mul_f64(0.9 + (self.draw() % 200) as f64 / 1000.0);
                self.at(
                    self.now + took,
                    Event::Answered {
                        operation,
                        sent,
                        probing,
                    },
                );
                self.at(self.now + took + self.server.lag, Event::Leaves);
            }
            Event::Leaves => self.in_service -= 1,
            Event::Answered {
                operation,
                sent,
                probing,
            } => {
                self.ended(operation, sent, probing, Sign::Served);
                self.outcome.served.push(self.now);
                *self.outcome.by_operation.entry(operation).or_default() += 1;
            }
            Event::Refused {
                operation,
                sent,
                probing,
            } => {
                let pause = Pause {
                    asked: None,
                    initial: 125 * MS,
                };
                self.ended(operation, sent, probing, Sign::TooMuch(pause));
                self.outcome.refused.push(self.now);
            }
            Event::Wake => {}
        }
    }

    fn ended(&mut self, operation: usize, sent: Duration, probing: bool, sign: Sign) {
        let took = self.now - sent;
        let now = self.start + self.now;
        let jitter = (self.draw() % 1000) as f64 / 1000.0;
        let closed = self.limits.ended(
            Ended {
                too_fast: false,
                sign,
                probing,
                took,
                path: 0,
            },
            now,
            || jitter,
        );
        self.outcome.times_closed += u32::from(closed == Follows::Outage);
        self.operations[operation].in_window -= 1;
        self.join(operation);
    }
}

#[test]
fn the_capacity_is_used_and_refusals_are_few_and_shared_alike() {
    for capacity in [1, 4, 16, 100, 1000] {
        for latency in [5 * MS, 50 * MS, 1000 * MS] {
            for (operations, window) in [(1, 128), (1, 1024), (10, 128), (10, 1024)] {
                for heavy_tail in [false, true] {
                    let server = Server {
                        heavy_tail,
                        ..Server::new(capacity, latency)
                    };
                    judge(server, operations, window);
                }
            }
        }
    }
}

fn judge(server: Server, operations: usize, window: usize) {
    let most = server.capacity(Duration::ZERO).min(window * operations);
    let ideal = most as f64 / server.mean_time().as_secs_f64();
    // So many answers and round trips that the first burst is not all there is.
    let answers = Duration::from_secs_f64(1200.0 / ideal);
    let span = (server.latency * 20).max(answers).max(300 * MS);
    let name = format!("{server:?}, {operations} operations of {window}");
    let outcome = World::new(server, operations, window).run(span);
    let goodput = outcome.rate(Duration::ZERO, span) / ideal;
    assert!(goodput >= 0.9, "{name}: goodput {goodput}");
    let refused = outcome.refused_share();
    assert!(refused <= 0.05, "{name}: refused {refused}");
    let shares = outcome.by_operation.values();
    let (least, most) = (shares.clone().min().unwrap(), shares.max().unwrap());
    assert!(least * 5 >= most * 4, "{name}: {least} to {most}");
}

#[test]
fn a_capacity_that_doubles_is_used_within_two_seconds() {
    for (capacity, latency) in [(16, 50), (100, 50), (100, 1000), (1000, 50), (64, 5)] {
        let mut server = Server::new(capacity, latency * MS);
        let change = 20_000 * MS;
        server.capacity.push((change, 2 * capacity));
        let mean = server.mean_time();
        let outcome = World::new(server, 1, 4096).run(change + 8000 * MS);
        // What was sent within the two seconds is answered a latency later.
        let from = change + 2000 * MS + mean;
        let ideal = 2.0 * capacity as f64 / mean.as_secs_f64();
        let rate = outcome.rate(from, from + 2000 * MS) / ideal;
        assert!(rate >= 0.9, "{capacity} at once, {latency} ms: {rate}");
    }
}

#[test]
fn a_capacity_that_shrinks_costs_few_refusals() {
    for (before, after) in [(1000, 500), (64, 16), (100, 1)] {
        let mut server = Server::new(before, 50 * MS);
        let change = 5000 * MS;
        server.capacity.push((change, after));
        let mean = server.mean_time();
        let outcome = World::new(server, 2, 1024).run(2 * change);
        let refused = outcome.refused.iter().filter(|at| **at >= change).count();
        let answered = outcome.served.iter().filter(|at| **at >= change).count();
        // Each of those that were too many may be refused once, and a few more.
        let bound = (before - after) + answered / 20 + 10;
        assert!(
            refused <= bound,
            "{before} to {after}: {refused} of {answered}"
        );
        let ideal = after as f64 / mean.as_secs_f64();
        let rate = outcome.rate(change + 1000 * MS, 2 * change) / ideal;
        assert!(rate >= 0.9, "{before} to {after}: {rate}");
    }
}

#[test]
fn a_server_that_counts_an_answered_request_a_moment_longer_is_used_as_well() {
    for capacity in [2, 4, 16, 64] {
        let server = Server {
            lag: MS,
            ..Server::new(capacity, 50 * MS)
        };
        let ideal = capacity as f64 / server.mean_time().as_secs_f64();
        let outcome = World::new(server, 1, 128).run(20_000 * MS);
        let rate = outcome.rate(Duration::ZERO, 20_000 * MS) / ideal;
        let refused = outcome.refused_share();
        // A small window cannot help it: whoever is sent too soon is refused.
        let (least, most) = if capacity < 16 {
            (0.5, 0.5)
        } else {
            (0.9, 0.2)
        };
        assert!(
            rate >= least && refused <= most,
            "{capacity}: {rate}, {refused}"
        );
    }
}

#[test]
fn refusals_that_have_nothing_to_do_with_the_window_do_not_close_it() {
    for one_in in [4, 10, 50, 1000] {
        let server = Server {
            noise: Some(one_in),
            ..Server::new(100_000, 50 * MS)
        };
        let ideal = 128.0 / server.mean_time().as_secs_f64();
        let outcome = World::new(server, 1, 128).run(20_000 * MS);
        let rate = outcome.rate(Duration::ZERO, 20_000 * MS) / ideal;
        assert!(rate >= 0.85, "one in {one_in}: {rate}");
    }
}

#[test]
fn a_window_grows_once_the_refusals_that_had_nothing_to_do_with_it_have_ended() {
    let start = Instant::now();
    let mut window = Window::new();
    window.state = State::Scattered(Scattered::for_test(40));
    let mut in_flight = 0;
    for _ in 0..20_000 {
        while window.room(start) == Room::Free && in_flight < 1024 {
            window.sent();
            in_flight += 1;
        }
        window.ended();
        window.served(Duration::ZERO, start);
        in_flight -= 1;
    }
    assert!(in_flight >= 1000, "{in_flight}");
}

#[test]
fn an_endpoint_that_refuses_nothing_is_soon_sent_all_that_there_is() {
    for window in [8, 128, 1024] {
        let server = Server::new(100_000, 1000 * MS);
        let outcome = World::new(server, 1, window).run(1200 * MS);
        assert_eq!(outcome.served.len(), window);
        let took = *outcome.served.last().unwrap();
        assert!(took <= 1160 * MS, "{window}: {took:?}");
        assert!(outcome.refused.is_empty());
    }
}
