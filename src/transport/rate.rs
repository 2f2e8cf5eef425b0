//! What the headers of an answer say of the server's rates.
//!
//! | whose | names |
//! |---|---|
//! | `OpenAI` | `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, resets as `6m0s` |
//! | Azure, Jina | `x-ratelimit-remaining-{requests,tokens}` |
//! | Mistral | `x-ratelimit-{limit,remaining}-{req,tokens}-{minute,month}` |
//! | Anthropic | `anthropic-ratelimit-{requests,tokens,input-tokens}-{limit,remaining,reset}`, resets as RFC 3339 |
//! | Cohere, GitHub | `x-ratelimit-{limit,remaining,reset}`, resets in Unix seconds |
//! | IETF draft | `ratelimit: "default";r=50;t=30` with `ratelimit-policy: "default";q=100;w=60`; before it `ratelimit: limit=100, remaining=50, reset=5`, and `ratelimit-{limit,remaining,reset}` |
//!
//! A name is read by its words, so that their order plays no part; one with a word that is not known
//! (`x-ratelimit-limit-images`) says nothing. Of several limits for one thing (a minute's, a day's) that
//! counts of which the least is left.

mod items;

use super::refusal::span;
use crate::headers::Headers;
use crate::policy::pace::{Allowance, RateReport, What};
use std::time::{Duration, SystemTime};

/// What an answer says, if it says anything.
pub(crate) fn report(headers: &Headers) -> Option<Box<RateReport>> {
    if !headers.tell_rates() {
        return None;
    }
    report_at(headers, SystemTime::now()).map(Box::new)
}

fn report_at(headers: &Headers, now: SystemTime) -> Option<RateReport> {
    let mut limits = Vec::new();
    for (name, value) in headers.iter() {
        match name {
            "ratelimit" | "ratelimit-policy" => items::read(value, &mut limits),
            _ => read_field(name, value, now, &mut limits),
        }
    }
    let least = |what| {
        let of_it = limits.iter().filter(|limit: &&Limit| limit.what == what);
        let said = of_it.filter_map(Limit::allowance);
        said.min_by(|one, other| one.remaining.total_cmp(&other.remaining))
    };
    let report = RateReport {
        requests: least(What::Requests),
        tokens: least(What::Tokens),
    };
    (report != RateReport::default()).then_some(report)
}

/// One limit, as far as it is known.
#[derive(Debug)]
struct Limit {
    what: What,
    /// What tells it from others of the same thing: its period's name, or its own.
    name: String,
    most: Option<f64>,
    remaining: Option<f64>,
    reset: Option<Duration>,
    period: Option<Duration>,
}

impl Limit {
    /// The one of this name, which is made where there is none.
    fn named<'a>(limits: &'a mut Vec<Self>, what: What, name: &str) -> &'a mut Self {
        let same = |limit: &Self| limit.what == what && limit.name == name;
        let place = limits.iter().position(same).unwrap_or_else(|| {
            limits.push(Self {
                what,
                name: name.to_owned(),
                most: None,
                remaining: None,
                reset: None,
                period: None,
            });
            limits.len() - 1
        });
        &mut limits[place]
    }

    fn allowance(&self) -> Option<Allowance> {
        Some(Allowance {
            remaining: self.remaining?,
            limit: self.most,
            period: self.period,
            reset: self.reset,
        })
    }
}

enum Field {
    Limit,
    Remaining,
    Reset,
}

/// Reads one field that has a header of its own.
fn read_field(name: &str, value: &str, now: SystemTime, limits: &mut Vec<Limit>) {
    let words = ["x-ratelimit-", "anthropic-ratelimit-", "ratelimit-"];
    let Some(words) = words.iter().find_map(|start| name.strip_prefix(start)) else {
        return;
    };
    // What is named by the thing that is counted is, but for a period of its own, a minute's.
    let mut period = None;
    let (mut field, mut what) = (None, None);
    for word in words.split('-') {
        match word {
            "limit" => field = Some(Field::Limit),
            "remaining" => field = Some(Field::Remaining),
            "reset" => field = Some(Field::Reset),
            "requests" | "request" | "req" => what = Some(What::Requests),
            "tokens" | "token" => what = Some(What::Tokens),
            "input" => {}
            _ => match seconds_of(word) {
                Some(seconds) => period = Some((word, seconds)),
                None => return,
            },
        }
    }
    let Some(field) = field else { return };
    let minute = what.map(|_| ("minute", 60));
    let period = period.or(minute);
    let own_name = period.map_or("", |(word, _)| word);
    let own_name = if words.contains("input") {
        "input"
    } else {
        own_name
    };
    let limit = Limit::named(limits, what.unwrap_or(What::Requests), own_name);
    limit.period = period.map(|(_, seconds)| Duration::from_secs(seconds));
    match field {
        Field::Limit => limit.most = first_number(value),
        Field::Remaining => limit.remaining = first_number(value),
        Field::Reset => limit.reset = reset(value, now),
    }
}

fn seconds_of(period: &str) -> Option<u64> {
    Some(match period {
        "second" => 1,
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        "month" => 30 * 86_400,
        _ => return None,
    })
}

/// `100`, or the first of `100, 100;w=60`.
fn first_number(value: &str) -> Option<f64> {
    let end = value.find([',', ';']).unwrap_or(value.len());
    number(value[..end].trim())
}

/// A number that is not negative, and no more than that.
fn number(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| plain && text.len() <= 18)
}

/// When a limit is whole: in seconds, at a Unix time in seconds or milliseconds, as a span with units,
/// or as a date of RFC 3339.
fn reset(value: &str, now: SystemTime) -> Option<Duration> {
    /// No span is so long, and no date so early: 2001 in seconds, and 2001 in milliseconds.
    const DATES: f64 = 1e9;
    const DATES_IN_MILLISECONDS: f64 = 1e12;
    let value = value.trim();
    let at = if let Some(number) = number(value) {
        if number < DATES {
            return Duration::try_from_secs_f64(number).ok();
        }
        let in_milliseconds = number >= DATES_IN_MILLISECONDS;
        let seconds = number / if in_milliseconds { 1000.0 } else { 1.0 };
        SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?
    } else if let Ok(date) = value.parse::<jiff::Timestamp>() {
        date.into()
    } else {
        return span(value);
    };
    Some(at.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests;
