//! Several runs as one: the same load from several machines at the same time.
//!
//! Counts and histograms are added, bucket for bucket; percentiles are taken from the sum. Rates are
//! those of all machines together: the counts over the longest of the runs.

use super::layout::{MergedRun, Report};
use crate::bench::measure::{FAILURES_KEPT, Timeline};
use crate::error::{Error, Result};
use serde_json::Value;

/// Keys of the configuration that may differ between machines: what makes each machine's load its
/// own, and where its files go.
const MAY_DIFFER: [&str; 7] = [
    "seed",
    "workers",
    "report_json",
    "report_csv",
    "report_html",
    "hdr_log",
    "quiet",
];

/// Merges the reports of runs that were made at the same time with the same configuration.
///
/// # Errors
///
/// When there is no report, or when two differ in their load model, configuration (other than the
/// seed, the number of threads and the names of files), data set or thresholds: the error names the
/// difference.
pub fn merge(reports: Vec<Report>) -> Result<Report> {
    let mut reports = reports.into_iter();
    let first = reports
        .next()
        .ok_or_else(|| Error::config("merge needs at least one report"))?;
    let rest: Vec<Report> = reports.collect();
    if rest.is_empty() {
        return Ok(first);
    }
    for (index, other) in rest.iter().enumerate() {
        if let Some(difference) = difference(&first, other) {
            return Err(Error::config(format!(
                "reports 1 and {} cannot be merged: {difference}",
                index + 2
            )));
        }
    }
    let timelines: Vec<Timeline> = std::iter::once(&first)
        .chain(&rest)
        .map(|report| report.timeline.clone())
        .collect();
    let mut merged = Report {
        merged: own(&first),
        ..first
    };
    for other in &rest {
        add(&mut merged, other);
    }
    merged.timeline = Timeline::merged(&timelines);
    merged.complete();
    Ok(merged)
}

/// The runs that a report is of.
fn own(report: &Report) -> Vec<MergedRun> {
    if !report.merged.is_empty() {
        return report.merged.clone();
    }
    vec![MergedRun {
        started_at: report.started_at.clone(),
        seed: report.seed,
        host: report.host.clone(),
        valid: report.valid,
        verdict: report.verdict.clone(),
    }]
}

fn add(sum: &mut Report, other: &Report) {
    sum.merged.extend(own(other));
    sum.interrupted |= other.interrupted;
    if other.started_at < sum.started_at {
        sum.started_at.clone_from(&other.started_at);
    }
    let steady_s = sum.steady_s().max(other.steady_s());
    sum.warmup_s = sum.warmup_s.max(other.warmup_s);
    sum.duration_s = sum.warmup_s + steady_s;
    let (mine, others) = (&mut sum.requests, &other.requests);
    mine.planned += others.planned;
    mine.sent += others.sent;
    mine.dropped += others.dropped;
    mine.total += others.total;
    mine.succeeded += others.succeeded;
    mine.failed += others.failed;
    mine.cancelled += others.cancelled;
    mine.good += others.good;
    mine.attempts += others.attempts;
    mine.bytes += others.bytes;
    let (mine, others) = (&mut sum.tokens, &other.tokens);
    mine.prompt += others.prompt;
    mine.completion += others.completion;
    mine.estimated_requests += others.estimated_requests;
    mine.unknown_requests += others.unknown_requests;
    for (kind, count) in &other.errors {
        *sum.errors.entry(kind.clone()).or_default() += count;
    }
    let room = FAILURES_KEPT.saturating_sub(sum.failures.len());
    sum.failures
        .extend(other.failures.iter().take(room).cloned());
    sum.warmup.sent += other.warmup.sent;
    sum.warmup.succeeded += other.warmup.succeeded;
    sum.warmup.failed += other.warmup.failed;
    sum.warmup.attempts += other.warmup.attempts;
    sum.warmup.latency.merge(&other.warmup.latency);
    sum.client.cpu_s += other.client.cpu_s;
    sum.client.cores += other.client.cores;
    sum.client.ceiling_per_s = sum
        .client
        .ceiling_per_s
        .zip(other.client.ceiling_per_s)
        .map(|(mine, others)| mine + others);
    for note in &other.notes {
        if !sum.notes.contains(note) {
            sum.notes.push(note.clone());
        }
    }
    sum.histograms.merge(&other.histograms);
}

/// What keeps two reports apart, in words.
fn difference(first: &Report, other: &Report) -> Option<String> {
    let apart = |what: &str, mine: &dyn std::fmt::Display, others: &dyn std::fmt::Display| {
        Some(format!(
            "{what} is {mine} in the one and {others} in the other"
        ))
    };
    if first.load_model != other.load_model {
        return apart("load_model", &first.load_model, &other.load_model);
    }
    if let Some((path, mine, others)) = differences(&first.config, &other.config).first() {
        return apart(&format!("config.{path}"), mine, others);
    }
    if first.data_set != other.data_set {
        let told = |report: &Report| report.data_set.clone().unwrap_or_else(|| "none".into());
        return apart("data_set", &told(first), &told(other));
    }
    let terms = |report: &Report| {
        let terms = report.slo.iter().map(|result| result.term.to_string());
        terms.collect::<Vec<_>>().join(" ")
    };
    if terms(first) != terms(other) {
        return apart("slo", &terms(first), &terms(other));
    }
    None
}

/// Where two configurations differ: the path, and both values. Keys that may differ are left out.
pub(super) fn differences(first: &Value, other: &Value) -> Vec<(String, Value, Value)> {
    let mut found = Vec::new();
    walk("", first, other, &mut found);
    found
}

fn walk(path: &str, first: &Value, other: &Value, found: &mut Vec<(String, Value, Value)>) {
    let (Value::Object(mine), Value::Object(others)) = (first, other) else {
        if first != other {
            found.push((path.to_owned(), first.clone(), other.clone()));
        }
        return;
    };
    let keys = mine
        .keys()
        .chain(others.keys().filter(|key| !mine.contains_key(*key)));
    for key in keys.filter(|key| !MAY_DIFFER.contains(&key.as_str())) {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let value = |of: &serde_json::Map<String, Value>| of.get(key).cloned().unwrap_or_default();
        walk(&path, &value(mine), &value(others), found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::measure::{Metric, Sample, TimeHistogram, record_all, samples};
    use crate::bench::report::tests::{facts, run};
    use proptest::prelude::*;

    #[test]
    fn rates_are_those_of_all_machines_together() {
        let one = run(1000, &["latency_p99<1s"], |_| 100.0);
        let merged = merge(vec![one.clone(), one.clone(), one.clone()]).unwrap();
        assert_eq!(merged.requests.succeeded, 3000);
        assert_eq!(merged.requests.planned, 3000);
        assert!((merged.rates.requests_per_s - 300.0).abs() < 1e-9);
        assert_eq!(merged.merged.len(), 3);
        assert!(merged.summary(100).contains("3 runs, each closed loop"));
        assert!(merged.valid, "{}", merged.verdict);
        assert_eq!(merged.client.ceiling_share, one.client.ceiling_share);
        assert_eq!(merged.slo[0].met, one.slo[0].met);
        assert_eq!(merge(vec![one.clone()]).unwrap(), one);
        assert!(merge(Vec::new()).is_err());
    }

    #[test]
    fn one_bad_client_makes_the_whole_invalid() {
        let good = run(1000, &[], |_| 100.0);
        let mut bad = good.clone();
        bad.requests.planned += 1;
        bad.complete();
        let merged = merge(vec![good, bad]).unwrap();
        assert!(
            !merged.valid && merged.verdict.contains("run 2: NOT VALID"),
            "{}",
            merged.verdict
        );
    }

    #[test]
    fn what_differs_is_refused_and_named() {
        let one = run(100, &["rate>1"], |_| 100.0);
        let edited = |edit: &dyn Fn(&mut Report)| {
            let mut other = one.clone();
            edit(&mut other);
            merge(vec![one.clone(), other]).map_err(|error| error.to_string())
        };
        for (says, edit) in [
            (
                "config.users is 8 in the one and 9 in the other",
                &(|other: &mut Report| {
                    other.config["users"] = 9.into();
                }) as &dyn Fn(&mut Report),
            ),
            ("config.rate is null in the one and 5 in", &|other| {
                other.config["rate"] = 5.into();
            }),
            ("load_model is closed loop, 8 users", &|other| {
                other.load_model = "open".into();
            }),
            ("data_set is 5f1d in the one and none in", &|other| {
                other.data_set = None;
            }),
            ("slo is rate>1 in the one and  in the", &|other| {
                other.slo.clear();
            }),
        ] {
            let error = edited(edit).unwrap_err();
            assert!(
                error.contains("reports 1 and 2") && error.contains(says),
                "{error}"
            );
        }
        edited(&|other| {
            other.config["seed"] = 99.into();
            // By default one a core, and machines differ.
            other.config["workers"] = 64.into();
        })
        .unwrap();
        edited(&|other| {
            other.config["report_json"] = "b.json".into();
        })
        .unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        /// METHOD 8.
        #[test]
        fn merged_is_pooled_bucket_for_bucket(
            first in prop::collection::vec(1u32..5000, 1..50),
            second in prop::collection::vec(1u32..5000, 1..50),
        ) {
            let of = |times: &[u32]| {
                let count = u32::try_from(times.len()).unwrap();
                run(count, &[], |index| f64::from(times[index as usize]))
            };
            let merged = merge(vec![of(&first), of(&second)]).unwrap();
            let mut pooled = TimeHistogram::new();
            for time in first.iter().chain(&second) {
                pooled.record(std::time::Duration::from_millis((*time).into()));
            }
            prop_assert_eq!(merged.histograms.get(Metric::Latency), Some(&pooled));
            let in_slots: u64 = merged.timeline.slots.iter().map(|slot| slot.latency.count()).sum();
            prop_assert_eq!(in_slots, pooled.count());
            // And merging is the same in any order and grouping.
            let again = merge(vec![of(&second), of(&first)]).unwrap();
            prop_assert_eq!(&again.latency_ms, &merged.latency_ms);
            prop_assert_eq!(&again.requests, &merged.requests);
        }

        /// METHOD 8: however samples are spread over runs, the merged report is the pooled one, bucket
        /// for bucket.
        #[test]
        fn merged_is_pooled(samples in samples()) {
            let part = |wanted: Option<bool>| {
                let part: Vec<Sample> = samples.iter()
                    .filter(|(_, first)| wanted.is_none_or(|wanted| *first == wanted))
                    .map(|(sample, _)| sample.clone()).collect();
                Report::new(record_all(&part), facts(part.len() as u64))
            };
            let pooled = part(None);
            let merged = merge(vec![part(Some(true)), part(Some(false))]).unwrap();
            prop_assert_eq!(&merged.requests, &pooled.requests);
            prop_assert_eq!(&merged.tokens, &pooled.tokens);
            prop_assert_eq!(&merged.errors, &pooled.errors);
            prop_assert_eq!(&merged.histograms, &pooled.histograms);
            prop_assert_eq!(&merged.latency_ms, &pooled.latency_ms);
            prop_assert_eq!(&merged.warmup, &pooled.warmup);
            prop_assert_eq!(&merged.rates, &pooled.rates);
        }
    }
}
