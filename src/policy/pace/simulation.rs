//! The pacer before servers of every kind, without a socket: what is refused, and what is served of
//! that which could be.

mod server;

use super::{Allowance, Mark, Pacer, RateReport, Rates};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use server::Server;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;
use tokio::time::Instant;

/// What the server says in headers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Says {
    Nothing,
    /// `remaining` alone, as Azure and Jina.
    Remaining,
    /// All three; the limit of a minute, the reset exact or in whole seconds.
    All {
        whole_seconds: bool,
    },
}

#[derive(Debug, Clone)]
struct Scene {
    server: Server,
    says: Says,
    /// Requests or tokens a second that the server allows in the long run.
    rate: f64,
    rates: Rates,
    window: usize,
    latency: f64,
    seconds: f64,
    /// The mean tokens of a request, where they are what the server counts; and what the client takes
    /// them for.
    tokens: Option<f64>,
    counted_as: f64,
}

#[derive(Debug, Default)]
struct Run {
    attempts: f64,
    refused: f64,
    served: f64,
    /// Refused of those that were sent before the first answer came.
    cold: f64,
}

impl Run {
    fn refused_share(&self) -> f64 {
        (self.refused - self.cold) / self.attempts
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    /// A request comes to the server.
    Arrive(usize),
    /// Its answer comes back.
    Answer(usize),
    /// What was refused has waited.
    Free,
    /// The pacer, or a pause, said to ask again now.
    Again,
}

struct Ordered(f64, u64, Event);

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    mark: Mark,
    weight: f64,
    answer: Option<(bool, Option<Allowance>)>,
}

impl Scene {
    fn allowance(&self, (remaining, reset): (f64, f64)) -> Option<Allowance> {
        let remaining = remaining.floor();
        match self.says {
            Says::Nothing => None,
            Says::Remaining => Some(Allowance {
                remaining,
                limit: None,
                period: None,
                reset: None,
            }),
            Says::All { whole_seconds } => Some(Allowance {
                remaining,
                limit: Some(self.rate * 60.0),
                period: Some(Duration::from_mins(1)),
                reset: Some(Duration::from_secs_f64(if whole_seconds {
                    reset.ceil()
                } else {
                    reset
                })),
            }),
        }
    }

    /// A client with a window, and requests without end.
    fn run(self) -> Run {
        let seconds = self.seconds;
        let mut client = Client::new(self);
        while let Some(Reverse(Ordered(now, _, event))) = client.events.pop() {
            if now > seconds {
                break;
            }
            client.on(now, event);
        }
        client.run
    }
}

struct Client {
    scene: Scene,
    start: Instant,
    rng: StdRng,
    pacer: Pacer,
    events: BinaryHeap<Reverse<Ordered>>,
    /// Events so far.
    made: u64,
    requests: Vec<Sent>,
    in_flight: usize,
    /// The tokens of the next request.
    next: Option<f64>,
    waits_until: f64,
    first_answer: Option<Instant>,
    run: Run,
}

impl Client {
    fn new(scene: Scene) -> Self {
        Self {
            scene,
            start: Instant::now(),
            rng: StdRng::seed_from_u64(7),
            pacer: Pacer::new(),
            events: BinaryHeap::from([Reverse(Ordered(0.0, 0, Event::Again))]),
            made: 0,
            requests: Vec::new(),
            in_flight: 0,
            next: None,
            waits_until: 0.0,
            first_answer: None,
            run: Run::default(),
        }
    }

    fn at(&self, seconds: f64) -> Instant {
        self.start + Duration::from_secs_f64(seconds)
    }

    fn add(&mut self, time: f64, event: Event) {
        self.made += 1;
        self.events.push(Reverse(Ordered(time, self.made, event)));
    }

    fn on(&mut self, now: f64, event: Event) {
        match event {
            Event::Arrive(number) => return self.arrive(now, number),
            // An earlier time has taken its place.
            Event::Again if self.waits_until > now => return,
            Event::Again => {}
            Event::Free => self.in_flight -= 1,
            Event::Answer(number) => self.answer(now, number),
        }
        while self.in_flight < self.scene.window && self.send(now) {}
    }

    fn arrive(&mut self, now: f64, number: usize) {
        let weight = self.requests[number].weight;
        let (served, remaining, reset) = self.scene.server.arrives(now, weight);
        let allowance = self.scene.allowance((remaining, reset));
        self.requests[number].answer = Some((served, allowance));
        let takes = if served { self.scene.latency } else { 0.001 };
        let takes = takes * self.rng.random_range(0.9..1.5);
        self.add(now + takes, Event::Answer(number));
    }

    fn answer(&mut self, now: f64, number: usize) {
        let at = self.at(now);
        let Sent {
            mark,
            weight,
            answer,
        } = self.requests[number];
        let (served, allowance) = answer.expect("it arrived");
        let first = *self.first_answer.get_or_insert(at);
        let report = allowance.map(|allowance| {
            let tokens = self.scene.tokens.map(|_| allowance);
            RateReport {
                requests: tokens.is_none().then_some(allowance),
                tokens,
            }
        });
        let counted = weight * self.scene.counted_as;
        if let Some(report) = &report {
            self.pacer.learn(at, mark, counted, report);
        }
        if served {
            self.in_flight -= 1;
            self.run.served += weight;
        } else {
            self.run.refused += 1.0;
            self.run.cold += f64::from(u8::from(mark.at <= first));
            self.add(now + 0.1, Event::Free);
            self.pacer.refused(at, mark, counted, report.as_ref());
        }
    }

    /// Sends a request, if the pacer lets it.
    fn send(&mut self, now: f64) -> bool {
        let mean = self.scene.tokens.unwrap_or_default();
        let share = self.rng.random_range(0.2..1.8);
        let tokens = *self.next.get_or_insert(mean * share);
        let counted = tokens * self.scene.counted_as;
        let at = self.at(now);
        if let Err(hold) = self.pacer.admit(at, counted, self.scene.rates) {
            // Timers have a resolution of a millisecond.
            let until = (hold.until - self.start).as_secs_f64();
            let until = (until * 1000.0).ceil() / 1000.0;
            assert!(until >= now, "{until} is before {now}");
            if self.waits_until <= now || until < self.waits_until {
                self.waits_until = until;
                self.add(until.max(now + 0.0005), Event::Again);
            }
            return false;
        }
        self.next = None;
        self.requests.push(Sent {
            mark: self.pacer.sent(at, counted),
            weight: self.scene.tokens.map_or(1.0, |_| tokens),
            answer: None,
        });
        self.run.attempts += 1.0;
        self.in_flight += 1;
        let way = self.rng.random_range(0.0005..0.003);
        self.add(now + way, Event::Arrive(self.requests.len() - 1));
        true
    }
}

const WHOLE: Says = Says::All {
    whole_seconds: true,
};
const EXACT: Says = Says::All {
    whole_seconds: false,
};

fn scene(server: Server, rate: f64, says: Says) -> Scene {
    Scene {
        server,
        says,
        rate,
        rates: Rates::default(),
        window: 256,
        latency: 0.05,
        seconds: 185.0,
        tokens: None,
        counted_as: 1.0,
    }
}

/// Servers that count over a second or a minute.
fn servers(rate: f64) -> [Server; 4] {
    [
        Server::bucket(rate, 1.0),
        Server::bucket(rate, 60.0),
        Server::fixed(rate, 60.0),
        Server::sliding(rate, 60.0),
    ]
}

/// Runs a scene, and holds it to a share that is refused, beside what was sent before any answer came,
/// and to a share of the server's rate that is served.
fn check(scene: Scene, refused: f64, served: f64) {
    let told = format!("{scene:?}");
    let ideal = scene.rate * scene.seconds;
    let run = scene.run();
    assert!(run.refused_share() <= refused, "{run:?} of {told}");
    assert!(run.served >= served * ideal, "{run:?} of {told}");
}

#[test]
fn at_a_known_rate_hardly_any_request_is_refused() {
    for rate in [1.0, 10.0, 200.0] {
        for server in servers(rate) {
            for (latency, window) in [(0.05, 256), (1.0, 1024)] {
                let mut scene = scene(server.clone(), rate, Says::Nothing);
                (scene.latency, scene.window) = (latency, window);
                scene.rates.requests_per_minute = Some(60.0 * rate);
                check(scene, 0.005, 0.95);
            }
        }
    }
}

#[test]
fn at_a_known_rate_of_tokens_hardly_any_request_is_refused() {
    for server in servers(20_000.0) {
        let mut scene = scene(server, 20_000.0, Says::Nothing);
        scene.tokens = Some(200.0);
        scene.rates.tokens_per_minute = Some(60.0 * 20_000.0);
        check(scene, 0.005, 0.95);
    }
}

#[test]
fn a_rate_is_learned_from_any_header() {
    for says in [Says::Remaining, WHOLE, EXACT] {
        for rate in [10.0, 200.0] {
            for server in servers(rate) {
                check(scene(server, rate, says), 0.05, 0.89);
            }
        }
    }
}

#[test]
fn a_rate_is_learned_over_long_latencies() {
    for says in [WHOLE, EXACT] {
        for rate in [10.0, 200.0] {
            for server in servers(rate) {
                let mut scene = scene(server, rate, says);
                (scene.latency, scene.window) = (1.0, 1024);
                check(scene, 0.05, 0.95);
            }
        }
    }
}

#[test]
fn a_rate_of_tokens_is_learned_though_they_are_miscounted() {
    for counted_as in [0.8, 1.0, 1.6] {
        for says in [Says::Remaining, WHOLE, EXACT] {
            for server in servers(20_000.0) {
                let mut scene = scene(server, 20_000.0, says);
                (scene.tokens, scene.counted_as) = (Some(200.0), counted_as);
                check(scene, 0.05, 0.9);
            }
        }
    }
}

/// Windows of a second end about when an answer comes: less of them is used, and more is refused.
#[test]
fn windows_of_a_second_are_learned_as_well() {
    for (server, served) in [
        (Server::fixed(200.0, 1.0), 0.88),
        (Server::sliding(200.0, 1.0), 0.8),
    ] {
        for says in [WHOLE, EXACT] {
            check(scene(server.clone(), 200.0, says), 0.08, served);
        }
    }
}
