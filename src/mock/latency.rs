//! Latency models: how long an answer is held back. A draw is a pure function
//! of the seed and of the request's number, so that a run can be repeated.

use std::f64::consts::TAU;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::hash::nth_uniform;
use super::spec::{BadSpec, MILLISECONDS, Spec, milliseconds};

/// What `sigma` may be in the text form: with 5, p99 is a hundred thousand medians.
const SIGMA: RangeInclusive<f64> = 0.0..=5.0;
/// What `slow_share` may be in the text form.
const SHARE: RangeInclusive<f64> = 0.0..=1.0;

/// How long the server holds back an answer, beside the work of making it.
///
/// The text form, for command lines, is in milliseconds: `none`, `fixed=20`,
/// `lognormal=20;sigma=0.5`, `slow_share=0.01;fast=5;slow=200`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Latency {
    /// Answers at once.
    #[default]
    None,
    /// The same for every request.
    Fixed(Duration),
    /// Log-normally distributed, as service times of a shared machine often are.
    LogNormal {
        /// Half of the requests take longer than this.
        median: Duration,
        /// The standard deviation of the logarithm: 0.5 puts p99 at 3.2 medians.
        sigma: f64,
    },
    /// Two speeds: a share of the requests straggles.
    SlowShare {
        /// What most requests take.
        fast: Duration,
        /// What a straggler takes.
        slow: Duration,
        /// The share of stragglers, 0 to 1.
        share: f64,
    },
}

impl Latency {
    /// The latency of the `n`th request of a server with this seed.
    #[must_use]
    pub fn draw(&self, seed: u64, n: u64) -> Duration {
        match *self {
            Self::None => Duration::ZERO,
            Self::Fixed(latency) => latency,
            Self::LogNormal { median, sigma } => {
                let seconds = median.as_secs_f64() * libm::exp(sigma * normal(seed, n));
                Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
            }
            Self::SlowShare { fast, slow, share } => {
                if nth_uniform(seed, n) < share {
                    slow
                } else {
                    fast
                }
            }
        }
    }
}

/// A standard normal number, by Box and Muller's transform.
fn normal(seed: u64, n: u64) -> f64 {
    // The same on every machine, as those of std need not be.
    let radius = (-2.0 * libm::log(nth_uniform(seed, 2 * n))).sqrt();
    radius * libm::cos(TAU * nth_uniform(seed, 2 * n + 1))
}

impl FromStr for Latency {
    type Err = BadSpec;

    fn from_str(text: &str) -> Result<Self, BadSpec> {
        let mut spec = Spec::parse(text)?;
        let latency = match spec.name.as_str() {
            "none" => Self::None,
            "fixed" => Self::Fixed(milliseconds(spec.number(&MILLISECONDS)?)?),
            "lognormal" => Self::LogNormal {
                median: milliseconds(spec.number(&MILLISECONDS)?)?,
                sigma: spec.take_number("sigma", &SIGMA)?,
            },
            "slow_share" => Self::SlowShare {
                share: spec.number(&SHARE)?,
                fast: milliseconds(spec.take_number("fast", &MILLISECONDS)?)?,
                slow: milliseconds(spec.take_number("slow", &MILLISECONDS)?)?,
            },
            name => {
                return Err(BadSpec::new(format!(
                    "no latency is called `{name}`: there are none, fixed, lognormal and slow_share"
                )));
            }
        };
        spec.finish(latency)
    }
}
