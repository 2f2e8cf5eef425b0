//! Comparisons: what is a regression, what is noise.

use super::*;
use crate::bench::report::tests::run;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A run of lognormal-like latencies around `median` milliseconds.
fn noisy(seed: u64, count: u32, median: f64) -> Report {
    let mut random = StdRng::seed_from_u64(seed);
    let times: Vec<f64> = (0..count)
        .map(|_| {
            let spread: f64 = (0..6).map(|_| random.random_range(-0.2..0.2)).sum();
            median * spread.exp()
        })
        .collect();
    run(count, &["latency_p99<1s"], |index| times[index as usize])
}

fn row<'a>(comparison: &'a Comparison, name: &str) -> &'a ComparedFigure {
    let found = comparison.rows.iter().find(|row| row.name == name);
    found.unwrap_or_else(|| panic!("{name} in {comparison}"))
}

#[test]
fn twice_as_slow_is_a_regression() {
    let comparison = compare(&[noisy(1, 2000, 50.0)], &[noisy(2, 2000, 100.0)], 0.05).unwrap();
    let p50 = row(&comparison, "latency p50");
    assert!(
        p50.low < 2.0 && p50.high > 2.0 && p50.high - p50.low < 0.5,
        "{comparison}"
    );
    assert_eq!(p50.outcome, Outcome::Regressed);
    assert_ne!(row(&comparison, "requests").outcome, Outcome::Regressed);
    assert_eq!(row(&comparison, "error rate").outcome, Outcome::Same);
    assert!(comparison.regressed());
    let text = comparison.text(100);
    assert!(
        text.starts_with("REGRESSION beyond 5.00 %: latency"),
        "{text}"
    );
    assert!(text.contains("1 pair of runs"), "{text}");
    let other_way = compare(&[noisy(2, 2000, 100.0)], &[noisy(1, 2000, 50.0)], 0.05).unwrap();
    assert_eq!(row(&other_way, "latency p50").outcome, Outcome::Better);
    assert!(!other_way.regressed());
}

#[test]
fn what_the_tolerance_allows_is_none() {
    let (old, new) = (noisy(1, 2000, 50.0), noisy(1, 2000, 60.0));
    let of = |tolerance| {
        compare(
            std::slice::from_ref(&old),
            std::slice::from_ref(&new),
            tolerance,
        )
    };
    assert!(of(0.05).unwrap().regressed());
    let tolerated = of(0.5).unwrap();
    assert!(!tolerated.regressed(), "{tolerated}");
    assert_eq!(row(&tolerated, "latency p50").outcome, Outcome::Worse);
}

/// 99 % intervals: of 40 comparisons of equals, hardly any may claim a difference.
#[test]
fn equals_are_not_told_apart() {
    let mut claims = 0;
    for seed in 0..40 {
        let (old, new) = (noisy(2 * seed, 600, 50.0), noisy(2 * seed + 1, 600, 50.0));
        let comparison = compare(&[old], &[new], 0.0).unwrap();
        let outcome = row(&comparison, "latency p50").outcome;
        claims += u32::from(matches!(outcome, Outcome::Better | Outcome::Regressed));
    }
    assert!(claims <= 3, "{claims} of 40");
}

#[test]
fn five_pairs_show_what_differs_between_runs() {
    // Runs of the same system drift by 30 %, both of a pair alike; the candidate is 10 % slower.
    let drift = [1.0, 1.3, 0.9, 1.1, 1.2];
    let runs = |slower: f64, first: u64| -> Vec<Report> {
        let seeds = first..;
        drift
            .iter()
            .zip(seeds)
            .map(|(drift, seed)| noisy(seed, 3000, 50.0 * drift * slower))
            .collect()
    };
    let comparison = compare(&runs(1.0, 0), &runs(1.1, 100), 0.05).unwrap();
    let p50 = row(&comparison, "latency p50");
    assert!(p50.low > 1.05 && p50.high < 1.15, "{comparison}");
    assert!(
        comparison.regressed() && comparison.notes.is_empty(),
        "{comparison}"
    );
    // Not in pairs, the drift hides it.
    let mut shuffled = runs(1.1, 100);
    shuffled.rotate_left(2);
    let unpaired = compare(&runs(1.0, 0), &shuffled, 0.05).unwrap();
    assert_eq!(
        row(&unpaired, "latency p50").outcome,
        Outcome::Unclear,
        "{unpaired}"
    );
}

#[test]
fn a_short_run_is_compared_by_its_counts() {
    let short = |median| {
        let mut report = noisy(3, 80, median);
        report.timeline.slots.truncate(3);
        report
    };
    let comparison = compare(&[short(50.0)], &[short(100.0)], 0.05).unwrap();
    let p50 = row(&comparison, "latency p50");
    assert!(
        p50.low < 2.0 && p50.high > 2.0 && comparison.regressed(),
        "{comparison}"
    );
    assert!(
        comparison.rows.iter().all(|row| row.name != "latency p99"),
        "below its floor"
    );
}

#[test]
fn failing_is_a_regression() {
    let old = noisy(1, 1000, 50.0);
    let mut new = old.clone();
    (new.requests.succeeded, new.requests.failed) = (900, 100);
    new.complete();
    let comparison = compare(std::slice::from_ref(&old), &[new.clone()], 0.05).unwrap();
    assert_eq!(
        row(&comparison, "error rate").outcome,
        Outcome::Regressed,
        "{comparison}"
    );
    (
        new.requests.succeeded,
        new.requests.good,
        new.requests.failed,
    ) = (0, 0, 1000);
    new.complete();
    let comparison = compare(&[old], &[new], 0.05).unwrap();
    assert_eq!(
        row(&comparison, "requests").outcome,
        Outcome::Regressed,
        "{comparison}"
    );
}

#[test]
fn unlike_runs_are_compared_with_a_note() {
    let old = run(100, &[], |_| 10.0);
    let mut new = old.clone();
    new.config["users"] = 16.into();
    new.requests.planned += 1;
    new.complete();
    let notes = compare(std::slice::from_ref(&old), &[new], 0.05)
        .unwrap()
        .notes
        .join("\n");
    assert!(
        notes.contains("config.users differs: 8, then 16"),
        "{notes}"
    );
    assert!(notes.contains("candidate 1: NOT VALID"), "{notes}");
    for (ours, theirs, tolerance) in [(0, 0, 0.05), (1, 2, 0.05), (1, 1, f64::NAN), (1, 1, -0.1)] {
        let runs = |count| vec![old.clone(); count];
        assert!(compare(&runs(ours), &runs(theirs), tolerance).is_err());
    }
}
