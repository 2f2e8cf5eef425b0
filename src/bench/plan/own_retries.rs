//! How the requests of a benchmark are made again.

use crate::policy::retry::{
    Fault, GateTerms, History, RetryPolicy, RetryRules, Verdict, before_connecting, free,
};
use std::time::Duration;

/// The rules of a request that is on its own, as each user's is: no budget and no endpoint's gate
/// stands between it and its retries, and none is made beyond them.
#[derive(Debug)]
pub(super) struct OwnRetries(pub(super) RetryPolicy);

impl RetryRules for OwnRetries {
    fn decide(
        &self,
        fault: Fault,
        history: &mut History,
        elapsed: Duration,
        jitter: f64,
    ) -> Verdict {
        if let Some(verdict) = self.0.settles(fault, history, elapsed) {
            return verdict;
        }
        let Some(pause) = self.0.next_pause(history, jitter) else {
            return Verdict::GiveUp;
        };
        free(match fault {
            Fault::Connect => before_connecting(pause),
            _ => fault.retry_after().unwrap_or(pause),
        })
    }

    fn at_the_gate(&self) -> Option<GateTerms> {
        None
    }

    fn max_retry_after(&self) -> Duration {
        self.0.max_retry_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::retry::{Advice, Charge};

    #[test]
    fn a_request_on_its_own_makes_its_retries_and_no_more_and_owes_nobody() {
        let own = OwnRetries(RetryPolicy {
            max_retries: 3,
            initial_backoff: Duration::from_millis(125),
            non_retryable: Box::default(),
            max_retry_after: Duration::from_mins(2),
        });
        let status = |code| Fault::of_status(code, None, Advice::None);
        for fault in [
            Fault::Network,
            Fault::Timeout,
            status(503),
            status(500),
            Fault::Connect,
        ] {
            let mut history = History::default();
            for _ in 0..3 {
                let verdict = own.decide(fault, &mut history, Duration::ZERO, 1.0);
                let Verdict::Retry { after, charge } = verdict else {
                    panic!("{fault:?} is not retried");
                };
                assert!(after >= Duration::from_millis(125), "{fault:?}: {after:?}");
                assert_eq!(charge, Charge::Free);
            }
            let verdict = own.decide(fault, &mut history, Duration::ZERO, 1.0);
            assert_eq!(verdict, Verdict::GiveUp, "{fault:?}");
        }
        let asked = Fault::of_status(429, Some(Duration::from_secs(7)), Advice::None);
        let verdict = own.decide(asked, &mut History::default(), Duration::ZERO, 1.0);
        assert_eq!(verdict, free(Duration::from_secs(7)));
    }
}
