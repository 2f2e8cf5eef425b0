//! Holds the limits in force, and every request to them: once when its head is
//! read, and once when the rest of it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustc_hash::FxHashMap;

use super::denial::{Denial, Excess};
use super::limits::Limits;
use super::quota::Headers;
use super::request::Request;
use super::share::Share;
use super::weight::Weight;

/// The share of all that have none of their own.
const COMMON: usize = 0;
/// Bounded, because a client chooses its key: past so many, new ones have a share
/// in common.
const KEYS: usize = 4096;

/// One of these a server.
#[derive(Debug)]
pub(super) struct Limiter {
    /// When the server began, from where the buckets count.
    began: Instant,
    /// Spares the lock on the way of every request of a server without limits.
    any: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    limits: Limits,
    /// That of all at [`COMMON`]; behind it those of keys, which stay where they
    /// are, since permits know theirs by its place.
    shares: Vec<Share>,
    /// Where a key's share is.
    keys: FxHashMap<String, usize>,
}

impl Limiter {
    pub(super) fn new(limits: Limits) -> Self {
        let limiter = Self {
            began: Instant::now(),
            any: AtomicBool::new(false),
            state: Mutex::new(State {
                shares: vec![Share::default()],
                ..State::default()
            }),
        };
        limiter.set(limits);
        limiter
    }

    /// Puts these in force, with full buckets. They are in their ranges.
    pub(super) fn set(&self, limits: Limits) {
        let now = self.began.elapsed();
        let mut state = self.lock();
        for share in &mut state.shares {
            share.fill(&limits, now);
        }
        let any =
            limits.weighs() || limits.max_in_flight.is_some() || limits.limit_concurrency.is_some();
        state.limits = limits;
        self.any.store(any, Ordering::Release);
    }

    /// Those in force.
    pub(super) fn limits(&self) -> Limits {
        self.lock().limits.clone()
    }

    /// Whether there is any limit; costs no lock.
    pub(super) fn limits_any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Lets a request in, by its head. `connections` counts those that are open, the
    /// request's own among them: no more requests than that are being served.
    pub(super) fn enter(
        &self,
        head: &Request<'_>,
        connections: impl FnOnce() -> u64,
    ) -> Result<Permit<'_>, Box<Denial>> {
        let now = self.began.elapsed();
        let mut state = self.lock();
        let place = state.place(head.key(), now);
        let (limits, share) = (&state.limits, &state.shares[place]);
        let reached = |most: Option<u64>, count: u64| most.is_some_and(|most| count >= most);
        let excess = if limits
            .limit_concurrency
            .is_some_and(|most| connections() >= most)
        {
            Some(Excess::Connections)
        } else if reached(limits.max_in_flight, share.in_flight) {
            Some(Excess::InFlight)
        } else {
            None
        };
        if let Some(excess) = excess {
            let headers = Headers::new();
            let now = SystemTime::now();
            return Err(Denial::new(excess, limits, head.path(), headers, now));
        }
        state.shares[place].in_flight += 1;
        Ok(Permit {
            limiter: self,
            place,
            inputs: 0,
            weighs: state.limits.weighs(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is in flight, for as long as this is kept.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    limiter: &'a Limiter,
    /// Where its share is.
    place: usize,
    /// Those it holds places for.
    inputs: u64,
    /// Whether a limit depends on more than the head.
    weighs: bool,
}

impl Permit<'_> {
    /// Weighs a whole request that came at `now`; gives the headers that its
    /// answer tells of the rates.
    pub(super) fn admit(
        &mut self,
        request: &Request<'_>,
        now: Instant,
    ) -> Result<Headers, Box<Denial>> {
        if !self.weighs {
            return Ok(Headers::new());
        }
        // Without the lock: a body may hold megabytes.
        let weight = Weight::of(request);
        let now = now.saturating_duration_since(self.limiter.began);
        let mut state = self.limiter.lock();
        let State { limits, shares, .. } = &mut *state;
        let share = &mut shares[self.place];
        let weighed = share.weigh(limits, weight, now);
        let (levels, today) = (share.levels(), SystemTime::now());
        match weighed {
            Ok(()) => {
                self.inputs = weight.items;
                Ok(levels.answered(limits.style, today))
            }
            Err(excess) => {
                let headers = levels.refused(limits.style, today);
                Err(Denial::new(excess, limits, request.path(), headers, today))
            }
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        let share = &mut state.shares[self.place];
        share.in_flight -= 1;
        share.inputs -= self.inputs;
    }
}

impl State {
    /// Where the share is that a request with this key takes from.
    fn place(&mut self, key: &str, now: Duration) -> usize {
        if !self.limits.by_key {
            return COMMON;
        }
        if let Some(&place) = self.keys.get(key) {
            return place;
        }
        if self.keys.len() >= KEYS {
            return COMMON;
        }
        let place = self.shares.len();
        self.shares.push(Share::full(&self.limits, now));
        self.keys.insert(key.to_owned(), place);
        place
    }
}
