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
/// The parts of a thread that `spread` counts.
const WHOLE: u32 = 16;

/// What each Worker has to do.
#[derive(Debug)]
pub(crate) struct Route {
    loads: Vec<Load>,
    /// Over how many threads light attempts are spread, in sixteenths: the last of them may get less
    /// than the others. A window may add an eighth to it, or take one off.
    spread: u32,
    /// When the last window ended, and whether a light attempt was assigned since.
    stepped: Option<Instant>,
    light: bool,
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

impl Load {
    /// How busy the thread was of late. One that has nothing to do tells nothing.
    fn busy_since(&self, since: Instant) -> f64 {
        let has_told = self.seen.is_some_and(|(seen, _)| seen > since);
        if self.attempts > 0 || has_told {
            self.busy
        } else {
            0.0
        }
    }
}

impl Route {
    /// For so many Workers, one at least.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            loads: vec![NOTHING; workers],
            spread: WHOLE,
            stepped: None,
            light: false,
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
        self.light |= !heavy;
        worker
    }

    /// Of the first Workers that have no heavy attempt, the one with the fewest light ones for its part.
    fn first_free(&self) -> Option<usize> {
        let mut spread = self.spread;
        let sharing = self.free().map_while(|(worker, load)| {
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

    /// The Workers that have no heavy attempt.
    fn free(&self) -> impl Iterator<Item = (usize, &Load)> {
        let all = self.loads.iter().enumerate();
        all.filter(|(_, load)| load.heavy == 0)
    }

    /// A Worker's thread has been busy for so long since it began.
    pub(crate) fn busy(&mut self, worker: usize, busy: Duration, now: Instant) {
        let load = &mut self.loads[worker];
        let (since, before) = *load.seen.get_or_insert((now, busy));
        let time = now.saturating_duration_since(since);
        if time >= WINDOW {
            load.busy = busy.saturating_sub(before).as_secs_f64() / time.as_secs_f64();
            load.seen = Some((now, busy));
        }
        let stepped = *self.stepped.get_or_insert(now);
        if now.saturating_duration_since(stepped) >= WINDOW {
            self.spread = self.next_spread(stepped);
            self.stepped = Some(now);
            self.light = false;
        }
    }

    /// How light attempts are spread after the window that began at `since`.
    fn next_spread(&self, since: Instant) -> u32 {
        let step = self.spread / 8;
        let fewer = (self.spread - step).max(WHOLE);
        if !self.light {
            return fewer;
        }
        let busy: Vec<f64> = self
            .free()
            .map(|(_, load)| load.busy_since(since))
            .collect();
        if busy.is_empty() {
            return self.spread;
        }
        let mut whole = busy.iter().zip(0..self.spread / WHOLE);
        if whole.all(|(&busy, _)| busy > KEEPS_UP) {
            let all = self.loads.iter().map(|_| WHOLE).sum();
            return (self.spread + step).min(all);
        }
        let used = busy.iter().zip(0..self.spread.div_ceil(WHOLE));
        let busy: f64 = used.map(|(busy, _)| busy).sum();
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

    /// So many windows, in which the threads were busy for these shares of the time.
    fn windows(route: &mut Route, count: u32, busy: &[f64]) {
        let start = Instant::now();
        for _ in 0..count {
            for (load, busy) in route.loads.iter_mut().zip(busy) {
                load.busy = *busy;
                load.seen = Some((start + WINDOW, Duration::ZERO));
            }
            route.spread = route.next_spread(start);
        }
    }

    /// How many of 160 light attempts each Worker gets.
    fn parts(route: &mut Route) -> Vec<u32> {
        let assigned: Vec<usize> = (0..160).map(|_| route.assign(1)).collect();
        let mut parts = vec![0; route.loads.len()];
        for worker in assigned {
            parts[worker] += 1;
            route.ended(worker, 1);
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
    fn what_reads_heavy_answers_does_not_decide_for_light_ones() {
        let mut route = Route::new(4);
        route.assign(128);
        assert_eq!(parts(&mut route), [0, 160, 0, 0]);
        // Busy with them, which the light ones need not mind.
        windows(&mut route, 20, &[1.0, 0.5, 0.0, 0.0]);
        assert_eq!(parts(&mut route), [0, 160, 0, 0]);
        // Idle, while the light ones are too much for one.
        windows(&mut route, 7, &[0.0, 1.0, 0.9, 0.0]);
        assert_eq!(parts(&mut route), [0, 78, 78, 4]);
        // Without light ones there is nothing to spread.
        route.light = false;
        windows(&mut route, 20, &[1.0; 4]);
        assert_eq!(route.spread, WHOLE);
    }

    #[test]
    fn a_window_is_over_when_any_thread_tells() {
        let start = Instant::now();
        let mut route = Route::new(2);
        for worker in [0, 1] {
            route.busy(worker, Duration::ZERO, start);
        }
        assert_eq!([1, 1].map(|inputs| route.assign(inputs)), [0, 0]);
        route.busy(0, WINDOW / 2, start + WINDOW / 2);
        assert_eq!(route.spread, WHOLE);
        route.busy(0, WINDOW, start + WINDOW);
        assert_eq!(route.spread, WHOLE * 9 / 8);
        // It has nothing left to tell of, and what it told does not count for ever.
        route.ended(0, 1);
        route.ended(0, 1);
        let worker = route.assign(1);
        route.ended(worker, 1);
        route.busy(1, Duration::ZERO, start + WINDOW * 2);
        assert_eq!(route.spread, WHOLE);
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
                prop_assert_eq!(parts(&mut route).iter().sum::<u32>(), 160);
                windows(&mut route, 1, &busy[..workers]);
                let whole = u32::try_from(workers).unwrap() * WHOLE;
                prop_assert!((WHOLE..=whole).contains(&route.spread));
            }
        }
    }
}
