//! The rules of retries, one by one.

use super::*;
use proptest::prelude::*;

fn policy() -> RetryPolicy {
    RetryPolicy {
        max_retries: 3,
        initial_backoff: Duration::from_millis(125),
        non_retryable: Box::new([501]),
        max_retry_after: Duration::from_mins(2),
        patience: Duration::from_hours(1),
    }
}

fn status(code: u16) -> Fault {
    Fault::of_status(code, None, Advice::None)
}

fn verdict(fault: Fault) -> Verdict {
    policy().decide(fault, &mut History::default(), Duration::ZERO, 1.0)
}

#[test]
fn statuses_are_retried_or_final_as_documented() {
    for code in [408, 409, 429, 500, 502, 503, 504, 599] {
        assert!(
            matches!(verdict(status(code)), Verdict::Retry { .. }),
            "{code}"
        );
    }
    for code in [301, 400, 401, 403, 404, 413, 422, 501] {
        assert_eq!(verdict(status(code)), Verdict::GiveUp, "{code}");
    }
}

#[test]
fn a_server_s_word_on_another_try_goes_before_its_status() {
    let verdict = |code, advice| verdict(Fault::of_status(code, None, advice));
    for code in [400, 404, 429, 500] {
        assert_eq!(verdict(code, Advice::GiveUp), Verdict::GiveUp, "{code}");
        let retried = verdict(code, Advice::Retry);
        assert!(matches!(retried, Verdict::Retry { .. }), "{code}");
    }
    // The caller's word goes before the server's.
    assert_eq!(verdict(501, Advice::Retry), Verdict::GiveUp);
}

#[test]
fn the_first_network_failure_is_paid_by_no_budget_and_the_second_is_charged() {
    let mut history = History::default();
    let mut decide = || policy().decide(Fault::Network, &mut history, Duration::ZERO, 0.5);
    assert_eq!(decide(), free(AT_ONCE));
    for _ in 0..2 {
        let verdict = decide();
        let Verdict::Retry { after, charge } = verdict else {
            panic!("given up");
        };
        assert!(after > AT_ONCE);
        assert_eq!(charge, Charge::Operation);
    }
    assert_eq!(decide(), Verdict::GiveUp);
}

#[test]
fn refusals_are_charged_to_the_endpoint_and_pauses_to_nobody() {
    let charge = |fault| match verdict(fault) {
        Verdict::Retry { charge, .. } => charge,
        Verdict::GiveUp => panic!("given up"),
    };
    for code in [408, 409, 500, 502, 504] {
        assert_eq!(charge(status(code)), Charge::Endpoint, "{code}");
    }
    for code in [429, 503] {
        assert_eq!(verdict(status(code)), free(Duration::ZERO), "{code}");
    }
    assert_eq!(charge(Fault::Timeout), Charge::Operation);
}

#[test]
fn a_wrong_answer_is_asked_for_again_once() {
    let mut history = History::default();
    let mut decide = || policy().decide(Fault::Mismatch, &mut history, Duration::ZERO, 0.5);
    assert!(matches!(decide(), Verdict::Retry { .. }));
    assert_eq!(decide(), Verdict::GiveUp);
}

#[test]
fn an_answer_that_holds_nothing_is_retried_with_pauses() {
    let mut history = History::default();
    for _ in 0..3 {
        let verdict = policy().decide(Fault::Hollow, &mut history, Duration::ZERO, 1.0);
        let Verdict::Retry { after, charge } = verdict else {
            panic!("given up");
        };
        assert!(after >= Duration::from_millis(125));
        assert_eq!(charge, Charge::Endpoint);
    }
    let last = policy().decide(Fault::Hollow, &mut history, Duration::ZERO, 1.0);
    assert_eq!(last, Verdict::GiveUp);
}

#[test]
fn what_could_not_be_sent_or_was_refused_waits_with_all_others_and_is_not_counted() {
    for fault in [Fault::Connect, status(429), status(503)] {
        let mut history = History::default();
        for try_in_vain in 0..100 {
            let elapsed = Duration::from_secs(try_in_vain);
            let verdict = policy().decide(fault, &mut history, elapsed, 1.0);
            let Verdict::Retry { after, charge } = verdict else {
                panic!("{fault:?} is given up");
            };
            assert_eq!(charge, Charge::Free);
            // One that is refused again and again leaves its place to others.
            let pauses = fault != Fault::Connect && try_in_vain >= 3;
            assert_eq!(after > AT_ONCE, pauses, "{fault:?} {try_in_vain}");
        }
        assert_eq!(history.retries, 0);
    }
    let late = policy().patience;
    let verdict = policy().decide(status(429), &mut History::default(), late, 0.5);
    assert_eq!(verdict, Verdict::GiveUp);
}

#[test]
fn a_caller_who_wants_no_retries_is_told_of_the_first_connect_in_vain() {
    let policy = RetryPolicy {
        max_retries: 0,
        ..policy()
    };
    let mut history = History::default();
    let verdict = policy.decide(Fault::Connect, &mut history, Duration::ZERO, 0.5);
    assert_eq!(verdict, Verdict::GiveUp);
}

#[test]
fn a_request_that_kills_its_workers_is_given_up() {
    let mut history = History::default();
    let mut decide = || policy().decide(Fault::Lost, &mut history, Duration::ZERO, 0.5);
    assert!(matches!(decide(), Verdict::Retry { .. }));
    assert!(matches!(decide(), Verdict::Retry { .. }));
    assert_eq!(decide(), Verdict::GiveUp);
}

#[test]
fn the_server_s_own_pause_is_kept() {
    let asked = Duration::from_secs(7);
    let fault = |asked| Fault::of_status(500, Some(asked), Advice::None);
    let verdict_on = |asked| verdict(fault(asked));
    assert!(matches!(verdict_on(asked), Verdict::Retry { after, .. } if after == asked));
    for code in [429, 500, 503] {
        let too_long = Some(Duration::from_secs(121));
        let fault = Fault::of_status(code, too_long, Advice::None);
        assert_eq!(verdict(fault), Verdict::GiveUp, "{code}");
    }
}

/// What leaves it open whether the server read the request.
const PERHAPS_READ: [Fault; 6] = [
    Fault::Network,
    Fault::Timeout,
    Fault::Mismatch,
    Fault::Hollow,
    Fault::Lost,
    Fault::Status {
        code: 500,
        retry_after: None,
        invites: true,
    },
];

proptest! {
    #[test]
    fn what_may_have_been_read_is_sent_again_as_often_as_allowed_at_most(
        max_retries in 0u32..=6,
        faults in prop::collection::vec(prop::sample::select(&PERHAPS_READ[..]), 10),
    ) {
        let policy = RetryPolicy { max_retries, ..policy() };
        let mut history = History::default();
        let mut retries = 0;
        for fault in faults {
            let is_last = policy.is_last_try(&history);
            let verdict = policy.decide(fault, &mut history, Duration::ZERO, 0.5);
            if verdict == Verdict::GiveUp {
                break;
            }
            prop_assert!(!is_last);
            retries += 1;
        }
        prop_assert!(retries <= max_retries);
    }

    #[test]
    fn backoff_stays_below_its_cap_and_retries_below_their_limit(
        max_retries in 0u32..=6, initial in 50u64..=45_000, jitter in 0.0f64..=1.0,
        code in prop::sample::select(vec![408u16, 409, 500, 504]),
    ) {
        let policy = RetryPolicy {
            max_retries,
            initial_backoff: Duration::from_millis(initial),
            non_retryable: Box::new([]),
            max_retry_after: Duration::from_mins(2),
            patience: Duration::from_hours(1),
        };
        let mut history = History::default();
        for retry in 0..max_retries {
            let verdict = policy.decide(status(code), &mut history, Duration::ZERO, jitter);
            let Verdict::Retry { after, .. } = verdict else {
                return Err(TestCaseError::fail("gave up too early"));
            };
            let longest = policy.initial_backoff * 4u32.pow(retry);
            prop_assert!(after <= longest.min(LONGEST_BACKOFF));
        }
        let last = policy.decide(status(code), &mut history, Duration::ZERO, jitter);
        prop_assert_eq!(last, Verdict::GiveUp);
    }
}
