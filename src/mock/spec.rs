//! The compact text form of faults and latencies: `name=value;key=value`,
//! with `%XX` for a byte that would end the value early.

use std::error::Error;
use std::fmt::{self, Write};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// A text that names no fault or latency, or names one wrongly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadSpec(String);

impl BadSpec {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for BadSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for BadSpec {}

/// One parsed item: its name, its main value and its further parameters.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) name: String,
    pub(super) value: Option<String>,
    parameters: Vec<(String, String)>,
}

impl Spec {
    pub(super) fn parse(text: &str) -> Result<Self, BadSpec> {
        let mut parts = text.split(';').map(|part| match part.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (part.trim(), None),
        });
        let (name, value) = parts.next().unwrap_or_default();
        let parameters = parts.map(|(key, value)| {
            let value = value.ok_or_else(|| BadSpec::new(format!("`{key}` needs a value")))?;
            Ok((key.to_owned(), decode(value)?))
        });
        Ok(Self {
            name: name.to_owned(),
            value: value.map(decode).transpose()?,
            parameters: parameters.collect::<Result<_, BadSpec>>()?,
        })
    }

    /// Takes a parameter out, so that [`Spec::finish`] sees what nobody asked for.
    pub(super) fn take(&mut self, key: &str) -> Option<String> {
        let at = self.parameters.iter().position(|(name, _)| name == key)?;
        Some(self.parameters.swap_remove(at).1)
    }

    /// Whether a parameter is given.
    pub(super) fn has(&self, key: &str) -> bool {
        self.parameters.iter().any(|(name, _)| name == key)
    }

    /// The main value as a number of this range.
    pub(super) fn number<T>(&self, range: &RangeInclusive<T>) -> Result<T, BadSpec>
    where
        T: FromStr + PartialOrd + fmt::Display,
    {
        number(&self.name, self.value.as_deref(), range)
    }

    /// A parameter as a number of this range.
    pub(super) fn take_number<T>(
        &mut self,
        key: &str,
        range: &RangeInclusive<T>,
    ) -> Result<T, BadSpec>
    where
        T: FromStr + PartialOrd + fmt::Display,
    {
        number(key, self.take(key).as_deref(), range)
    }

    /// Refuses parameters that are left over: a misspelt one must not pass silently.
    pub(super) fn finish<T>(self, parsed: T) -> Result<T, BadSpec> {
        match self.parameters.first() {
            Some((key, _)) => Err(BadSpec::new(format!("`{}` has no `{key}`", self.name))),
            None => Ok(parsed),
        }
    }
}

fn number<T>(name: &str, value: Option<&str>, range: &RangeInclusive<T>) -> Result<T, BadSpec>
where
    T: FromStr + PartialOrd + fmt::Display,
{
    let (least, most) = (range.start(), range.end());
    let value = value
        .ok_or_else(|| BadSpec::new(format!("`{name}` needs a number from {least} to {most}")))?;
    let parsed = value.parse().ok();
    parsed
        .filter(|parsed| range.contains(parsed))
        .ok_or_else(|| {
            BadSpec::new(format!(
                "`{name}={value}` is not a number from {least} to {most}"
            ))
        })
}

/// What a wait in milliseconds may be: up to [`LONGEST`].
pub(super) const MILLISECONDS: RangeInclusive<f64> = 0.0..=31_536_000_000.0;

/// No wait is longer, so that adding waits to the clock cannot overflow it.
pub(super) const LONGEST: Duration = Duration::from_hours(24 * 365);

/// Milliseconds, with a fraction where the sender likes, as a duration.
pub(super) fn milliseconds(ms: f64) -> Result<Duration, BadSpec> {
    let duration = Duration::try_from_secs_f64(ms / 1000.0).ok();
    let duration = duration.filter(|duration| *duration <= LONGEST);
    let most = LONGEST.as_millis();
    duration.ok_or_else(|| BadSpec::new(format!("`{ms:?}` is not from 0 to {most} milliseconds")))
}

/// Writes a value so that [`Spec::parse`] reads the same back.
pub(super) fn encode(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if matches!(byte, b'%' | b',' | b';') || !(b' '..=b'~').contains(&byte) {
            // Writing into a string has no way to fail.
            let _ = write!(text, "%{byte:02X}");
        } else {
            text.push(char::from(byte));
        }
    }
    text
}

fn decode(value: &str) -> Result<String, BadSpec> {
    let bad = || BadSpec::new(format!("`{value}` holds a bad %XX"));
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((plain, escaped)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        let digits = escaped.get(..2).ok_or_else(bad)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
        rest = &escaped[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).map_err(|_| bad())
}
