//! The highest rate at which every threshold holds.
//!
//! Rates are doubled until one does not hold, then halved in between until what is left is small,
//! and what was found must hold again: a single good run of a noisy service says little.

use super::plan::{BenchmarkConfig, Stage};
use super::report::{Report, measured};
use super::run::run_unwatched;
use crate::caller::refuse_inside_runtime;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a search goes about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SearchSettings {
    /// The rate that is tried first, in requests a second.
    pub from: f64,
    /// No higher rate is tried.
    pub to: f64,
    /// The search ends when the rate that holds and the one that does not are so close, as a share.
    pub tolerance: f64,
    /// How many times what was found must hold again.
    pub repeats: u32,
    /// How long each trial lasts, beside the configuration's warm-up.
    pub trial: Duration,
}

impl Default for SearchSettings {
    /// From 1 to a million requests a second, to within 5 %, confirmed twice, 10 s each.
    fn default() -> Self {
        Self {
            from: 1.0,
            to: 1e6,
            tolerance: 0.05,
            repeats: 2,
            trial: Duration::from_secs(10),
        }
    }
}

impl SearchSettings {
    fn check(&self) -> Result<()> {
        let bad = |text: String| Err(Error::config(text));
        if !(self.from > 0.0 && self.from <= self.to && self.to <= 1e7) {
            return bad(format!(
                "the rates must be above 0, the first at most the last, and that at most 10000000 \
                 (got {} to {})",
                self.from, self.to
            ));
        }
        if !(0.001..=1.0).contains(&self.tolerance) {
            return bad(format!(
                "tolerance must be between 0.001 and 1 (got {})",
                self.tolerance
            ));
        }
        Ok(())
    }
}

/// One trial of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trial {
    /// Requests a second that were asked for.
    pub rate: f64,
    /// Every threshold held, some request succeeded, and the client kept up.
    pub holds: bool,
    /// It was one of the repeats that confirm.
    pub confirms: bool,
    /// What it gave.
    pub report: Report,
}

impl Trial {
    /// Why it did not hold, in words; `None` where it did.
    #[must_use]
    pub fn obstacle(&self) -> Option<String> {
        if self.holds {
            return None;
        }
        let report = &self.report;
        if report.requests.succeeded == 0 {
            return Some("no request succeeded".to_owned());
        }
        let broken = report.slo.iter().filter(|result| !result.met);
        let mut reasons: Vec<String> = broken
            .map(|result| format!("{}, was {}", result.term, measured(result)))
            .collect();
        if !report.valid {
            reasons.push(report.verdict.clone());
        }
        Some(reasons.join("; "))
    }
}

/// What a search gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SearchReport {
    /// The highest rate that held, and held again; `None` where none did.
    pub rate: Option<f64>,
    /// The lowest that did not hold; `None` where all did, up to the highest that may be tried.
    pub broken_at: Option<f64>,
    /// It was stopped before its end.
    #[serde(default)]
    pub interrupted: bool,
    /// All trials, in their order.
    pub trials: Vec<Trial>,
}

/// Searches, on the calling thread. `told` is called after each trial. The configuration's users,
/// mode and schedule play no part; its thresholds, warm-up and spacing of arrivals do. Where it has
/// [sessions](BenchmarkConfig::with_sessions), rates are sessions a second.
///
/// # Errors
///
/// When a setting is bad, there is no threshold, or a run cannot be made.
pub fn search(
    config: &BenchmarkConfig,
    settings: SearchSettings,
    mut told: impl FnMut(&Trial),
) -> Result<SearchReport> {
    refuse_inside_runtime()?;
    settings.check()?;
    if config.slos.is_empty() {
        return Err(Error::config("a search needs a threshold (--slo)"));
    }
    let mut bisection = Bisection::new(settings);
    let mut trials = Vec::new();
    let mut calibrated = None;
    let mut interrupted = false;
    while let Some(rate) = bisection.next() {
        let arrival = config.open.as_ref().map(|open| open.arrival);
        let stages = vec![Stage::steady(rate, settings.trial)];
        let mut run = config
            .clone()
            .with_arrivals(stages, arrival.unwrap_or_default());
        run.requests = None;
        if !trials.is_empty() {
            run.wait_ready = None;
        }
        // Once is enough: the client does not change.
        run.calibrate = config.calibrate && calibrated.is_none();
        let report = run_unwatched(&run)?;
        calibrated = calibrated.or(report.client.ceiling_per_s);
        if report.interrupted {
            interrupted = true;
            break;
        }
        let holds = report.requests.succeeded > 0 && report.meets_slos() && report.valid;
        let trial = Trial {
            rate,
            holds,
            confirms: bisection.is_confirming(),
            report,
        };
        told(&trial);
        bisection.told(holds);
        trials.push(trial);
    }
    Ok(SearchReport {
        rate: bisection.found(),
        broken_at: bisection.broken,
        interrupted,
        trials,
    })
}

/// Which rate is tried next. Knows nothing of runs.
#[derive(Debug, Clone)]
struct Bisection {
    settings: SearchSettings,
    /// The highest that held.
    held: Option<f64>,
    /// The lowest that did not.
    broken: Option<f64>,
    confirmed: u32,
    over: bool,
}

/// A rate so much below the first is not looked for.
const LOWEST: f64 = 1.0 / 1024.0;

impl Bisection {
    fn new(settings: SearchSettings) -> Self {
        Self {
            settings,
            held: None,
            broken: None,
            confirmed: 0,
            over: false,
        }
    }

    /// The rate to try, or `None` where the search is over.
    fn next(&self) -> Option<f64> {
        let SearchSettings { from, to, .. } = self.settings;
        if self.over {
            return None;
        }
        if self.is_confirming() {
            return (self.confirmed < self.settings.repeats).then_some(self.held?);
        }
        match (self.held, self.broken) {
            (None, None) => Some(from),
            (None, Some(broken)) => Some(broken / 2.0).filter(|rate| *rate >= from * LOWEST),
            (Some(held), None) => Some((held * 2.0).min(to)),
            // The middle of a ratio is the root of the product.
            (Some(held), Some(broken)) => Some((held * broken).sqrt()),
        }
    }

    /// What is left between what held and what did not is small.
    fn is_confirming(&self) -> bool {
        match (self.held, self.broken) {
            (Some(held), Some(broken)) => broken <= held * (1.0 + self.settings.tolerance),
            (Some(held), None) => held >= self.settings.to,
            _ => false,
        }
    }

    /// How the trial of [`next`](Self::next) went.
    fn told(&mut self, holds: bool) {
        let Some(rate) = self.next() else { return };
        match (self.is_confirming(), holds) {
            (true, true) => self.confirmed += 1,
            (true, false) => {
                // It held once by luck: what is below it is looked at anew.
                self.broken = Some(rate);
                self.confirmed = 0;
                let lower = rate / (1.0 + self.settings.tolerance);
                if lower >= self.settings.from * LOWEST {
                    self.held = Some(lower);
                } else {
                    self.held = None;
                    self.over = true;
                }
            }
            (false, true) => self.held = Some(rate),
            (false, false) => self.broken = Some(rate),
        }
    }

    /// What held, and was confirmed.
    fn found(&self) -> Option<f64> {
        let confirmed = self.is_confirming() && self.confirmed >= self.settings.repeats;
        self.held.filter(|_| confirmed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(settings: SearchSettings, mut holds: impl FnMut(f64) -> bool) -> (Option<f64>, usize) {
        let mut bisection = Bisection::new(settings);
        let mut trials = 0;
        while let Some(rate) = bisection.next() {
            bisection.told(holds(rate));
            trials += 1;
            assert!(trials < 1000, "it does not end");
        }
        (bisection.found(), trials)
    }

    #[test]
    fn a_service_that_always_holds_is_tried_up_to_the_end() {
        let settings = SearchSettings {
            to: 1000.0,
            ..SearchSettings::default()
        };
        assert_eq!(found(settings, |_| true).0, Some(1000.0));
        assert_eq!(found(settings, |_| false).0, None);
    }

    #[test]
    fn what_does_not_hold_again_is_not_found() {
        let mut tried = std::collections::BTreeMap::new();
        let (found, _) = found(SearchSettings::default(), |rate| {
            let times: &mut u32 = tried.entry(rate.to_bits()).or_default();
            *times += 1;
            // Above 100 it holds once.
            rate < 100.0 || (rate < 120.0 && *times == 1)
        });
        let found = found.unwrap();
        assert!((90.0..100.0).contains(&found), "{found}");
    }

    proptest! {
        #[test]
        fn the_limit_is_found_to_within_the_tolerance(
            limit in 0.01f64..1e6, from in 0.5f64..100.0, tolerance in 0.01f64..0.5
        ) {
            let settings = SearchSettings { from, to: 2e6, tolerance, ..SearchSettings::default() };
            let (found, trials) = found(settings, |rate| rate <= limit);
            if limit >= from * LOWEST * 2.0 {
                let found = found.unwrap();
                prop_assert!(found <= limit && found * (1.0 + tolerance) >= limit * 0.999);
            }
            prop_assert!(trials < 100);
        }
    }
}
