//! Rules: which requests a fault befalls, and how often.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::hash::nth_uniform;
use super::request::Request;

/// Faults for the requests that match. Of several rules that match, the first
/// that is not used up applies, alone; so rules added one behind another with
/// [`Rule::times`] play out as a sequence.
///
/// In JSON, for `POST /mock/rules`, every field but `faults` may be left out:
///
/// ```json
/// {"path": "/v1/embeddings", "header": {"name": "authorization", "value": "Bearer k1"},
///  "body_contains": "text 7", "after": 1, "times": 2, "share": 0.5, "above_in_flight": 32,
///  "faults": "status=503;retry_after=1,chunked"}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// What the path begins with; empty matches all.
    pub path: String,
    /// A header that the request has.
    pub header: Option<HeaderMatch>,
    /// What the body contains, as raw bytes, so that the one batch which holds
    /// a given text can be hit.
    pub body_contains: Option<String>,
    /// How many matching requests pass before the rule first applies.
    pub after: u64,
    /// How many times the rule applies; without end where it is not given.
    pub times: Option<u64>,
    /// The share of matching requests to which it applies, drawn from the seed.
    pub share: Option<f64>,
    /// Applies only while more requests than this are in flight, its own among them.
    pub above_in_flight: Option<u64>,
    /// What happens; nothing, for a rule that shields requests from later rules.
    #[serde(with = "fault_list", alias = "fault")]
    pub faults: Vec<Fault>,
}

/// A header that a request must have for a [`Rule`] to match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderMatch {
    /// The name, in any case.
    pub name: String,
    /// The value; any where it is not given.
    #[serde(default)]
    pub value: Option<String>,
}

impl Rule {
    /// A rule for every path that begins so.
    #[must_use]
    pub fn on(path: impl Into<String>, fault: Fault) -> Self {
        Self {
            path: path.into(),
            faults: vec![fault],
            ..Self::default()
        }
    }

    /// Adds a fault to those that happen together.
    #[must_use]
    pub fn with(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Applies this many times at most.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Lets this many matching requests pass first.
    #[must_use]
    pub fn after(mut self, after: u64) -> Self {
        self.after = after;
        self
    }

    /// Applies to this share of the matching requests.
    #[must_use]
    pub fn share(mut self, share: f64) -> Self {
        self.share = Some(share);
        self
    }

    /// Applies only while more requests than this are in flight.
    #[must_use]
    pub fn above_in_flight(mut self, limit: u64) -> Self {
        self.above_in_flight = Some(limit);
        self
    }

    /// Applies only to requests that have this header with this value.
    #[must_use]
    pub fn when_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.header = Some(HeaderMatch {
            name: name.into(),
            value: Some(value.into()),
        });
        self
    }

    /// Applies only to requests whose body contains this.
    #[must_use]
    pub fn when_body_contains(mut self, text: impl Into<String>) -> Self {
        self.body_contains = Some(text.into());
        self
    }

    fn matches(&self, request: &Request<'_>, in_flight: u64) -> bool {
        request.path().starts_with(&self.path)
            && self.above_in_flight.is_none_or(|limit| in_flight > limit)
            && self.header.as_ref().is_none_or(|wanted| {
                request.headers().any(|(name, value)| {
                    name.eq_ignore_ascii_case(&wanted.name)
                        && wanted.value.as_deref().is_none_or(|wanted| wanted == value)
                })
            })
            && self.body_contains.as_deref().is_none_or(|text| {
                std::str::from_utf8(request.body()).is_ok_and(|body| body.contains(text))
            })
    }
}

/// The rules in force. A rule's `after` and `times` count down in place.
#[derive(Debug, Default)]
pub(super) struct RuleBook {
    rules: Mutex<Vec<Rule>>,
    /// Spares the lock on the way of every request of a server without rules.
    any: AtomicBool,
}

impl RuleBook {
    pub(super) fn add(&self, rules: impl IntoIterator<Item = Rule>) -> usize {
        let mut book = self.lock();
        book.extend(rules);
        self.any.store(!book.is_empty(), Ordering::Release);
        book.len()
    }

    pub(super) fn clear(&self) {
        let mut book = self.lock();
        book.clear();
        self.any.store(false, Ordering::Release);
    }

    /// The rules with what is left of their counts.
    pub(super) fn list(&self) -> Vec<Rule> {
        self.lock().clone()
    }

    /// The faults of the first rule that applies to the `n`th request.
    pub(super) fn faults_for(
        &self,
        request: &Request<'_>,
        in_flight: u64,
        seed: u64,
        n: u64,
    ) -> Vec<Fault> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut book = self.lock();
        for (position, rule) in (1_u64..).zip(book.iter_mut()) {
            if rule.times == Some(0) || !rule.matches(request, in_flight) {
                continue;
            }
            // Each rule draws from a sequence of its own, or two rules with the
            // same share would always choose the same requests.
            if rule
                .share
                .is_some_and(|share| nth_uniform(seed ^ (position << 32), n) >= share)
            {
                continue;
            }
            if rule.after > 0 {
                rule.after -= 1;
                continue;
            }
            if let Some(times) = &mut rule.times {
                *times -= 1;
            }
            return rule.faults.clone();
        }
        Vec::new()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Faults in JSON are the text that the header `x-mock-fault` takes.
mod fault_list {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Fault;

    pub(super) fn serialize<S: Serializer>(faults: &[Fault], to: S) -> Result<S::Ok, S::Error> {
        let texts: Vec<String> = faults.iter().map(Fault::to_string).collect();
        to.serialize_str(&texts.join(","))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Fault>, D::Error> {
        Fault::parse_list(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}
