//! What is in range, and what is said of what is not.

use super::*;

fn refusal(change: impl FnOnce(&mut Preference)) -> String {
    let mut preference = Preference::default();
    change(&mut preference);
    let error = preference.check().expect_err("out of range");
    assert!(error.is_config());
    error.to_string()
}

#[test]
fn the_defaults_are_in_range() {
    let checked = Preference::default().check().unwrap();
    assert_eq!((checked.window, checked.limits.batch_size), (128, 128));
    assert_eq!(checked.timeout, DEFAULT_TIMEOUT);
}

#[test]
fn each_refusal_names_the_field_the_value_and_the_range() {
    let above_1024 = "must be greater than 0 and less than or equal to 1024 (got 2000)";
    for (text, expected) in [
        (
            refusal(|p| p.batch_size = 2000),
            format!("batch_size {above_1024}"),
        ),
        (
            refusal(|p| p.max_concurrent_requests = 2000),
            format!("max_concurrent_requests {above_1024}"),
        ),
        (
            refusal(|p| (p.max_concurrent_requests, p.batch_size) = (513, 15)),
            "max_concurrent_requests must be less than 512 when batch_size is less than 16".into(),
        ),
        (
            refusal(|p| p.max_chars_per_request = Some(49)),
            "max_chars_per_request must be between 50 and 256000 (got 49)".into(),
        ),
        (
            refusal(|p| p.max_tokens_per_request = Some(0)),
            "max_tokens_per_request must be between 1 and 10000000 (got 0)".into(),
        ),
        (
            refusal(|p| p.max_bytes_per_request = Some(1023)),
            "max_bytes_per_request must be between 1024 and 1000000000 (got 1023)".into(),
        ),
        (
            refusal(|p| p.timeout = Duration::from_millis(99)),
            "timeout_s must be between 0.1 and 3600 seconds (got 0.099)".into(),
        ),
        (
            refusal(|p| p.hedge_budget_pct = -0.1),
            "hedge_budget_pct cannot be negative".into(),
        ),
        (
            refusal(|p| p.retry_budget_pct = 3.1),
            "retry_budget_pct cannot exceed 3 (300%)".into(),
        ),
        (
            refusal(|p| p.hedge_budget_pct = f64::NAN),
            "hedge_budget_pct".into(),
        ),
        (
            refusal(|p| p.max_retries = 7),
            "max_retries cannot exceed 6 (got 7)".into(),
        ),
        (
            refusal(|p| p.initial_backoff = Duration::from_millis(49)),
            "initial_backoff_ms must be between 50 and 45000 milliseconds (got 49)".into(),
        ),
        (
            refusal(|p| p.max_retry_after = Duration::from_secs(3601)),
            "max_retry_after_s must be between 0 and 3600 seconds (got 3601)".into(),
        ),
        (
            refusal(|p| p.requests_per_minute = Some(0)),
            "requests_per_minute must be between 1 and 1000000000000 (got 0)".into(),
        ),
        (
            refusal(|p| p.tokens_per_minute = Some(u64::MAX)),
            "tokens_per_minute must be between 1 and 1000000000000".into(),
        ),
        (
            refusal(|p| p.hedge_delay = Some(Duration::from_millis(44).into())),
            "hedge_delay must be between 0.045 and 3600 seconds (got 0.044)".into(),
        ),
        (
            refusal(|p| p.hedge_delay = Some(HedgeDelay::Quantile(1.0))),
            "hedge_delay as a quantile must be above 0 and below 1 (got 1)".into(),
        ),
    ] {
        assert!(text.starts_with(&expected), "{text}");
    }
}

#[test]
fn a_total_timeout_alone_also_bounds_each_request() {
    let preference = Preference {
        total_timeout: Some(Duration::from_secs(2)),
        ..Preference::default()
    };
    assert_eq!(preference.check().unwrap().timeout, Duration::from_secs(2));
    let both = refusal(|p| {
        p.timeout = Duration::from_secs(5);
        p.total_timeout = Some(Duration::from_secs(2));
    });
    assert!(both.starts_with("total_timeout_s must be at least timeout_s"));
}

#[test]
fn a_hedge_too_close_to_the_timeout_is_refused() {
    let text = refusal(|p| {
        p.timeout = Duration::from_secs(1);
        p.hedge_delay = Some(Duration::from_millis(980).into());
    });
    assert!(text.starts_with("hedge_delay must be below timeout_s"));
}
