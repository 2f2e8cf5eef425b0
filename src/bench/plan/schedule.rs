//! How much load there is when: the level over time, and the arrivals that follow from it.
//!
//! Pure: a schedule is drawn from its seed one arrival after the other, as it is needed, and takes
//! no memory however long it is.

use super::span::LONGEST_RUN;
use crate::bench::request::{Purpose, Rng};
use crate::config::parse_span;
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How the gaps between arrivals are distributed.
///
/// The text form, for command lines: `constant`, `poisson`, `gamma:SHAPE`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub enum Arrival {
    /// All the same.
    Constant,
    /// Exponential: the arrivals of many users who know nothing of each other.
    #[default]
    Poisson,
    /// Gamma of this shape, 0.01 to 1000: burstier than Poisson below 1, steadier above.
    Gamma(f64),
}

impl Arrival {
    /// A gap, where arrivals come at 1 a second.
    fn gap(self, rng: &mut Rng) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Poisson => rng.exponential(),
            Self::Gamma(shape) => rng.gamma(shape),
        }
    }
}

impl FromStr for Arrival {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None if text == "constant" => Ok(Self::Constant),
            None if text == "poisson" => Ok(Self::Poisson),
            Some(("gamma", shape)) => {
                let value = shape.parse().unwrap_or(f64::NAN);
                if (0.01..=1000.0).contains(&value) {
                    Ok(Self::Gamma(value))
                } else {
                    Err(Error::config(format!(
                        "the shape of gamma arrivals must be between 0.01 and 1000 (got {shape:?})"
                    )))
                }
            }
            _ => Err(Error::config(format!(
                "arrivals are constant, poisson or gamma:SHAPE (got {text:?})"
            ))),
        }
    }
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Poisson => f.write_str("poisson"),
            Self::Gamma(shape) => write!(f, "gamma:{shape}"),
        }
    }
}

/// A stretch of time in which the level goes evenly from one value to another.
///
/// The text form is `LEVEL:SPAN` for a steady level, `FROM-TO:SPAN` for a ramp: `10:30s`,
/// `0-100:1m`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// The level at its beginning: arrivals a second, or users.
    pub from: f64,
    /// The level at its end.
    pub to: f64,
    /// How long it lasts.
    pub span: Duration,
}

/// No level is higher.
const HIGHEST: f64 = 10_000_000.0;

impl Stage {
    /// A steady level.
    #[must_use]
    pub fn steady(level: f64, span: Duration) -> Self {
        Self {
            from: level,
            to: level,
            span,
        }
    }

    pub(super) fn is_steady(&self) -> bool {
        (self.to - self.from).abs() <= 0.0
    }

    pub(super) fn check(&self) -> Result<()> {
        let fine = |level: f64| (0.0..=HIGHEST).contains(&level);
        if !fine(self.from) || !fine(self.to) {
            return Err(Error::config(format!(
                "the level of a stage must be between 0 and {HIGHEST} (got {} to {})",
                self.from, self.to
            )));
        }
        if self.span.is_zero() || self.span > LONGEST_RUN {
            return Err(Error::config(format!(
                "the span of a stage must be above 0 s and at most 30 days (got {} s)",
                self.span.as_secs_f64()
            )));
        }
        Ok(())
    }

    /// What the level adds up to from the beginning of the stage until `seconds` later.
    fn area(&self, seconds: f64) -> f64 {
        let slope = (self.to - self.from) / self.span.as_secs_f64();
        self.from * seconds + slope * seconds * seconds / 2.0
    }

    /// When, in seconds from its beginning, the level has added up to `area`, which is at most
    /// that of the whole stage.
    fn reaches(&self, area: f64) -> f64 {
        let span = self.span.as_secs_f64();
        let slope = (self.to - self.from) / span;
        // The root of the quadratic in a form that neither a slope of nothing nor a start from
        // nothing upsets.
        let root = (self.from * self.from + 2.0 * slope * area).max(0.0).sqrt();
        let divisor = self.from + root;
        if divisor > 0.0 {
            (2.0 * area / divisor).min(span)
        } else {
            0.0
        }
    }

    fn level(&self, seconds: f64) -> f64 {
        self.from + (self.to - self.from) * seconds / self.span.as_secs_f64()
    }
}

impl FromStr for Stage {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::config(format!(
                "a stage is LEVEL:SPAN or FROM-TO:SPAN, such as 10:30s or 0-100:1m (got {text:?})"
            ))
        };
        let (levels, span) = text.split_once(':').ok_or_else(bad)?;
        let (from, to) = levels.split_once('-').unwrap_or((levels, levels));
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| bad());
        let stage = Self {
            from: number(from)?,
            to: number(to)?,
            span: parse_span(span)?,
        };
        stage.check()?;
        Ok(stage)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.from)?;
        if !self.is_steady() {
            write!(f, "-{}", self.to)?;
        }
        write!(f, ":{}s", self.span.as_secs_f64())
    }
}

/// The level over time.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::bench) struct Levels(pub(in crate::bench) Vec<Stage>);

impl Levels {
    /// How long it lasts.
    pub(super) fn span(&self) -> Duration {
        self.0.iter().map(|stage| stage.span).sum()
    }

    /// The level `at` so long after the beginning; none after the end.
    pub(in crate::bench) fn level(&self, at: Duration) -> f64 {
        let mut begins = Duration::ZERO;
        for stage in &self.0 {
            let ends = begins + stage.span;
            if at < ends {
                return stage.level(at.saturating_sub(begins).as_secs_f64());
            }
            begins = ends;
        }
        0.0
    }

    /// The highest level.
    pub(super) fn highest(&self) -> f64 {
        let tops = self.0.iter().map(|stage| stage.from.max(stage.to));
        tops.fold(0.0, f64::max)
    }
}

/// The instants at which requests are to start, from the beginning of the run; in order.
///
/// Gaps are drawn as if one arrival came a second, and time is stretched so that the level is kept:
/// what is a Poisson process at a steady level is one at a ramp as well.
#[derive(Debug, Clone)]
pub(in crate::bench) struct Schedule {
    levels: Levels,
    arrival: Arrival,
    rng: Rng,
    /// The stage of the arrival that was drawn last, when it begins, and the sum of the levels up
    /// to there.
    stage: usize,
    stage_begins: Duration,
    stage_area: f64,
    /// Where the last arrival was, on the axis where one comes a second.
    position: f64,
    begun: bool,
}

impl Schedule {
    pub(in crate::bench) fn new(levels: Levels, arrival: Arrival, seed: u64) -> Self {
        Self {
            levels,
            arrival,
            rng: Rng::new(seed, Purpose::Arrivals, 0),
            stage: 0,
            stage_begins: Duration::ZERO,
            stage_area: 0.0,
            position: 0.0,
            begun: false,
        }
    }

    /// In words; `what` is what arrives.
    pub(super) fn describe(&self, what: &str) -> String {
        let levels = match self.levels.0.as_slice() {
            [one] => one.from.to_string(),
            many => format!("{} stages up to {}", many.len(), self.levels.highest()),
        };
        format!("{} arrivals, {levels} {what}/s", self.arrival)
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        // Arrivals at a constant rate begin at once.
        if self.begun || self.arrival != Arrival::Constant {
            self.position += self.arrival.gap(&mut self.rng);
        }
        self.begun = true;
        loop {
            let stage = self.levels.0.get(self.stage)?;
            let whole = stage.area(stage.span.as_secs_f64());
            let within = self.position - self.stage_area;
            if within < whole {
                let seconds = stage.reaches(within.max(0.0));
                return Some(self.stage_begins + Duration::from_secs_f64(seconds));
            }
            self.stage_area += whole;
            self.stage_begins += stage.span;
            self.stage += 1;
        }
    }
}

#[cfg(test)]
mod tests;
