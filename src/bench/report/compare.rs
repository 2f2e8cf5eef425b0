//! Two systems beside each other: ratios with intervals, and whether the second one regressed.

mod figures;

mod spread;

use super::layout::Report;
use super::merge::differences;
use super::summary::{bare, flush_left};
use crate::bench::figure::{counted, percent, plain};
use crate::error::{Error, Result};
use comfy_table::CellAlignment;
use figures::Figure;
use serde::Serialize;
use std::fmt;

/// Pairs from which on their own spread is used.
const ENOUGH_PAIRS: usize = 5;

/// How a candidate compares with a baseline. `Display` is a table for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// Pairs of runs that it rests on.
    pub pairs: usize,
    /// How much worse a figure may be: 0.05 is 5 %.
    pub tolerance: f64,
    /// The figures.
    pub rows: Vec<ComparedFigure>,
    /// What a reader must know beside.
    pub notes: Vec<String>,
}

/// One figure of both.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ComparedFigure {
    /// Its name: `latency p99`.
    pub name: String,
    /// Its unit: `ms`, `1/s`, or `share`.
    pub unit: String,
    /// More is better.
    pub higher_is_better: bool,
    /// The baseline's, the geometric mean of its runs (of error rates: over all requests).
    pub baseline: f64,
    /// The candidate's.
    pub candidate: f64,
    /// Candidate over baseline; of error rates the candidate's less the baseline's.
    pub ratio: f64,
    /// The lower end of the ratio's 99 % interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// What follows.
    pub outcome: Outcome,
}

/// What follows from an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The whole interval is better.
    Better,
    /// The whole interval is within the tolerance, either way.
    Same,
    /// The whole interval is worse, but not all of it beyond the tolerance.
    Worse,
    /// The whole interval is worse than the tolerance allows.
    Regressed,
    /// The interval says neither.
    Unclear,
}

/// Compares runs of a candidate with runs of a baseline: the first with the first, and so on.
/// `tolerance` is how much worse a figure may be (0.05: 5 %).
///
/// Runs come in pairs, best made alternately (A B A B ...): a machine drifts, and a pair sees the
/// same drift. The method, all on the logarithm of the ratio, with 99 % intervals by Student's t:
///
/// - From five pairs on, the spread is that of the pairs' own ratios.
/// - Below five, a run's spread is estimated from inside it: blocks of its timeline are drawn with
///   replacement (a block bootstrap, since neighbouring requests resemble each other) and the figure
///   is taken anew from each draw's pooled histogram, 200 times. Runs of fewer than eight slots use
///   order statistics for quantiles and Poisson counts for rates. What differs between runs as such
///   is only seen in as far as the few pairs show it: a note says so.
/// - Error rates are compared by their difference, with Newcombe's interval (1998, method 10).
///
/// A figure regressed when its whole interval is worse than the tolerance allows.
///
/// # Errors
///
/// When there is no pair, when the numbers of runs differ, or when `tolerance` is not a share.
pub fn compare(baseline: &[Report], candidate: &[Report], tolerance: f64) -> Result<Comparison> {
    if baseline.is_empty() || baseline.len() != candidate.len() {
        return Err(Error::config(format!(
            "compare needs pairs of reports: there are {} of the baseline and {} of the candidate",
            baseline.len(),
            candidate.len()
        )));
    }
    if !(0.0..=10.0).contains(&tolerance) {
        return Err(Error::config(format!(
            "tolerance must be between 0 and 10 (0.05 is 5 %), not {tolerance}"
        )));
    }
    let mut rows: Vec<ComparedFigure> = Figure::all()
        .into_iter()
        .filter_map(|figure| ratio_row(figure, baseline, candidate, tolerance))
        .collect();
    rows.extend(error_row(baseline, candidate));
    Ok(Comparison {
        pairs: baseline.len(),
        tolerance,
        rows,
        notes: notes(baseline, candidate),
    })
}

impl Comparison {
    /// Whether a figure is worse than the tolerance allows, for certain.
    #[must_use]
    pub fn regressed(&self) -> bool {
        self.rows
            .iter()
            .any(|row| row.outcome == Outcome::Regressed)
    }

    /// The comparison as text of at most `width` columns (at least 60).
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let width = u16::try_from(width).unwrap_or(u16::MAX).max(60);
        let mut table = bare(width);
        table.set_header(["", "baseline", "candidate", "ratio", "99 % interval", ""]);
        for row in &self.rows {
            table.add_row(row.cells());
        }
        for column in table.column_iter_mut().skip(1).take(4) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let mut parts = vec![self.first_line(), flush_left(table)];
        if !self.notes.is_empty() {
            let mut notes = bare(width);
            notes.add_rows(self.notes.iter().map(|note| ["note", note]));
            parts.push(flush_left(notes));
        }
        parts.join("\n\n") + "\n"
    }

    fn first_line(&self) -> String {
        let regressed: Vec<&str> = self
            .rows
            .iter()
            .filter(|row| row.outcome == Outcome::Regressed)
            .map(|row| row.name.as_str())
            .collect();
        let allowed = percent(self.tolerance);
        if regressed.is_empty() {
            format!("NO REGRESSION beyond {allowed}")
        } else {
            format!("REGRESSION beyond {allowed}: {}", regressed.join(", "))
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(100))
    }
}

impl ComparedFigure {
    fn cells(&self) -> [String; 6] {
        let outcome = match self.outcome {
            Outcome::Better => "better",
            Outcome::Same => "same",
            Outcome::Worse => "worse, tolerated",
            Outcome::Regressed => "REGRESSED",
            Outcome::Unclear => "unclear",
        };
        let share = self.unit == "share";
        let value = |value| if share { percent(value) } else { plain(value) };
        let relative = |value: f64| {
            if share {
                percent(value)
            } else {
                format!("{value:.3}")
            }
        };
        [
            if share {
                self.name.clone()
            } else {
                format!("{}, {}", self.name, self.unit)
            },
            value(self.baseline),
            value(self.candidate),
            if share {
                format!("{:+.2} points", self.ratio * 100.0)
            } else {
                relative(self.ratio)
            },
            format!("{} to {}", relative(self.low), relative(self.high)),
            outcome.to_owned(),
        ]
    }
}

fn ratio_row(
    figure: Figure,
    baseline: &[Report],
    candidate: &[Report],
    tolerance: f64,
) -> Option<ComparedFigure> {
    let of = |reports: &[Report]| -> Option<Vec<f64>> {
        reports.iter().map(|report| figure.of(report)).collect()
    };
    let (ours, theirs) = (of(baseline)?, of(candidate)?);
    if ours.iter().any(|value| *value <= 0.0) {
        return None;
    }
    let logs: Vec<f64> = theirs
        .iter()
        .zip(&ours)
        .map(|(new, old)| (new / old).ln())
        .collect();
    let (log, reach) = if theirs.iter().any(|value| *value <= 0.0) {
        // Nothing at all, where the baseline has something.
        (f64::NEG_INFINITY, 0.0)
    } else {
        (
            spread::mean(&logs),
            spread::reach(figure, baseline, candidate, &logs),
        )
    };
    let (ratio, low, high) = (log.exp(), (log - reach).exp(), (log + reach).exp());
    let higher_is_better = figure.higher_is_better();
    let (best, worst) = if higher_is_better {
        (1.0 / high, 1.0 / low)
    } else {
        (low, high)
    };
    let geometric = |values: &[f64]| {
        let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
        spread::mean(&logs).exp()
    };
    Some(ComparedFigure {
        name: figure.name(),
        unit: figure.unit().to_owned(),
        higher_is_better,
        baseline: geometric(&ours),
        candidate: geometric(&theirs),
        ratio,
        low,
        high,
        outcome: outcome(best, worst, tolerance),
    })
}

/// From the ends of an interval in which 1 is equal and more is worse.
fn outcome(best: f64, worst: f64, tolerance: f64) -> Outcome {
    let allowed = 1.0 + tolerance;
    if best > allowed {
        Outcome::Regressed
    } else if best > 1.0 {
        Outcome::Worse
    } else if worst < 1.0 {
        Outcome::Better
    } else if best >= 1.0 / allowed && worst <= allowed {
        Outcome::Same
    } else {
        Outcome::Unclear
    }
}

fn error_row(baseline: &[Report], candidate: &[Report]) -> Option<ComparedFigure> {
    let counts = |reports: &[Report]| {
        let failed = reports.iter().map(|report| report.requests.failed).sum();
        let total = reports.iter().map(|report| report.requests.total).sum();
        (failed, total)
    };
    let (ours, theirs): ((u64, u64), (u64, u64)) = (counts(baseline), counts(candidate));
    let (old, new) = (
        spread::Proportion::of(ours)?,
        spread::Proportion::of(theirs)?,
    );
    let (low, high) = new.less(old);
    let outcome = if low > 0.0 {
        Outcome::Regressed
    } else if high < 0.0 {
        Outcome::Better
    } else if ours.0 == theirs.0 {
        Outcome::Same
    } else {
        Outcome::Unclear
    };
    Some(ComparedFigure {
        name: "error rate".to_owned(),
        unit: "share".to_owned(),
        higher_is_better: false,
        baseline: old.value,
        candidate: new.value,
        ratio: new.value - old.value,
        low,
        high,
        outcome,
    })
}

fn notes(baseline: &[Report], candidate: &[Report]) -> Vec<String> {
    let mut notes = Vec::new();
    if baseline.len() < ENOUGH_PAIRS {
        notes.push(format!(
            "{} of runs: what differs from run to run on a machine is hardly seen; {ENOUGH_PAIRS} \
             alternating pairs or more say it",
            counted(baseline.len() as u64, "pair")
        ));
    }
    for (name, reports) in [("baseline", baseline), ("candidate", candidate)] {
        for (index, report) in reports
            .iter()
            .enumerate()
            .filter(|(_, report)| !report.valid)
        {
            notes.push(format!("{name} {}: {}", index + 1, report.verdict));
        }
    }
    let (old, new) = (&baseline[0], &candidate[0]);
    if old.load_model != new.load_model {
        notes.push(format!(
            "the load differs: {}, then {}",
            old.load_model, new.load_model
        ));
    }
    for (path, was, is) in differences(&old.config, &new.config).into_iter().take(5) {
        notes.push(format!("config.{path} differs: {was}, then {is}"));
    }
    notes
}

#[cfg(test)]
mod tests;
