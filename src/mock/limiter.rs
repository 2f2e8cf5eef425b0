//! Holds the limits in force, and every request to them: once when its head is
//! read, and once when the rest of it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::bucket::Bucket;
use super::denial::{Denial, Excess};
use super::limits::Limits;
use super::quota::{Headers, Level, Levels};
use super::request::Request;
use super::weight::Weight;

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
    /// Permits that are out. None are given while there are no limits.
    in_flight: u64,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

impl Limiter {
    pub(super) fn new(limits: Limits) -> Self {
        let limiter = Self {
            began: Instant::now(),
            any: AtomicBool::new(false),
            state: Mutex::default(),
        };
        limiter.set(limits);
        limiter
    }

    /// Puts these in force, with full buckets. They are in their ranges.
    pub(super) fn set(&self, limits: Limits) {
        let now = self.began.elapsed();
        let full = |per_minute| Bucket::full(per_minute, now);
        let mut state = self.lock();
        state.requests = limits.requests_per_minute.map(full);
        state.tokens = limits.tokens_per_minute.map(full);
        let any = limits.weighs() || limits.max_in_flight.is_some();
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

    /// Lets a request in, by its head.
    pub(super) fn enter(&self, head: &Request<'_>) -> Result<Permit<'_>, Box<Denial>> {
        let mut state = self.lock();
        let limits = &state.limits;
        if limits
            .max_in_flight
            .is_some_and(|most| state.in_flight >= most)
        {
            return Err(Denial::new(
                Excess::InFlight,
                limits,
                head.path(),
                Headers::new(),
            ));
        }
        state.in_flight += 1;
        Ok(Permit {
            limiter: self,
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
    /// Whether a limit depends on more than the head.
    weighs: bool,
}

impl Permit<'_> {
    /// Weighs a whole request that came at `now`; gives the headers that its
    /// answer tells of the rates.
    pub(super) fn admit(
        &self,
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
        let excess = state.weigh(weight, now);
        let levels = state.levels();
        let headers = levels.headers(state.limits.style, SystemTime::now());
        match excess {
            Ok(()) => Ok(headers),
            Err(excess) => Err(Denial::new(excess, &state.limits, request.path(), headers)),
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.limiter.lock().in_flight -= 1;
    }
}

impl State {
    /// Takes a request from the buckets, from all of them or none.
    fn weigh(&mut self, weight: Weight, now: Duration) -> Result<(), Excess> {
        for bucket in [&mut self.requests, &mut self.tokens].into_iter().flatten() {
            bucket.refill(now);
        }
        let limits = &self.limits;
        if limits
            .max_batch_items
            .is_some_and(|most| weight.items > most)
        {
            return Err(Excess::BatchItems(weight.items));
        }
        if limits
            .max_batch_tokens
            .is_some_and(|most| weight.tokens > most)
        {
            return Err(Excess::BatchTokens(weight.tokens));
        }
        let wait = |bucket: &Option<Bucket>, units| match bucket {
            Some(bucket) if units > 0 => bucket.wait_for(units),
            _ => Duration::ZERO,
        };
        let requests = wait(&self.requests, 1);
        let tokens = wait(&self.tokens, weight.tokens);
        // Of two rates that both refuse, the one that takes longer is told.
        if requests.max(tokens) > Duration::ZERO {
            return Err(if requests >= tokens {
                Excess::Requests(requests)
            } else {
                Excess::Tokens(tokens)
            });
        }
        for (bucket, units) in [(&mut self.requests, 1), (&mut self.tokens, weight.tokens)] {
            if let Some(bucket) = bucket {
                bucket.take(units);
            }
        }
        Ok(())
    }

    fn levels(&self) -> Levels {
        Levels {
            requests: self.requests.as_ref().map(Level::of),
            tokens: self.tokens.as_ref().map(Level::of),
        }
    }
}
