//! Which Worker gets the next attempt.
//!
//! What a light attempt costs is its sending, and a thread sends the cheaper the more it sends each
//! time it wakes: two threads that share 50,000 small requests a second take a third more time for
//! them than one. And each thread has connections of its own. So light attempts go over as few
//! threads as keep up with them, which may be one and an eighth. What a heavy one costs is the
//! reading of its answer: these are spread, so that all threads read.

use std::time::{Duration, Instant};

/// An attempt with more inputs is heavy: the vectors of so many take as long to read as it takes to
/// send a request.
const LIGHT: usize = 8;
/// A thread keeps up unless it was busy for more than this share of the time.
const KEEPS_UP: f64 = 0.95;
/// How long the time is that is looked at, at least. A second thread helps only where it has a core
/// to itself, and costs more in any case: a burst is over before it would gain anything.
const WINDOW: Duration = Duration::from_millis(50);
/// The parts of a thread in which `spread` counts.
const WHOLE: u32 = 16;

/// What each Worker has to do.
#[derive(Debug)]
pub(crate) struct Route {
    loads: Vec<Load>,
    /// Over how many threads light attempts are spread, the last of which may get less than the
    /// others. After each window it is an eighth more, or less.
    spread: u32,
}

#[derive(Debug, Clone, Copy)]
struct Load {
    attempts: u32,
    heavy: u32,
    inputs: usize,
    /// The share of the last window in which the thread was busy.
    busy: f64,
    /// Up to when the thread's time was looked at, and how long it had been busy by then.
    seen: Option<(Instant, Duration)>,
}

const NOTHING: Load = Load {
    attempts: 0,
    heavy: 0,
    inputs: 0,
    busy: 0.0,
    seen: None,
};

impl Route {
    /// For so many Workers, one at least.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            loads: vec![NOTHING; workers],
            spread: WHOLE,
        }
    }

    /// The Worker for an attempt with so many inputs, which it then has.
    pub(crate) fn assign(&mut self, inputs: usize) -> usize {
        let heavy = inputs > LIGHT;
        let first = self.first_free().filter(|_| !heavy);
        let worker = first.unwrap_or_else(|| self.least_loaded());
        let load = &mut self.loads[worker];
        load.attempts += 1;
        load.inputs += inputs;
        load.heavy += u32::from(heavy);
        worker
    }

    /// Of the first Workers that read no heavy answer, the one with the fewest attempts for its part.
    fn first_free(&self) -> Option<usize> {
        let mut spread = self.spread;
        let free = self
            .loads
            .iter()
            .enumerate()
            .filter(|(_, load)| load.heavy == 0);
        let sharing = free.map_while(|(worker, load)| {
            let part = spread.min(WHOLE);
            spread -= part;
            let after = (load.attempts + 1) * WHOLE;
            Some((after.checked_div(part)?, worker))
        });
        sharing.min().map(|(_, worker)| worker)
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
        load.heavy -= u32::from(inputs > LIGHT);
    }

    /// A Worker's thread has been busy for so long since it began.
    pub(crate) fn busy(&mut self, worker: usize, busy: Duration, now: Instant) {
        let load = &mut self.loads[worker];
        let (since, before) = *load.seen.get_or_insert((now, busy));
        let time = now.saturating_duration_since(since);
        if time < WINDOW {
            return;
        }
        load.busy = busy.saturating_sub(before).as_secs_f64() / time.as_secs_f64();
        load.seen = Some((now, busy));
        // One of them tells the time for all.
        if worker == 0 {
            self.spread = self.next_spread();
        }
    }

    fn next_spread(&self) -> u32 {
        let all = self.loads.iter().map(|_| WHOLE).sum();
        let step = self.spread / 8;
        let fewer = (self.spread - step).max(WHOLE);
        let mut whole = self.loads.iter().zip(1..=self.spread / WHOLE);
        if whole.all(|(load, _)| load.busy > KEEPS_UP) {
            return (self.spread + step).min(all);
        }
        let used = self.loads.iter().zip(0..self.spread.div_ceil(WHOLE));
        let busy: f64 = used.map(|(load, _)| load.busy).sum();
        let would_do = f64::from(fewer) / f64::from(WHOLE) * KEEPS_UP;
        if busy < would_do { fewer } else { self.spread }
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

    /// So many windows, in each of which the threads were busy for these shares of the time.
    fn windows(route: &mut Route, count: u32, busy: &[f64]) {
        let (since, before) = route.loads[0]
            .seen
            .unwrap_or((Instant::now(), Duration::ZERO));
        for passed in 0..=count {
            for (worker, share) in busy.iter().enumerate() {
                let before = route.loads[worker]
                    .seen
                    .map_or(before, |(_, before)| before);
                let busy = before + WINDOW.mul_f64(if passed == 0 { 0.0 } else { *share });
                route.busy(worker, busy, since + WINDOW * passed);
            }
        }
    }

    /// How many of 160 light attempts each Worker gets.
    fn parts(route: &mut Route) -> Vec<u32> {
        for _ in 0..160 {
            route.assign(1);
        }
        let parts = route.loads.iter().map(|load| load.attempts).collect();
        for load in &mut route.loads {
            load.attempts = 0;
            load.inputs = 0;
        }
        parts
    }

    #[test]
    fn light_attempts_share_the_first_threads_that_keep_up() {
        let mut route = Route::new(3);
        assert_eq!(parts(&mut route), [160, 0, 0]);
        windows(&mut route, 1, &[1.0, 0.2, 0.0]);
        assert_eq!(parts(&mut route), [143, 17, 0]);
        windows(&mut route, 9, &[0.9, 0.2, 0.0]);
        assert_eq!(parts(&mut route), [143, 17, 0]);
        windows(&mut route, 7, &[1.0, 0.9, 0.0]);
        assert_eq!(parts(&mut route), [78, 78, 4]);
        windows(&mut route, 20, &[1.0, 1.0, 1.0]);
        assert_eq!(parts(&mut route), [54, 53, 53]);
        windows(&mut route, 20, &[0.3, 0.3, 0.3]);
        assert_eq!(parts(&mut route), [160, 0, 0]);
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
            let left: usize = route.loads.iter().map(|load| load.inputs).sum();
            prop_assert_eq!(left, 0);
            prop_assert!(route.loads.iter().all(|load| load.attempts + load.heavy == 0));
        }

        #[test]
        fn light_attempts_go_to_at_least_one_thread_and_at_most_all(
            shares in proptest::collection::vec(proptest::collection::vec(0.0..=1.0, 4), 0..50),
            workers in 1_usize..4,
        ) {
            let mut route = Route::new(workers);
            for busy in shares {
                windows(&mut route, 1, &busy[..workers]);
                let whole = u32::try_from(workers).unwrap() * WHOLE;
                prop_assert!((WHOLE..=whole).contains(&route.spread));
                prop_assert_eq!(parts(&mut route).iter().sum::<u32>(), 160);
            }
        }
    }
}
