//! The pacer before servers of every kind, without a socket: what is refused, and what is served of
//! that which could be.

use super::{Allowance, Hold, Mark, Pacer, RateReport, Rates};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// How a server counts. Times are seconds from the beginning.
#[derive(Debug, Clone)]
enum Server {
    /// A bucket that holds `capacity` and is refilled evenly.
    Bucket {
        rate: f64,
        capacity: f64,
        level: f64,
        at: f64,
    },
    /// So many a window; windows begin at its multiples.
    Fixed {
        limit: f64,
        window: f64,
        used: f64,
        number: f64,
    },
    /// So many in any span of a window's length.
    Sliding {
        limit: f64,
        window: f64,
        taken: VecDeque<(f64, f64)>,
        used: f64,
    },
}

impl Server {
    fn bucket(rate: f64, seconds: f64) -> Self {
        let capacity = (rate * seconds).max(1.0);
        Self::Bucket {
            rate,
            capacity,
            level: capacity,
            at: 0.0,
        }
    }

    fn fixed(rate: f64, window: f64) -> Self {
        Self::Fixed {
            limit: rate * window,
            window,
            used: 0.0,
            number: 0.0,
        }
    }

    fn sliding(rate: f64, window: f64) -> Self {
        Self::Sliding {
            limit: rate * window,
            window,
            taken: VecDeque::new(),
            used: 0.0,
        }
    }

    /// Whether it serves a request that weighs so much; what remains then, and when all is whole.
    fn arrives(&mut self, now: f64, weight: f64) -> (bool, f64, f64) {
        match self {
            Self::Bucket {
                rate,
                capacity,
                level,
                at,
            } => {
                *level = (*level + (now - *at) * *rate).min(*capacity);
                *at = now;
                let served = *level >= weight.min(*capacity);
                *level -= if served { weight } else { 0.0 };
                (served, level.max(0.0), (*capacity - *level) / *rate)
            }
            Self::Fixed {
                limit,
                window,
                used,
                number,
            } => {
                if (now / *window).floor() > *number {
                    (*number, *used) = ((now / *window).floor(), 0.0);
                }
                let served = *used + weight <= *limit;
                *used += if served { weight } else { 0.0 };
                (served, *limit - *used, (*number + 1.0) * *window - now)
            }
            Self::Sliding {
                limit,
                window,
                taken,
                used,
            } => {
                while let Some((_, old)) = taken.pop_front_if(|(at, _)| *at + *window <= now) {
                    *used -= old;
                }
                let served = *used + weight <= *limit;
                if served {
                    taken.push_back((now, weight));
                    *used += weight;
                }
                let next = taken.front().map_or(0.0, |(at, _)| at + *window - now);
                (served, *limit - *used, next)
            }
        }
    }
}

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

#[derive(Debug)]
struct Run {
    attempts: usize,
    refused: usize,
    served: f64,
    /// Refused of those that were sent before the first answer came.
    cold: usize,
}

impl Run {
    fn refused_share(&self) -> f64 {
        (self.refused - self.cold) as f64 / self.attempts.max(1) as f64
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
    fn run(mut self) -> Run {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut rng = StdRng::seed_from_u64(7);
        let mut pacer = Pacer::new();
        let mut events = BinaryHeap::from([Reverse(Ordered(0.0, 0, Event::Again))]);
        let mut made = 0;
        let mut requests: Vec<Sent> = Vec::new();
        let mut in_flight = 0;
        let mut waits_until = 0.0;
        let mut run = Run {
            attempts: 0,
            refused: 0,
            served: 0.0,
            cold: 0,
        };
        let mut first_answer = None;
        let mut next = None;
        while let Some(Reverse(Ordered(now, _, event))) = events.pop() {
            if now > self.seconds {
                break;
            }
            let mut add = |time: f64, event| {
                made += 1;
                events.push(Reverse(Ordered(time, made, event)));
            };
            match event {
                Event::Arrive(number) => {
                    let weight = requests[number].weight;
                    let (served, remaining, reset) = self.server.arrives(now, weight);
                    requests[number].answer = Some((served, self.allowance((remaining, reset))));
                    let takes = if served { self.latency } else { 0.001 };
                    add(
                        now + takes * rng.random_range(0.9..1.5),
                        Event::Answer(number),
                    );
                    continue;
                }
                Event::Free => in_flight -= 1,
                Event::Answer(number) => {
                    let sent = &requests[number];
                    let (served, allowance) = sent.answer.expect("it arrived");
                    let first = *first_answer.get_or_insert(at(now));
                    let report = allowance.map(|allowance| match self.tokens {
                        Some(_) => RateReport {
                            requests: None,
                            tokens: Some(allowance),
                        },
                        None => RateReport {
                            requests: Some(allowance),
                            tokens: None,
                        },
                    });
                    if let Some(report) = &report {
                        pacer.learn(at(now), sent.mark, sent.weight * self.counted_as, report);
                    }
                    if served {
                        in_flight -= 1;
                        run.served += sent.weight;
                    } else {
                        run.cold += usize::from(sent.mark.at <= first);
                        add(now + 0.1, Event::Free);
                        run.refused += 1;
                        let counted = sent.weight * self.counted_as;
                        pacer.refused(at(now), sent.mark, counted, report.as_ref());
                    }
                }
                // An earlier time has taken its place.
                Event::Again if waits_until > now => continue,
                Event::Again => {}
            }
            while in_flight < self.window {
                let tokens = *next.get_or_insert_with(|| {
                    let mean = self.tokens.unwrap_or_default();
                    mean * rng.random_range(0.2..1.8)
                });
                let counted = tokens * self.counted_as;
                match pacer.admit(at(now), counted, self.rates) {
                    Ok(()) => {
                        next = None;
                        let mark = pacer.sent(at(now), counted);
                        requests.push(Sent {
                            mark,
                            weight: if self.tokens.is_some() { tokens } else { 1.0 },
                            answer: None,
                        });
                        run.attempts += 1;
                        in_flight += 1;
                        let way = rng.random_range(0.0005..0.003);
                        add(now + way, Event::Arrive(requests.len() - 1));
                    }
                    Err(Hold { until, .. }) => {
                        let until = (until - start).as_secs_f64();
                        // Timers have a resolution of a millisecond.
                        let until = (until * 1000.0).ceil() / 1000.0;
                        assert!(until >= now, "{until} is before {now}");
                        if waits_until <= now || until < waits_until {
                            waits_until = until;
                            add(until.max(now + 0.0005), Event::Again);
                        }
                        break;
                    }
                }
            }
        }
        run
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
