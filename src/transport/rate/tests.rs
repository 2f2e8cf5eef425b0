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

#[test]
fn each_service_is_understood() {
    let openai: &[(&str, &str)] = &[
        ("x-ratelimit-limit-requests", "3000"),
        ("x-ratelimit-limit-tokens", "1000000"),
        ("x-ratelimit-remaining-requests", "2999"),
        ("x-ratelimit-remaining-tokens", "999994"),
        ("x-ratelimit-reset-requests", "20ms"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ];
    let azure: &[(&str, &str)] = &[
        ("x-ratelimit-remaining-requests", "119"),
        ("x-ratelimit-remaining-tokens", "119984"),
    ];
    let mistral: &[(&str, &str)] = &[
        ("x-ratelimit-limit-req-minute", "360"),
        ("x-ratelimit-limit-tokens-minute", "500000"),
        ("x-ratelimit-limit-tokens-month", "1000000000"),
        ("x-ratelimit-remaining-req-minute", "359"),
        ("x-ratelimit-remaining-tokens-minute", "499990"),
        ("x-ratelimit-remaining-tokens-month", "999999990"),
        ("x-ratelimit-tokens-query-cost", "10"),
    ];
    let anthropic: &[(&str, &str)] = &[
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
    ];
    let cohere: &[(&str, &str)] = &[
        ("x-ratelimit-limit", "100"),
        ("x-ratelimit-remaining", "7"),
        ("x-ratelimit-reset", "1714564830"),
    ];
    let jina: &[(&str, &str)] = &[
        ("x-ratelimit-remaining-requests", "499"),
        ("x-ratelimit-remaining-tokens", "999000"),
    ];
    let draft: &[(&str, &str)] = &[
        (
            "ratelimit-policy",
            "\"requests\";q=100;w=60, \"tokens\";q=9000;w=60",
        ),
        ("ratelimit", "\"requests\";r=50;t=30, \"tokens\";r=8000;t=7"),
    ];
    let draft_alone: &[(&str, &str)] = &[("ratelimit", "\"default\";r=50;t=30")];
    let draft_of_two: &[(&str, &str)] = &[
        (
            "ratelimit-policy",
            "\"hour\";q=1000;w=3600, \"day\";q=5000;w=86400",
        ),
        ("ratelimit", "\"hour\";r=900;t=1800, \"day\";r=12;t=40000"),
    ];
    let older: &[(&str, &str)] = &[("ratelimit", "limit=100, remaining=50, reset=5")];
    let oldest: &[(&str, &str)] = &[
        ("ratelimit-limit", "100, 100;w=60"),
        ("ratelimit-remaining", "50"),
        ("ratelimit-reset", "5"),
    ];
    let minute = Some(60);
    let table: [(&str, &[(&str, &str)], Option<Told>, Option<Told>); 11] = [
        (
            "OpenAI",
            openai,
            Some((2999.0, Some(3000.0), minute, Some(20))),
            Some((999_994.0, Some(1e6), minute, Some(360_000))),
        ),
        (
            "Azure",
            azure,
            Some((119.0, None, minute, None)),
            Some((119_984.0, None, minute, None)),
        ),
        (
            "Mistral",
            mistral,
            Some((359.0, Some(360.0), minute, None)),
            Some((499_990.0, Some(5e5), minute, None)),
        ),
        (
            "Anthropic",
            anthropic,
            Some((49.0, Some(50.0), minute, Some(1000))),
            Some((19_000.0, Some(20_000.0), minute, Some(3000))),
        ),
        (
            "Cohere",
            cohere,
            Some((7.0, Some(100.0), None, Some(30_000))),
            None,
        ),
        (
            "Jina",
            jina,
            Some((499.0, None, minute, None)),
            Some((999_000.0, None, minute, None)),
        ),
        (
            "draft",
            draft,
            Some((50.0, Some(100.0), minute, Some(30_000))),
            Some((8000.0, Some(9000.0), minute, Some(7000))),
        ),
        (
            "draft alone",
            draft_alone,
            Some((50.0, None, None, Some(30_000))),
            None,
        ),
        (
            "two limits",
            draft_of_two,
            Some((12.0, Some(5000.0), Some(86_400), Some(40_000_000))),
            None,
        ),
        (
            "older",
            older,
            Some((50.0, Some(100.0), None, Some(5000))),
            None,
        ),
        (
            "oldest",
            oldest,
            Some((50.0, Some(100.0), None, Some(5000))),
            None,
        ),
    ];
    for (service, headers, requests, tokens) in table {
        let expected = RateReport {
            requests: requests.map(allowance),
            tokens: tokens.map(allowance),
        };
        assert_eq!(read(headers), Some(expected), "{service}");
    }
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
