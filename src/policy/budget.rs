//! A budget: a number of extra attempts that an operation may spend. One owner, never below zero.

/// A count of extra attempts, spent one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    left: u64,
}

impl Budget {
    /// The allowance of an operation of `requests` requests: `max(2, 1 + ceil(requests * share))`.
    pub(crate) fn of_operation(requests: usize, share: f64) -> Self {
        Self {
            left: allowance(requests, share),
        }
    }

    /// There are `more` requests than the `requests` that it was for.
    pub(crate) fn grow(&mut self, requests: usize, more: usize, share: f64) {
        let all = requests.saturating_add(more);
        self.left += allowance(all, share) - allowance(requests, share);
    }

    /// Takes one, or says that none is left.
    #[must_use]
    pub(crate) fn spend(&mut self) -> bool {
        let some = self.left > 0;
        self.left -= u64::from(some);
        some
    }

    /// Gives one back that was taken for an attempt that was never made.
    pub(crate) fn refund(&mut self) {
        self.left += 1;
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "requests fit in u32 and the share is checked to lie in 0 to 3"
)]
fn allowance(requests: usize, share: f64) -> u64 {
    let part = (requests as f64 * share).ceil() as u64;
    (1 + part).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_operations_have_at_least_two() {
        assert_eq!(Budget::of_operation(1, 0.05).left, 2);
        assert_eq!(Budget::of_operation(1000, 0.05).left, 51);
        assert_eq!(Budget::of_operation(1000, 0.0).left, 2);
    }

    proptest! {
        #[test]
        fn one_that_grows_is_as_one_of_all_its_requests(
            parts in prop::collection::vec(0usize..2000, 0..30), share in 0.0f64..=3.0
        ) {
            let mut budget = Budget::of_operation(0, share);
            let mut requests = 0;
            for more in parts {
                budget.grow(requests, more, share);
                requests += more;
            }
            prop_assert_eq!(budget, Budget::of_operation(requests, share));
        }

        #[test]
        fn no_more_is_ever_spent_than_there_was(
            requests in 0usize..10_000, share in 0.0f64..=3.0, tries in 0u64..40_000
        ) {
            let mut budget = Budget::of_operation(requests, share);
            let had = budget.left;
            let spent = (0..tries).filter(|_| budget.spend()).count() as u64;
            prop_assert_eq!(spent, tries.min(had));
            prop_assert_eq!(budget.left, had - spent);
        }
    }
}
