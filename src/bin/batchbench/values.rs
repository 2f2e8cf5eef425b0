//! Values of flags: each error says what would be right.

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command};
use hedgerow::bench::{Stage, parse_span};
use http::{HeaderName, HeaderValue};
use std::ffi::OsStr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A span such as `30s`, `500ms`, `2m`; seconds where no unit is given.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    parse_span(text).map_err(|cause| cause.to_string())
}

/// The same, above zero.
pub(crate) fn some_span(text: &str) -> Result<Duration, String> {
    let span = span(text)?;
    (!span.is_zero())
        .then_some(span)
        .ok_or_else(|| "must be above 0 s".to_owned())
}

/// Milliseconds of a retry's pause.
pub(crate) fn pause(text: &str) -> Result<u64, String> {
    within(text, 0, 45_000)
}

/// Seconds of a timeout.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    float(text, 0.1, 3600.0).map(Duration::from_secs_f64)
}

/// A share.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    float(text, 0.0, 1.0)
}

/// How close a search comes.
pub(crate) fn precision(text: &str) -> Result<f64, String> {
    float(text, 0.001, 1.0)
}

/// Repeats of a search's last trial.
pub(crate) fn repeats(text: &str) -> Result<u32, String> {
    within(text, 0, 1000)
}

/// Any whole number.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    within(text, 0, u64::MAX)
}

/// Requests in flight, or 0.
pub(crate) fn most(text: &str) -> Result<usize, String> {
    within(text, 0, usize::MAX as u64)
}

/// Tokens more or fewer.
pub(crate) fn vary(text: &str) -> Result<u32, String> {
    within(text, 0, u64::from(u32::MAX))
}

/// A pause of the mock server's, in milliseconds.
pub(crate) fn milliseconds(text: &str) -> Result<f64, String> {
    float(text, 0.0, 3_600_000.0)
}

/// The length of an answer of the mock server's.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    within(text, 1, 1_000_000)
}

/// A port of the mock server's; 0 is any.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    within(text, 0, u64::from(u16::MAX))
}

/// A value of the mock server's, whose range the library knows.
pub(crate) fn ranged<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| within(text, *range.start(), *range.end())
}

/// The standard deviation of a logarithm.
pub(crate) fn sigma(text: &str) -> Result<f64, String> {
    float(text, 0.0, 5.0)
}

/// Requests a second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    float(text, 1e-6, 10_000_000.0)
}

/// At least one.
pub(crate) fn count(text: &str) -> Result<u32, String> {
    within(text, 1, u64::from(u32::MAX))
}

/// Users.
pub(crate) fn users(text: &str) -> Result<usize, String> {
    within(text, 1, 1_000_000)
}

/// Requests a session.
pub(crate) fn session(text: &str) -> Result<u64, String> {
    within(text, 1, 1_000_000)
}

/// Texts a request.
pub(crate) fn batch(text: &str) -> Result<usize, String> {
    within(text, 1, 10_000)
}

/// Threads.
pub(crate) fn workers(text: &str) -> Result<usize, String> {
    within(text, 1, 1024)
}

/// Retries a request.
pub(crate) fn retries(text: &str) -> Result<usize, String> {
    within(text, 0, 100)
}

/// One stage of `--stages`.
pub(crate) fn stage(text: &str) -> Result<Stage, String> {
    text.parse()
        .map_err(|cause: hedgerow::Error| cause.to_string())
}

/// `Name: value`. What is malformed may be a key all the same: an error shows no more of it than a
/// name, where there is one.
#[derive(Clone)]
pub(crate) struct HeaderParser;

impl TypedValueParser for HeaderParser {
    type Value = (HeaderName, HeaderValue);

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        header(&value.to_string_lossy()).map_err(|why| {
            let text = format!("invalid value for '--header': {why}\n");
            clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a header is `Name: value`")?;
    let name: HeaderName = name
        .trim()
        .parse()
        .map_err(|_| "what stands before the colon is no header's name")?;
    match value.trim().parse() {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(format!("the value of {name} is no header's")),
    }
}

fn within<T: TryFrom<u64>>(text: &str, least: u64, most: u64) -> Result<T, String> {
    let value = text.parse().ok();
    let value = value.filter(|value| (least..=most).contains(value));
    value
        .and_then(|value| T::try_from(value).ok())
        .ok_or_else(|| format!("must be a whole number between {least} and {most}"))
}

fn float(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let value = text.parse().ok();
    value
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| format!("must be a number between {least} and {most}"))
}
