//! The simulated network: what goes wrong there, and what it saw of each operation.

use super::plan::{OPERATION, Plan};
use super::run::Told;
use crate::support::fake::{Answer, MS, REQUEST_ID, Script, own_header};
use hedgerow::transport::{Request, TransportError};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Of one operation in so many, every other exchange breaks.
const STORM: usize = 8;

/// A network on which seven requests of ten go well.
pub(super) struct Weather {
    dice: Mutex<StdRng>,
    seen: Mutex<HashMap<Trace, Seen>>,
    /// When the latest Worker died.
    death: Mutex<Option<Instant>>,
}

/// What the ids of an operation's requests begin with.
type Trace = String;

/// What the network saw of one operation.
#[derive(Default)]
struct Seen {
    operation: usize,
    /// The requests, and how many attempts of each are in flight.
    requests: HashMap<u32, u32>,
    /// When the latest attempt ended.
    ended: Option<Instant>,
    /// The attempts of all requests.
    attempts: HashSet<(u32, u32)>,
    /// Those that began while another of their request was in flight.
    twins: usize,
    /// What should not have been seen.
    wrong: Vec<String>,
    /// The most requests that were in flight at once.
    window: usize,
    /// Answers after which another attempt is no charge to the operation.
    free: usize,
    /// Requests that met a failure of the network, whose first is free.
    broken: HashSet<u32>,
}

impl Weather {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            dice: Mutex::new(StdRng::seed_from_u64(seed)),
            seen: Mutex::default(),
            death: Mutex::default(),
        }
    }

    /// What ends now is lost, and sent again at no charge.
    pub(super) fn a_worker_dies(&self) {
        *self.death.lock().unwrap() = Some(Instant::now());
    }

    fn draw(&self, operation: usize) -> (Duration, Answer) {
        let broken = || Answer::Broken(TransportError::Broken("reset".into()));
        let refused = || Answer::Broken(TransportError::Connect("refused".into()));
        let mut dice = self.dice.lock().unwrap();
        let usual = dice.random_range(1..40) * MS;
        if operation.is_multiple_of(STORM) && dice.random() {
            return (usual, broken());
        }
        match dice.random_range(0..1000) {
            0..700 => (usual, Answer::Right),
            700..800 => (20 * usual, Answer::Right),
            800..850 => (usual, Answer::Status(500, &[])),
            850..855 => (usual, Answer::Status(503, &[])),
            855..860 => (usual, Answer::Status(429, &[("retry-after-ms", "120")])),
            860..865 => (usual, Answer::Status(400, &[])),
            865..885 => (usual, Answer::Short),
            885..905 => (usual, Answer::Cut),
            905..935 => (usual, broken()),
            935..950 => (MS, refused()),
            950..970 => (Duration::from_hours(1), Answer::Right),
            _ => (usual, Answer::Panic),
        }
    }

    /// No attempt was made twice, no budget was overdrawn, the window was kept, and nothing was
    /// under way any more when the caller was told.
    pub(super) fn assert_kept_their_limits<'a>(
        &self,
        each: impl Iterator<Item = (&'a Plan, &'a Told)>,
    ) {
        let seen = self.seen.lock().unwrap();
        let by_number: HashMap<usize, &Seen> =
            seen.values().map(|seen| (seen.operation, seen)).collect();
        assert_eq!(by_number.len(), seen.len(), "two traces of one operation");
        for (plan, told) in each {
            if let Some(seen) = by_number.get(&plan.number) {
                seen.assert_kept_its_limits(plan, told);
            }
        }
    }
}

impl Seen {
    fn began(&mut self, request: u32, attempt: u32, answer: &Answer) {
        if !self.attempts.insert((request, attempt)) {
            self.wrong
                .push(format!("attempt {request}-{attempt} was made twice"));
        }
        let in_flight = self.requests.entry(request).or_default();
        *in_flight += 1;
        match in_flight {
            1 => {}
            2 => self.twins += 1,
            more => self
                .wrong
                .push(format!("{more} attempts of {request} are in flight")),
        }
        let requests = self.requests.values().filter(|count| **count > 0);
        self.window = self.window.max(requests.count());
        match answer {
            Answer::Right | Answer::Trickles(_) => {}
            // Where no connection is made, nothing was sent.
            Answer::Broken(TransportError::Connect(_))
            | Answer::Short
            | Answer::Status(..)
            | Answer::Says(..)
            | Answer::Told(..)
            | Answer::Panic => self.free += 1,
            Answer::Cut | Answer::Broken(_) => drop(self.broken.insert(request)),
        }
    }

    fn assert_kept_its_limits(&self, plan: &Plan, told: &Told) {
        let number = plan.number;
        assert_eq!(self.wrong, Vec::<String>::new(), "{number}");
        assert!(self.requests.values().all(|in_flight| *in_flight == 0));
        let late = self.ended.map(|at| at.saturating_duration_since(told.at));
        assert!(
            late <= Some(2 * MS),
            "{number}: open {late:?} after its end"
        );

        let hedges = match plan.preference.hedge_delay {
            Some(_) => plan.hedges.of(told.requests),
            None => 0,
        };
        let twins = self.twins;
        assert!(twins <= hedges, "{number}: {twins} of {hedges} hedges");

        // A twin that is sent just as the other attempt ends does not look like one here.
        let first = self.requests.len();
        let free = self.free + self.broken.len();
        let paid = self.attempts.len().saturating_sub(first + free);
        let retries = plan.retries.of(told.requests);
        assert!(
            paid <= retries + hedges,
            "{number}: {paid} of {retries} retries and {hedges} hedges"
        );

        // While a twin is aborted, the place of its request is taken by another.
        let window = plan.preference.max_concurrent_requests;
        assert!(
            self.window <= window + hedges,
            "{number}: {} in flight in a window of {window} and {hedges} hedges",
            self.window
        );
    }
}

impl Script for Arc<Weather> {
    fn answer(&self, _: u64, request: &Request) -> (Duration, Answer) {
        let headers = &request.head.headers;
        let named = headers.iter().find(|(name, _)| name == OPERATION);
        let operation = named.and_then(|(_, value)| value.to_str().ok()?.parse().ok());
        let operation = operation.expect("each operation is named");
        let drawn = self.draw(operation);
        let id = own_header(request, REQUEST_ID);
        let (trace, request, attempt) = parts(&id);
        let mut seen = self.seen.lock().unwrap();
        let seen = seen.entry(trace.to_owned()).or_default();
        seen.operation = operation;
        seen.began(request, attempt, &drawn.1);
        drawn
    }

    fn ended(&self, request_id: &str) {
        let (trace, request, _) = parts(request_id);
        let mut seen = self.seen.lock().unwrap();
        let seen = seen.get_mut(trace).expect("it has begun");
        *seen.requests.get_mut(&request).expect("it has begun") -= 1;
        let now = Instant::now();
        seen.ended = Some(now);
        let death = *self.death.lock().unwrap();
        seen.free += usize::from(death.is_some_and(|at| now <= at + MS));
    }
}

fn parts(request_id: &str) -> (&str, u32, u32) {
    let mut parts = request_id.rsplitn(3, '-');
    let mut number = || parts.next()?.parse().ok();
    let (attempt, request) = (number(), number());
    let trace = parts.next();
    (|| Some((trace?, request?, attempt?)))().expect("trace-request-attempt")
}
