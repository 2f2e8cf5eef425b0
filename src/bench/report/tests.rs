//! Reports: figures, validity, the way to JSON and back.

use super::{Report, RunFacts};
use crate::bench::measure::{FailureKind, Recording, Sample, Slo};
use proptest::prelude::*;
use std::time::{Duration, SystemTime};

const MS: Duration = Duration::from_millis(1);

/// Facts of a run of 10 s with everything in order.
pub(in crate::bench) fn facts(planned: u64) -> RunFacts {
    RunFacts {
        config: serde_json::json!({"host": "http://127.0.0.1:8000", "users": 8}),
        seed: 7,
        load_model: "closed loop, 8 users".to_owned(),
        data_set: Some("5f1d".to_owned()),
        notes: Vec::new(),
        started_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_760_000_000),
        duration: 10_000 * MS,
        warmup: Duration::ZERO,
        planned,
        cpu: 1000 * MS,
        cores: 2,
        ceiling_per_s: Some(10_000.0),
        interrupted: false,
    }
}

/// A run of 10 s of streamed requests, whose latencies `latency` gives in milliseconds.
pub(super) fn run(count: u32, terms: &[&str], latency: impl Fn(u32) -> f64) -> Report {
    let slos = terms.iter().map(|term| Slo::parse(term).unwrap()).collect();
    let mut recording = Recording::new(slos);
    for index in 0..count {
        let at = 9000 * MS / count * index;
        let mut sample = Sample::success(at, MS.mul_f64(latency(index)));
        sample.first_byte = Some(at + MS.mul_f64(latency(index) * 0.3));
        sample.first_token = Some(at + MS.mul_f64(latency(index) * 0.4));
        sample.token_gaps = vec![MS.mul_f64(latency(index) * 0.05); 12];
        sample.chunk_gaps.clone_from(&sample.token_gaps);
        (sample.prompt_tokens, sample.completion_tokens) = (Some(100), Some(13));
        recording.record(&sample);
        recording.record_lag(MS / 10);
    }
    Report::new(recording, facts(count.into()))
}

fn recording(successes: u32, failures: u32, latency: Duration) -> Recording {
    let mut recording = Recording::new(vec![Slo::parse("latency_p99<500ms").unwrap()]);
    for index in 0..successes + failures {
        let at = index * MS;
        recording.record(&if index < successes {
            Sample::success(at, latency)
        } else {
            Sample::failure(at, MS, FailureKind::Status(503))
        });
    }
    recording
}

/// METHOD 17, and the keys that scripts rely on.
#[test]
fn the_json_has_its_keys_and_the_facts() {
    let report = run(1000, &["latency_p99<1s"], |_| 100.0);
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    for pointer in [
        "/valid",
        "/config/users",
        "/seed",
        "/load_model",
        "/data_set",
        "/versions/hedgerow",
        "/host/cores",
        "/started_at",
        "/duration_s",
        "/requests/total",
        "/requests/succeeded",
        "/requests/failed",
        "/requests/attempts",
        "/requests/dropped",
        "/requests/planned",
        "/latency_ms/mean",
        "/latency_ms/p50",
        "/latency_ms/p90",
        "/latency_ms/p95",
        "/latency_ms/p99",
        "/latency_ms/max",
        "/service_ms/p50",
        "/queue_ms/p50",
        "/ttft_ms/p50",
        "/itl_ms/p50",
        "/tpot_ms/p50",
        "/first_byte_ms/p50",
        "/lag_ms/p50",
        "/tokens/prompt",
        "/tokens/completion",
        "/rates/requests_per_s",
        "/rates/goodput_per_s",
        "/rates/prompt_tokens_per_s",
        "/rates/completion_tokens_per_s",
        "/client/cpu_share",
        "/histograms/latency",
        "/timeline/slots/0/succeeded",
        "/slo/0/met",
        "/verdict",
    ] {
        let value = json.pointer(pointer);
        assert!(
            value.is_some_and(|value| !value.is_null()),
            "{pointer}: {value:?}"
        );
    }
    assert!(json["errors"].as_object().unwrap().is_empty());
    assert_eq!(json["started_at"], "2025-10-09T08:53:20.000Z");
    // METHOD 9: 1000 samples are too few for p99.9.
    assert!(json["latency_ms"]["p999"].is_null());
    assert!(json["first_reasoning_ms"]["p50"].is_null());
}

#[test]
fn figures_follow_from_the_samples() {
    let report = run(1000, &["latency_p99<1s"], |index| {
        if index < 900 { 100.0 } else { 2000.0 }
    });
    let near = |told: Option<f64>, exact: f64| {
        let told = told.unwrap();
        assert!(
            (told - exact).abs() <= exact * 0.001 + 0.001,
            "{told} for {exact}"
        );
    };
    near(report.latency_ms.p50, 100.0);
    near(report.latency_ms.p95, 2000.0);
    near(report.ttft_ms.p50, 40.0);
    near(report.itl_ms.p50, 5.0);
    near(report.tpot_ms.p50, 5.0);
    near(Some(report.rates.requests_per_s), 100.0);
    near(Some(report.rates.goodput_per_s), 90.0);
    near(Some(report.rates.completion_tokens_per_s), 1300.0);
    assert!(!report.meets_slos());
    assert!(report.valid, "{}", report.verdict);
}

/// METHOD 11: refusing half, and fast, makes nothing better.
#[test]
fn a_server_that_refuses_half_scores_no_better() {
    let whole = Report::new(recording(2000, 0, 100 * MS), facts(2000));
    let half = Report::new(recording(1000, 1000, 100 * MS), facts(2000));
    assert!(half.rates.requests_per_s < whole.rates.requests_per_s);
    assert!(half.rates.goodput_per_s <= whole.rates.goodput_per_s / 2.0 + 1e-9);
    assert!(half.latency_ms.p50 >= whole.latency_ms.p50);
    assert!(half.latency_ms.mean >= whole.latency_ms.mean);
    assert_eq!(half.error_rate(), Some(0.5));
    assert_eq!(half.errors, [("http_503".to_owned(), 1000)].into());
    assert!(whole.meets_slos() && !half.meets_slos());
    let note = half.slo[0].note.as_ref().unwrap();
    assert!(note.contains("1000 of 2000 requests failed"), "{note}");
}

#[test]
fn a_quantile_of_an_slo_is_over_all_requests() {
    // 10 of 1000 fail: p99 is then the slowest success, p98 not quite.
    let report = Report::new(recording(990, 10, 100 * MS), facts(1000));
    let check = |term: &str| Slo::parse(term).unwrap().evaluate(&report);
    assert!(check("latency_p99<101ms").met);
    assert!(!check("latency_p99.1<10s").met);
    assert!(!check("latency_max<10s").met);
    assert!(check("latency_mean<101ms").met);
    assert!(check("error_rate<=1%").met);
    assert!(!check("error_rate<1%").met);
    assert!(check("rate>98").met && !check("rate>=100").met);
    assert!(!check("ttft_p50<10s").met, "no sample");
}

#[test]
fn below_the_floor_the_longest_is_compared() {
    let mut samples = recording(49, 0, 100 * MS);
    samples.record(&Sample::success(Duration::ZERO, 300 * MS));
    let report = Report::new(samples, facts(50));
    let check = |term: &str| Slo::parse(term).unwrap().evaluate(&report);
    assert!(!check("latency_p90<200ms").met);
    assert!(check("latency_p90<301ms").met);
    assert!(check("latency_p50<200ms").met);
    let note = check("latency_p99<1s").note.unwrap();
    assert!(note.contains("50 samples are too few"), "{note}");
}

/// METHOD 2 and 13.
#[test]
fn the_first_words_say_whether_the_client_was_the_bottleneck() {
    let verdict = |edit: &dyn Fn(&mut Recording, &mut RunFacts)| {
        let (mut recording, mut facts) = (recording(1000, 0, 100 * MS), facts(1000));
        edit(&mut recording, &mut facts);
        let report = Report::new(recording, facts);
        assert_eq!(report.valid, report.verdict.starts_with("VALID: "));
        assert!(report.valid || report.verdict.starts_with("NOT VALID: "));
        report.verdict
    };
    let kept_up = verdict(&|_, _| {});
    assert!(
        kept_up.contains("5 % of 2 cores used, at 1 % of its ceiling"),
        "{kept_up}"
    );
    for (says, edit) in [
        (
            "the client was the bottleneck: it used 95 % of its 2 cores (above 90 %)",
            &(|_: &mut Recording, facts: &mut RunFacts| facts.cpu = 19_000 * MS)
                as &dyn Fn(&mut Recording, &mut RunFacts),
        ),
        (
            "the client was the bottleneck: it was at 91 % of the 110 requests/s",
            &|_, facts| facts.ceiling_per_s = Some(110.0),
        ),
        (
            "the client was the bottleneck: it was 50.0 ms behind its schedule at the p99",
            &|recording, _| (0..1000).for_each(|_| recording.record_lag(50 * MS)),
        ),
        (
            "50.0 ms behind its schedule at the p50, and 10.0 ms are allowed",
            &|recording, _| recording.record_lag(50 * MS),
        ),
        (
            "100 of 1100 planned requests were never sent",
            &|recording, facts| {
                recording.drop_planned(100);
                facts.planned = 1100;
            },
        ),
        (
            "the counts do not add up: 1001 planned, 1000 sent, 0 dropped",
            &|_, facts| facts.planned = 1001,
        ),
    ] {
        let verdict = verdict(edit);
        assert!(
            verdict.starts_with("NOT VALID: ") && verdict.contains(says),
            "{verdict}"
        );
    }
    let small_lag = verdict(&|recording, _| {
        (0..1000).for_each(|_| recording.record_lag(9 * MS));
    });
    assert!(small_lag.contains("schedule lag p99 9.0"), "{small_lag}");
}

#[test]
fn a_run_without_any_request_has_a_report() {
    let report = Report::new(Recording::new(Vec::new()), facts(0));
    assert_eq!(report.error_rate(), None);
    assert_eq!(report.latency_ms.count, 0);
    assert_eq!(Report::from_json(&report.to_json()).unwrap(), report);
}

#[test]
fn what_is_no_report_is_refused() {
    for text in ["", "{}", "[1]", r#"{"format": 1}"#] {
        let error = Report::from_json(text).unwrap_err();
        assert!(error.to_string().contains("not a report"), "{error}");
    }
    let mut newer = run(3, &[], |_| 1.0);
    newer.format = 2;
    let error = Report::from_json(&newer.to_json()).unwrap_err();
    assert!(error.to_string().contains("layout 2"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn a_report_survives_json(count in 1u32..300, spread in 1.0f64..1000.0) {
        let report = run(count, &["ttft_p90<1s", "rate>5"], |index| {
            1.0 + spread * f64::from(index % 17)
        });
        let back = Report::from_json(&report.to_json()).unwrap();
        prop_assert_eq!(&back, &report);
        let mut again = back.clone();
        again.complete();
        prop_assert_eq!(again, report);
    }
}
