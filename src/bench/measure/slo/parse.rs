//! From text to a term, with errors that say what would have been right.

use super::{Quantity, Slo, Statistic, Throughput};
use crate::bench::measure::metric::Metric;
use crate::error::{Error, Result};
use std::str::FromStr;

const RATES: [(&str, Throughput); 4] = [
    ("rate", Throughput::Requests),
    ("goodput", Throughput::Goodput),
    ("prompt_tokens", Throughput::PromptTokens),
    ("completion_tokens", Throughput::CompletionTokens),
];

impl Slo {
    /// Parses a term. [`Slo`] has the grammar.
    ///
    /// ```
    /// use hedgerow::bench::Slo;
    ///
    /// assert!(Slo::parse("ttft_p99<500ms").is_ok());
    /// let error = Slo::parse("ttfb_p99<500ms").unwrap_err();
    /// assert!(error.to_string().contains("latency, service, queue, first_byte, ttft"));
    /// ```
    ///
    /// # Errors
    ///
    /// When the text is no term: says what is wrong with it, and lists the names that there are.
    pub fn parse(text: &str) -> Result<Self> {
        let compact: String = text.chars().filter(|char| !char.is_whitespace()).collect();
        let bad = |cause: String| Error::config(format!("SLO `{text}`: {cause}"));
        let at = compact
            .find(['<', '>'])
            .ok_or_else(|| bad("has no comparison; write it like ttft_p99<500ms".to_owned()))?;
        let (name, rest) = compact.split_at(at);
        let (less, rest) = (rest.starts_with('<'), &rest[1..]);
        let (inclusive, value) = match rest.strip_prefix('=') {
            Some(value) => (true, value),
            None => (false, rest),
        };
        let quantity = quantity(name).map_err(bad)?;
        let lower_is_better = !matches!(quantity, Quantity::Rate(_));
        if less != lower_is_better {
            let (better, signs) = if lower_is_better {
                ("lower", "< or <=")
            } else {
                ("higher", "> or >=")
            };
            return Err(bad(format!("{name} is better {better}; use {signs}")));
        }
        let limit = limit(quantity, value).map_err(bad)?;
        Ok(Self {
            text: compact,
            quantity,
            inclusive,
            limit,
        })
    }
}

fn quantity(name: &str) -> std::result::Result<Quantity, String> {
    if name == "error_rate" {
        return Ok(Quantity::ErrorRate);
    }
    if let Some((_, rate)) = RATES.iter().find(|(rate, _)| *rate == name) {
        return Ok(Quantity::Rate(*rate));
    }
    let times = Metric::OF_SLOS;
    // The longest name first: a name may be the beginning of another.
    let found = times
        .iter()
        .filter(|metric| name.starts_with(metric.name()))
        .max_by_key(|metric| metric.name().len());
    let Some(metric) = found else {
        return Err(unknown(name));
    };
    let statistic = match &name[metric.name().len()..] {
        "" => Err(format!(
            "which figure of {name}? One of {name}_p50, {name}_p90, {name}_p95, {name}_p99, \
             {name}_p99.9, {name}_mean, {name}_max"
        )),
        "_mean" => Ok(Statistic::Mean),
        "_max" => Ok(Statistic::Max),
        other => match other.strip_prefix("_p") {
            Some(digits) => quantile(digits),
            None => Err(unknown(name)),
        },
    };
    Ok(Quantity::Time(*metric, statistic?))
}

fn unknown(name: &str) -> String {
    let times = Metric::OF_SLOS.map(Metric::name).join(", ");
    let rates = RATES.map(|(name, _)| name).join(", ");
    format!(
        "`{name}` is not known. Times ({times}) take _p50, _p90, _p95, _p99, _p99.9, _mean or \
         _max; beside them there are error_rate, {rates}"
    )
}

/// `99`, `99.9`, and `999` for 99.9: after a nine, a third digit is a tenth. The digits are moved
/// before they become a number, so that p99.9 is 0.999 and not its neighbour.
fn quantile(digits: &str) -> std::result::Result<Statistic, String> {
    let (whole, tenths) = match digits.split_once('.') {
        None if digits.len() > 2 && digits.starts_with('9') => digits.split_at(2),
        None => (digits, ""),
        Some(parts) => parts,
    };
    let plain = |text: &str| text.chars().all(|char| char.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(tenths) {
        return Err(format!(
            "`p{digits}` is no percentile; write p50, p99 or p99.9"
        ));
    }
    let quantile: f64 = format!("0.{whole:0>2}{tenths}").parse().unwrap_or_default();
    if whole.len() <= 2 && quantile > 0.0 {
        Ok(Statistic::Quantile(quantile))
    } else {
        Err(format!(
            "p{digits} is not between p0 and p100; _max is the longest"
        ))
    }
}

fn limit(quantity: Quantity, text: &str) -> std::result::Result<f64, String> {
    let digits = text
        .find(|char: char| char.is_ascii_alphabetic() || matches!(char, '%' | '/'))
        .unwrap_or(text.len());
    let (value, unit) = text.split_at(digits);
    let value: f64 = value
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite() && *value >= 0.0)
        .ok_or_else(|| format!("`{text}` is no limit: a number that is not negative is needed"))?;
    let factor = match (quantity, unit) {
        (Quantity::Time(..), "us") => 1e-6,
        (Quantity::Time(..), "ms") => 1e-3,
        (Quantity::Time(..), "s") | (Quantity::ErrorRate, "") | (Quantity::Rate(_), "" | "/s") => {
            1.0
        }
        (Quantity::Time(..), "m") => 60.0,
        (Quantity::ErrorRate, "%") => 0.01,
        (Quantity::Time(..), "") => {
            return Err(format!("`{text}` needs a unit: us, ms, s or m"));
        }
        (Quantity::Time(..), _) => {
            return Err(format!("the unit `{unit}` is not known: us, ms, s or m"));
        }
        (Quantity::ErrorRate, _) => {
            return Err(format!("the unit `{unit}` is not known: write 1% or 0.01"));
        }
        (Quantity::Rate(_), _) => {
            return Err(format!(
                "the unit `{unit}` is not known: write 100 or 100/s"
            ));
        }
    };
    let limit = value * factor;
    if quantity == Quantity::ErrorRate && limit > 1.0 {
        return Err(format!("`{text}` is more than all; write 1% or 0.01"));
    }
    Ok(limit)
}

impl FromStr for Slo {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Slo {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}
