//! How the requests of a benchmark are made again.

use crate::policy::retry::{Fault, GateTerms, History, RetryPolicy, RetryRules, Verdict, free};
use std::time::Duration;

/// A host that cannot be connected to is tried again within this span and then given up, so that
/// a dead host fails in seconds.
const LONGEST_CONNECT_TROUBLE: Duration = Duration::from_secs(3);

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
        let unconnected = matches!(fault, Fault::Connect | Fault::Exhausted);
        if unconnected && elapsed > LONGEST_CONNECT_TROUBLE {
            return Verdict::GiveUp;
        }
        if let Some(verdict) = self.0.settles(fault, history) {
            return verdict;
        }
        let Some(pause) = self.0.next_pause(history, jitter) else {
            return Verdict::GiveUp;
        };
        free(match fault {
            // Short ones, or a few of them would outlast the span of their trouble.
            _ if unconnected => pause.min(LONGEST_CONNECT_TROUBLE / 3),
            _ => fault.retry_after().unwrap_or(pause),
        })
    }

    fn is_last_try(&self, history: &History) -> bool {
        self.0.is_last_try(history)
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
            patience: Duration::from_hours(1),
        });
        let status = |code| Fault::of_status(code, None, Advice::None);
        for fault in [
            Fault::Network,
            Fault::Timeout,
            status(503),
            status(500),
            Fault::Connect,
            Fault::Exhausted,
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
        let late = LONGEST_CONNECT_TROUBLE + Duration::from_millis(1);
        let verdict = own.decide(Fault::Connect, &mut History::default(), late, 0.5);
        assert_eq!(verdict, Verdict::GiveUp);
        let asked = Fault::of_status(429, Some(Duration::from_secs(7)), Advice::None);
        let verdict = own.decide(asked, &mut History::default(), Duration::ZERO, 1.0);
        assert_eq!(verdict, free(Duration::from_secs(7)));
    }
}
