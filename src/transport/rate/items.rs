//! The lists of the IETF's draft: `"default";r=50;t=30, "day";r=900`, and how it was before.

use super::{Limit, number};
use crate::policy::pace::What;
use std::time::Duration;

/// Reads the value of a header `ratelimit` or `ratelimit-policy`.
pub(super) fn read(value: &str, limits: &mut Vec<Limit>) {
    for item in value.split(',') {
        let mut parts = item.split(';').map(str::trim);
        let first = parts.next().unwrap_or_default();
        if let Some((key, amount)) = first.split_once('=') {
            // The seventh draft and those before it: `limit=100, remaining=50, reset=5`.
            put(Limit::named(limits, What::Requests, ""), key, amount);
            continue;
        }
        let name = first.trim_matches('"').to_ascii_lowercase();
        let unit = |part: &&str| {
            part.strip_prefix("qu=")
                .is_some_and(|it| it.contains("token"))
        };
        let parameters: Vec<&str> = parts.collect();
        let counts_tokens = name.contains("token") || parameters.iter().any(unit);
        let what = if counts_tokens {
            What::Tokens
        } else {
            What::Requests
        };
        let limit = Limit::named(limits, what, &name);
        for parameter in parameters {
            if let Some((key, amount)) = parameter.split_once('=') {
                put(limit, key, amount);
            }
        }
    }
}

fn put(limit: &mut Limit, key: &str, amount: &str) {
    let Some(amount) = number(amount.trim()) else {
        return;
    };
    let seconds = || Duration::try_from_secs_f64(amount).ok();
    match key.trim() {
        "q" | "limit" => limit.most = Some(amount),
        "r" | "remaining" => limit.remaining = Some(amount),
        "t" | "reset" => limit.reset = seconds(),
        "w" => limit.period = seconds(),
        _ => {}
    }
}
