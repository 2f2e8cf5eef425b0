//! Terms: what they parse to, what a request keeps.

use super::*;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

fn slo(text: &str) -> Slo {
    Slo::parse(text).unwrap()
}

#[test]
fn terms_parse_to_a_quantity_and_a_limit() {
    let p99 = Statistic::Quantile(0.99);
    let p999 = Statistic::Quantile(0.999);
    for (text, quantity, limit) in [
        ("ttft_p99<500ms", Quantity::Time(Metric::Ttft, p99), 0.5),
        (
            " latency_p999 <= 2 s ",
            Quantity::Time(Metric::Latency, p999),
            2.0,
        ),
        (
            "latency_p99.9<1m",
            Quantity::Time(Metric::Latency, p999),
            60.0,
        ),
        (
            "itl_mean<250us",
            Quantity::Time(Metric::Itl, Statistic::Mean),
            0.000_25,
        ),
        (
            "first_byte_max<1s",
            Quantity::Time(Metric::FirstByte, Statistic::Max),
            1.0,
        ),
        ("error_rate<1%", Quantity::ErrorRate, 0.01),
        ("error_rate<0.01", Quantity::ErrorRate, 0.01),
        ("rate>100", Quantity::Rate(Throughput::Requests), 100.0),
        ("goodput>=12.5/s", Quantity::Rate(Throughput::Goodput), 12.5),
    ] {
        let slo = slo(text);
        assert_eq!(slo.quantity, quantity, "{text}");
        assert!((slo.limit - limit).abs() < 1e-12, "{text}: {}", slo.limit);
        assert_eq!(slo.inclusive, text.contains('='), "{text}");
        assert_eq!(Slo::parse(&slo.to_string()).unwrap(), slo);
    }
}

#[test]
fn what_is_no_term_is_refused_with_what_would_be_right() {
    for (text, says) in [
        ("", "has no comparison"),
        ("ttft_p99", "ttft_p99<500ms"),
        (
            "ttfb_p99<1s",
            "latency, service, queue, first_byte, ttft, itl, tpot",
        ),
        ("ttfb_p99<1s", "error_rate, rate, goodput"),
        ("ttft<1s", "ttft_p50, ttft_p90"),
        ("ttft_p0<1s", "between p0 and p100"),
        ("ttft_p100<1s", "_max is the longest"),
        ("ttft_pfast<1s", "no percentile"),
        ("ttft_p99<500", "us, ms, s or m"),
        ("ttft_p99<5h", "us, ms, s or m"),
        ("ttft_p99<-5ms", "not negative"),
        ("ttft_p99<ms", "not negative"),
        ("ttft_p99>5ms", "use < or <="),
        ("rate<100", "use > or >="),
        ("error_rate<2", "more than all"),
        ("error_rate<1ms", "write 1% or 0.01"),
        ("rate>1ms", "100/s"),
    ] {
        let error = Slo::parse(text).unwrap_err();
        assert!(error.is_config());
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
}

#[test]
fn a_good_request_keeps_its_own_times() {
    let mut sample = Sample::success(100 * MS, 400 * MS);
    assert!(slo("latency_p50<401ms").is_kept_by(&sample));
    assert!(!slo("latency_p50<400ms").is_kept_by(&sample));
    assert!(slo("latency_p50<=400ms").is_kept_by(&sample));
    assert!(slo("error_rate<1%").is_kept_by(&sample));
    // Not streamed: nothing is known of its tokens.
    assert!(!slo("ttft_p99<1s").is_kept_by(&sample));
    assert!(!slo("itl_p99<1s").is_kept_by(&sample));
    assert!(!slo("tpot_p99<1s").is_kept_by(&sample));
    // One token: no time between tokens.
    sample.first_token = Some(150 * MS);
    assert!(slo("ttft_p99<51ms").is_kept_by(&sample));
    assert!(slo("itl_p99<1ms").is_kept_by(&sample));
    assert!(slo("tpot_p99<1ms").is_kept_by(&sample));
    assert!(slo("itl_mean<1ms").is_kept_by(&sample));
}

#[test]
fn of_its_token_gaps_a_request_keeps_the_share_that_is_named() {
    let mut sample = Sample::success(Duration::ZERO, 400 * MS);
    sample.first_token = Some(10 * MS);
    sample.token_gaps = vec![10 * MS, 10 * MS, 10 * MS, 90 * MS];
    assert!(slo("itl_p75<11ms").is_kept_by(&sample));
    assert!(!slo("itl_p90<11ms").is_kept_by(&sample));
    assert!(slo("itl_mean<31ms").is_kept_by(&sample));
    assert!(!slo("itl_max<90ms").is_kept_by(&sample));
    assert!(slo("itl_max<=90ms").is_kept_by(&sample));
    assert!(slo("tpot_p50<31ms").is_kept_by(&sample));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,24}", tail in "(latency|itl|error_rate|rate|ttft)[_p0-9.<>=%ms/]{0,12}") {
        drop(Slo::parse(&text));
        drop(Slo::parse(&tail));
    }
}
