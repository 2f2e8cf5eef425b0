//! What each service says, as it says it.

use super::*;

/// 2024-05-01T12:00:00Z.
const NOW: u64 = 1_714_564_800;

fn read(pairs: &[(&str, &str)]) -> Option<RateReport> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    report_at(&pairs.iter().copied().collect(), now)
}

/// What is left, of how many, in which period, and the milliseconds until it is whole.
type Told = (f64, Option<f64>, Option<u64>, Option<u64>);

fn allowance((remaining, limit, period, reset): Told) -> Allowance {
    Allowance {
        remaining,
        limit,
        period: period.map(Duration::from_secs),
        reset: reset.map(Duration::from_millis),
    }
}

/// Holds what is read of `headers` against what is told of requests, and of tokens.
fn says(headers: &[(&str, &str)], requests: Option<Told>, tokens: Option<Told>) {
    let expected = RateReport {
        requests: requests.map(allowance),
        tokens: tokens.map(allowance),
    };
    assert_eq!(read(headers), Some(expected));
}

const MINUTE: Option<u64> = Some(60);

#[test]
fn openai_tells_spans_with_units() {
    says(
        &[
            ("x-ratelimit-limit-requests", "3000"),
            ("x-ratelimit-limit-tokens", "1000000"),
            ("x-ratelimit-remaining-requests", "2999"),
            ("x-ratelimit-remaining-tokens", "999994"),
            ("x-ratelimit-reset-requests", "20ms"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ],
        Some((2999.0, Some(3000.0), MINUTE, Some(20))),
        Some((999_994.0, Some(1e6), MINUTE, Some(360_000))),
    );
}

#[test]
fn azure_tells_what_remains() {
    says(
        &[
            ("x-ratelimit-remaining-requests", "119"),
            ("x-ratelimit-remaining-tokens", "119984"),
        ],
        Some((119.0, None, MINUTE, None)),
        Some((119_984.0, None, MINUTE, None)),
    );
}

#[test]
fn of_mistral_s_limits_that_of_which_least_is_left_counts() {
    says(
        &[
            ("x-ratelimit-limit-req-minute", "360"),
            ("x-ratelimit-limit-tokens-minute", "500000"),
            ("x-ratelimit-limit-tokens-month", "1000000000"),
            ("x-ratelimit-remaining-req-minute", "359"),
            ("x-ratelimit-remaining-tokens-minute", "499990"),
            ("x-ratelimit-remaining-tokens-month", "999999990"),
            ("x-ratelimit-tokens-query-cost", "10"),
        ],
        Some((359.0, Some(360.0), MINUTE, None)),
        Some((499_990.0, Some(5e5), MINUTE, None)),
    );
}

#[test]
fn anthropic_tells_dates() {
    says(
        &[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("anthropic-ratelimit-requests-reset", "2024-05-01T12:00:01Z"),
            ("anthropic-ratelimit-input-tokens-limit", "20000"),
            ("anthropic-ratelimit-input-tokens-remaining", "19000"),
            (
                "anthropic-ratelimit-input-tokens-reset",
                "2024-05-01T12:00:03Z",
            ),
            ("anthropic-ratelimit-output-tokens-remaining", "3"),
            ("anthropic-ratelimit-tokens-limit", "28000"),
            ("anthropic-ratelimit-tokens-remaining", "27000"),
            ("anthropic-ratelimit-tokens-reset", "2024-05-01T12:00:03Z"),
        ],
        Some((49.0, Some(50.0), MINUTE, Some(1000))),
        Some((19_000.0, Some(20_000.0), MINUTE, Some(3000))),
    );
}

#[test]
fn cohere_tells_unix_times() {
    says(
        &[
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", "7"),
            ("x-ratelimit-reset", "1714564830"),
        ],
        Some((7.0, Some(100.0), None, Some(30_000))),
        None,
    );
}

#[test]
fn jina_tells_what_remains() {
    says(
        &[
            ("x-ratelimit-remaining-requests", "499"),
            ("x-ratelimit-remaining-tokens", "999000"),
        ],
        Some((499.0, None, MINUTE, None)),
        Some((999_000.0, None, MINUTE, None)),
    );
}

#[test]
fn the_draft_has_lists_of_limits() {
    says(
        &[
            (
                "ratelimit-policy",
                "\"requests\";q=100;w=60, \"tokens\";q=9000;w=60",
            ),
            ("ratelimit", "\"requests\";r=50;t=30, \"tokens\";r=8000;t=7"),
        ],
        Some((50.0, Some(100.0), MINUTE, Some(30_000))),
        Some((8000.0, Some(9000.0), MINUTE, Some(7000))),
    );
}

#[test]
fn the_draft_may_come_without_a_policy() {
    says(
        &[("ratelimit", "\"default\";r=50;t=30")],
        Some((50.0, None, None, Some(30_000))),
        None,
    );
}

#[test]
fn of_two_limits_that_of_which_less_is_left_counts() {
    says(
        &[
            (
                "ratelimit-policy",
                "\"hour\";q=1000;w=3600, \"day\";q=5000;w=86400",
            ),
            ("ratelimit", "\"hour\";r=900;t=1800, \"day\";r=12;t=40000"),
        ],
        Some((12.0, Some(5000.0), Some(86_400), Some(40_000_000))),
        None,
    );
}

#[test]
fn the_draft_had_one_header_before() {
    says(
        &[("ratelimit", "limit=100, remaining=50, reset=5")],
        Some((50.0, Some(100.0), None, Some(5000))),
        None,
    );
}

#[test]
fn the_draft_had_three_headers_at_first() {
    says(
        &[
            ("ratelimit-limit", "100, 100;w=60"),
            ("ratelimit-remaining", "50"),
            ("ratelimit-reset", "5"),
        ],
        Some((50.0, Some(100.0), None, Some(5000))),
        None,
    );
}

#[test]
fn what_says_nothing_of_rates_is_no_report() {
    for pairs in [
        &[("content-type", "application/json"), ("x-request-id", "1")][..],
        &[("x-ratelimit-limit-requests", "100")],
        &[("x-ratelimit-remaining-images", "3")],
        &[("x-ratelimit-remaining-requests", "-1")],
        &[("x-ratelimit-remaining-requests", "many")],
        &[("x-note", "no ratelimit here")],
        &[("ratelimit", "")],
        &[("ratelimit", ";;,=,\"a\";r=")],
    ] {
        assert_eq!(read(pairs), None, "{pairs:?}");
    }
}

#[test]
fn resets_are_spans_and_dates() {
    for (value, milliseconds) in [
        ("7", Some(7000)),
        ("0.5", Some(500)),
        ("120ms", Some(120)),
        ("1m30s", Some(90_000)),
        ("1714564830", Some(30_000)),
        ("1714564830000", Some(30_000)),
        ("1714560000", Some(0)),
        ("2024-05-01T12:00:30Z", Some(30_000)),
        ("2024-05-01T14:00:30.250+02:00", Some(30_250)),
        ("2024-05-01T11:59:30Z", Some(0)),
        ("2024-02-29T00:00:00Z", Some(0)),
        ("2025-05-01T12:00:00Z", Some(365 * 86_400_000)),
        ("2024-05-01", None),
        ("2024-13-01T12:00:30Z", None),
        ("soon", None),
        ("", None),
        ("-5", None),
    ] {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        assert_eq!(
            reset(value, now),
            milliseconds.map(Duration::from_millis),
            "{value}"
        );
    }
}
