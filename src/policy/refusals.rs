//! What the retries after refusals (408, 409, 5xx) at one endpoint are paid from, by all operations
//! that go there, so that an outage is not multiplied: as in Finagle's `RetryBudget`.

use tokio::time::Instant;

/// Retries that may always be made within [`SPAN_SECONDS`]: 10 a second, 100 at once.
const RESERVE: u64 = 100;
/// Of the requests of the span, one in so many may be retried beside the reserve: 20 %.
const ONE_IN: u64 = 5;
/// The span over which requests and retries are counted.
const SPAN_SECONDS: usize = 10;

/// Counts requests and retries over the last ten seconds.
#[derive(Debug)]
pub(crate) struct RefusalBudget {
    began: Instant,
    /// One slot a second, by turns.
    slots: [Slot; SPAN_SECONDS],
    /// The second that was counted last, from `began`.
    second: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Slot {
    requests: u64,
    retries: u64,
}

impl RefusalBudget {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            began: now,
            slots: [Slot::default(); SPAN_SECONDS],
            second: 0,
        }
    }

    /// A request was started for the first time.
    pub(crate) fn request(&mut self, now: Instant) {
        self.slot(now).requests += 1;
    }

    /// Takes a retry, or says that none is left.
    #[must_use]
    pub(crate) fn spend(&mut self, now: Instant) -> bool {
        self.slot(now);
        let sum = |count: fn(&Slot) -> u64| self.slots.iter().map(count).sum::<u64>();
        let allowed = RESERVE + sum(|slot| slot.requests) / ONE_IN;
        let left = sum(|slot| slot.retries) < allowed;
        self.slot(now).retries += u64::from(left);
        left
    }

    /// The slot of this second; those of seconds that have left the span are cleared.
    fn slot(&mut self, now: Instant) -> &mut Slot {
        let second = now.saturating_duration_since(self.began).as_secs();
        let second = second.max(self.second);
        for passed in (self.second + 1..=second).rev().take(SPAN_SECONDS) {
            *self.at(passed) = Slot::default();
        }
        self.second = second;
        self.at(second)
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "the remainder is below ten"
    )]
    fn at(&mut self, second: u64) -> &mut Slot {
        &mut self.slots[(second % SPAN_SECONDS as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    fn spend_all(budget: &mut RefusalBudget, now: Instant) -> usize {
        (0..10_000).take_while(|_| budget.spend(now)).count()
    }

    #[test]
    fn the_reserve_is_a_hundred_and_a_fifth_of_the_requests() {
        let start = Instant::now();
        let mut budget = RefusalBudget::new(start);
        assert_eq!(spend_all(&mut budget, start), 100);
        (0..500).for_each(|_| budget.request(start));
        assert_eq!(spend_all(&mut budget, start), 100);
        // What was spent comes back when it leaves the span.
        assert_eq!(spend_all(&mut budget, start + 9 * SECOND), 0);
        assert_eq!(spend_all(&mut budget, start + 10 * SECOND), 100);
    }

    #[test]
    fn in_the_long_run_ten_a_second_are_allowed() {
        let start = Instant::now();
        let mut budget = RefusalBudget::new(start);
        let spent: usize = (0..1000)
            .map(|second| spend_all(&mut budget, start + second * SECOND))
            .sum();
        assert_eq!(spent, 100 * 100);
    }

    proptest! {
        #[test]
        fn retries_of_any_ten_seconds_stay_within_the_rule(
            steps in prop::collection::vec((0u64..3000, 0usize..200, 0usize..300), 1..60)
        ) {
            let start = Instant::now();
            let mut budget = RefusalBudget::new(start);
            let mut now = start;
            let (mut requests, mut retries) = (Vec::new(), Vec::new());
            for (pause, asked, wanted) in steps {
                now += Duration::from_millis(pause);
                let second = (now - start).as_secs();
                for _ in 0..asked {
                    budget.request(now);
                    requests.push(second);
                }
                let within = |times: &[u64]| {
                    times.iter().filter(|time| **time + 10 > second).count() as u64
                };
                let allowed = RESERVE + within(&requests) / ONE_IN;
                let before = within(&retries);
                let spent = (0..wanted).filter(|_| budget.spend(now)).count();
                retries.extend(std::iter::repeat_n(second, spent));
                // Neither more than the rule allows, nor less.
                prop_assert_eq!(spent as u64, allowed.saturating_sub(before).min(wanted as u64));
            }
        }
    }
}
