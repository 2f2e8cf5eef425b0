//! Which Worker gets the next attempt.
//!
//! What a light attempt costs is its sending, and a thread sends the cheaper the more it sends each
//! time it wakes: two threads that share 50,000 small requests a second take a third more time for
//! them than one. So these go to the first Worker whose thread keeps up. What a heavy one costs is
//! the reading of its answer: these are spread, so that all threads read.

use std::time::{Duration, Instant};

/// An attempt with more inputs is heavy: the vectors of so many take as long to read as it takes to
/// send a request.
const LIGHT: usize = 8;
/// A thread keeps up unless it was busy for more than this share of the time.
const KEEPS_UP: f64 = 0.95;
/// How long the time is that is looked at, at least.
const WINDOW: Duration = Duration::from_millis(5);

/// What each Worker has to do.
#[derive(Debug)]
pub(crate) struct Route {
    loads: Vec<Load>,
}

#[derive(Debug, Clone, Copy)]
struct Load {
    attempts: usize,
    heavy: usize,
    inputs: usize,
    keeps_up: bool,
    /// Up to when the thread's time was looked at, and how long it had been busy by then.
    seen: Option<(Instant, Duration)>,
}

const NOTHING: Load = Load {
    attempts: 0,
    heavy: 0,
    inputs: 0,
    keeps_up: true,
    seen: None,
};

impl Route {
    /// For so many Workers, one at least.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            loads: vec![NOTHING; workers],
        }
    }

    /// The Worker for an attempt with so many inputs, which it then has.
    pub(crate) fn assign(&mut self, inputs: usize) -> usize {
        let free = |load: &Load| load.keeps_up && load.heavy == 0;
        let first = self.loads.iter().position(free);
        let worker = match first {
            Some(first) if inputs <= LIGHT => first,
            _ => self.least_loaded(),
        };
        let load = &mut self.loads[worker];
        load.attempts += 1;
        load.inputs += inputs;
        load.heavy += usize::from(inputs > LIGHT);
        worker
    }

    fn least_loaded(&self) -> usize {
        let loads = self.loads.iter().enumerate();
        let lightest = loads.min_by_key(|(_, load)| (load.inputs, load.attempts));
        lightest.map_or(0, |(worker, _)| worker)
    }

    /// An attempt with so many inputs has ended.
    pub(crate) fn ended(&mut self, worker: usize, inputs: usize) {
        let load = &mut self.loads[worker];
        load.attempts -= 1;
        load.inputs -= inputs;
        load.heavy -= usize::from(inputs > LIGHT);
        // What it was like when it was busy says nothing of when it will be.
        load.keeps_up |= load.attempts == 0;
    }

    /// A Worker's thread has been busy for so long since it began.
    pub(crate) fn busy(&mut self, worker: usize, busy: Duration, now: Instant) {
        let load = &mut self.loads[worker];
        let (since, before) = *load.seen.get_or_insert((now, busy));
        let time = now.saturating_duration_since(since);
        if time >= WINDOW {
            let share = busy.saturating_sub(before).as_secs_f64() / time.as_secs_f64();
            load.keeps_up = share <= KEEPS_UP;
            load.seen = Some((now, busy));
        }
    }

    /// A Worker was replaced, and its attempts are gone.
    pub(crate) fn replaced(&mut self, worker: usize) {
        self.loads[worker] = NOTHING;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    fn busy_from(workers: usize, start: Instant) -> Route {
        let mut route = Route::new(workers);
        for worker in 0..workers {
            route.busy(worker, Duration::ZERO, start);
        }
        route
    }

    #[test]
    fn light_attempts_share_the_first_thread_that_keeps_up() {
        let start = Instant::now();
        let mut route = busy_from(3, start);
        assert_eq!([1, 8, 1].map(|inputs| route.assign(inputs)), [0, 0, 0]);
        route.busy(0, 10 * MS, start + 10 * MS);
        assert_eq!([1, 1].map(|inputs| route.assign(inputs)), [1, 1]);
        // Too soon to tell, then idle for half of the time.
        route.busy(0, 10 * MS, start + 11 * MS);
        assert_eq!(route.assign(1), 1);
        route.busy(0, 15 * MS, start + 20 * MS);
        assert_eq!(route.assign(1), 0);
    }

    #[test]
    fn where_no_thread_keeps_up_light_attempts_are_spread() {
        let start = Instant::now();
        let mut route = busy_from(2, start);
        for worker in 0..2 {
            route.busy(worker, 10 * MS, start + 10 * MS);
        }
        assert_eq!(
            [1, 1, 1, 1].map(|inputs| route.assign(inputs)),
            [0, 1, 0, 1]
        );
    }

    #[test]
    fn a_thread_that_has_nothing_left_counts_as_one_that_keeps_up() {
        let start = Instant::now();
        let mut route = busy_from(2, start);
        assert_eq!(route.assign(1), 0);
        route.busy(0, 10 * MS, start + 10 * MS);
        route.ended(0, 1);
        assert_eq!(route.assign(1), 0);
    }

    #[test]
    fn heavy_attempts_are_spread_and_light_ones_keep_out_of_their_way() {
        let mut route = Route::new(3);
        assert_eq!([128, 100].map(|inputs| route.assign(inputs)), [0, 1]);
        assert_eq!([1, 1].map(|inputs| route.assign(inputs)), [2, 2]);
        assert_eq!([128, 128].map(|inputs| route.assign(inputs)), [2, 1]);
        route.replaced(0);
        assert_eq!([1, 128].map(|inputs| route.assign(inputs)), [0, 0]);
    }

    proptest! {
        #[test]
        fn heavy_attempts_differ_by_one_at_most_and_nothing_is_left_at_the_end(
            workers in 1_usize..9, count in 0_usize..200, inputs in LIGHT + 1..1000
        ) {
            let mut route = Route::new(workers);
            let assigned: Vec<usize> = (0..count).map(|_| route.assign(inputs)).collect();
            let most = route.loads.iter().map(|load| load.attempts).max();
            let least = route.loads.iter().map(|load| load.attempts).min();
            prop_assert!(most <= least.map(|least| least + 1));
            for worker in assigned {
                route.ended(worker, inputs);
            }
            let left: usize = route.loads.iter().map(|load| load.attempts + load.inputs).sum();
            prop_assert_eq!(left, 0);
        }
    }
}
