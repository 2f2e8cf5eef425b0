//! Hedge delays as people write them: `300ms`, `p95`.

use super::span::parse_span;
use crate::error::{Error, Result};
use crate::policy::hedge::HedgeDelay;
use std::str::FromStr;
use std::time::Duration;

/// A hedge closer than this to a limit would be of no use.
pub(super) const HEDGE_MARGIN: Duration = Duration::from_millis(45);

impl HedgeDelay {
    /// The quantile of this name, above `p0` and below `p100`: `p95`, `p99.5`.
    #[must_use]
    pub fn percentile(name: &str) -> Option<Self> {
        let percent: f64 = name.strip_prefix('p')?.parse().ok()?;
        (percent > 0.0 && percent < 100.0).then_some(Self::Quantile(percent / 100.0))
    }
}

impl FromStr for HedgeDelay {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        const LONGEST: Duration = Duration::from_hours(1);
        let span = || {
            let span = parse_span(text).ok()?;
            (HEDGE_MARGIN..=LONGEST)
                .contains(&span)
                .then_some(Self::Fixed(span))
        };
        Self::percentile(text).or_else(span).ok_or_else(|| {
            Error::config(format!(
                "a hedge delay is a span between 45ms and 1h, such as 300ms, or a percentile above \
                 p0 and below p100, such as p95 (got {text:?})"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_delay_is_read_as_a_span_or_a_percentile() {
        for (text, delay) in [
            ("300ms", HedgeDelay::Fixed(300 * MS)),
            ("0.045", HedgeDelay::Fixed(45 * MS)),
            ("1h", HedgeDelay::Fixed(Duration::from_hours(1))),
            ("p95", HedgeDelay::Quantile(0.95)),
        ] {
            assert_eq!(text.parse::<HedgeDelay>().unwrap(), delay, "{text}");
        }
        for text in [
            "", "p", "p0", "p100", "pNaN", "44ms", "2h", "-1s", "0s", "soon",
        ] {
            let error = text.parse::<HedgeDelay>().unwrap_err().to_string();
            assert!(
                error.contains(&format!("{text:?}")) && error.contains("p95"),
                "{error}"
            );
        }
    }
}
