//! How fast requests may follow one another, so that a server that counts them refuses few.
//!
//! Two things are counted, requests and tokens, and each in two ways: by rates that callers set
//! ([`Steady`]), and by what the server says of itself in headers ([`Learned`], in `pace/learned.rs`,
//! with the rule and its sources). A request starts when none of them holds it. Time is given.

mod learned;

mod steady;

use learned::Learned;
use std::time::Duration;
use steady::Steady;
use tokio::time::Instant;

/// What an answer says of the server's rates.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct RateReport {
    pub requests: Option<Allowance>,
    pub tokens: Option<Allowance>,
}

/// What a server allows of one thing, at the time of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Allowance {
    /// So many are left.
    pub remaining: f64,
    /// Of so many.
    pub limit: Option<f64>,
    /// In which `limit` comes back, where the server says it.
    pub period: Option<Duration>,
    /// When the limit is whole again.
    pub reset: Option<Duration>,
}

/// Whether too little of a thing was left is why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Yes,
    No,
    Unknown,
}

impl Cause {
    fn of(allowance: &Allowance, weight: f64) -> Self {
        if allowance.remaining < weight {
            Self::Yes
        } else {
            Self::No
        }
    }
}

/// The rates that one call sets, a minute; 0 tokens or requests are never set.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Rates {
    pub requests_per_minute: Option<f64>,
    pub tokens_per_minute: Option<f64>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Requests,
    Tokens,
}

/// What had been sent to the endpoint when a request was. Its answer says what was left then, or
/// later.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mark {
    at: Instant,
    requests: Sent,
    tokens: Sent,
}

/// So much was sent, in all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sent {
    /// With the request itself.
    with_it: f64,
    /// A little before: requests that are sent at about the same time come to the server in any order.
    well_before: f64,
}

/// A request has to wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hold {
    /// When to ask again.
    pub until: Instant,
    /// A rate that its own call sets holds it, and no other call.
    pub by_call: bool,
    /// The rate that holds it, as far as it is known.
    pub pace: Pace,
}

/// The rate that holds a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    pub per_minute: Option<f64>,
    /// It is tokens that count.
    pub tokens: bool,
}

impl Pace {
    fn new(per_minute: Option<f64>, what: What) -> Self {
        Self {
            per_minute,
            tokens: matches!(what, What::Tokens),
        }
    }

    /// The rate, for people.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates are positive, and saturate"
    )]
    pub(crate) fn whole_per_minute(self) -> Option<u64> {
        self.per_minute.map(|rate| rate.round() as u64)
    }
}

/// The pace of all requests to one endpoint.
#[derive(Debug)]
pub(crate) struct Pacer {
    requests: Counted,
    tokens: Counted,
    /// When the newer of the earlier times was that both keep what had been sent at.
    kept_at: Option<Instant>,
}

impl Pacer {
    /// One that holds nothing.
    pub(crate) fn new() -> Self {
        Self {
            requests: Counted::default(),
            tokens: Counted::default(),
            kept_at: None,
        }
    }

    /// Whether a request of a call with these rates has to be weighed before it is sent.
    pub(crate) fn counts_tokens(&self, rates: Rates) -> bool {
        rates.tokens_per_minute.is_some() || self.tokens.counts()
    }

    /// Asks for one request of so many tokens; or says when to ask again.
    pub(crate) fn admit(&mut self, now: Instant, tokens: f64, rates: Rates) -> Result<(), Hold> {
        if rates == Rates::default() && !self.requests.is_learned() && !self.tokens.is_learned() {
            return Ok(());
        }
        let (of_requests, of_tokens) = (rates.requests_per_minute, rates.tokens_per_minute);
        let own = [
            self.requests.ready_by_call(now, 1.0, of_requests),
            self.tokens.ready_by_call(now, tokens, of_tokens),
        ];
        if let Some((until, what)) = later_of(own) {
            let rate = match what {
                What::Requests => of_requests,
                What::Tokens => of_tokens,
            };
            return Err(Hold {
                until,
                by_call: true,
                pace: Pace::new(rate, what),
            });
        }
        let learned = [
            self.requests.ready(now, 1.0),
            self.tokens.ready(now, tokens),
        ];
        later_of(learned).map_or(Ok(()), |(until, what)| {
            let rate = match what {
                What::Requests => self.requests.rate(),
                What::Tokens => self.tokens.rate(),
            };
            Err(Hold {
                until,
                by_call: false,
                pace: Pace::new(rate.map(|a_second| a_second * 60.0), what),
            })
        })
    }

    /// The requests and the tokens a second that answers tell of.
    pub(crate) fn learned_rates(&self) -> [Option<f64>; 2] {
        [self.requests.rate(), self.tokens.rate()]
    }

    /// A request was sent.
    pub(crate) fn sent(&mut self, now: Instant, tokens: f64) -> Mark {
        let is_after = |span| self.kept_at.is_none_or(|at| now >= at + span);
        if is_after(ABREAST) {
            let both = is_after(2 * ABREAST);
            self.requests.keep(both);
            self.tokens.keep(both);
            self.kept_at = Some(now);
        }
        Mark {
            at: now,
            requests: self.requests.sent(now, 1.0),
            tokens: self.tokens.sent(now, tokens),
        }
    }

    /// An answer came, of whatever status, to a request of so many tokens that was sent at `mark`.
    pub(crate) fn learn(&mut self, now: Instant, mark: Mark, tokens: f64, report: &RateReport) {
        let requests = &self.requests;
        let since = requests.sent - mark.requests.with_it;
        let unseen = requests.sent - mark.requests.well_before - 1.0;
        let seen = |sent: f64, since: f64, unseen: f64, weight: f64| Seen {
            now,
            sent_at: mark.at,
            sent_then: sent - since,
            since,
            unseen,
            weight,
        };
        if let Some(allowance) = &report.tokens {
            let sent = self.tokens.sent;
            let seen = if self.tokens.counts() {
                let since = sent - mark.tokens.with_it;
                let unseen = sent - mark.tokens.well_before - tokens;
                seen(sent, since, unseen, tokens)
            } else {
                // What was sent before tokens were counted is taken to weigh as much as this one.
                seen(sent, since * tokens, unseen * tokens, tokens)
            };
            self.tokens.learned(seen, allowance);
        }
        if let Some(allowance) = &report.requests {
            let seen = seen(self.requests.sent, since, unseen, 1.0);
            self.requests.learned(seen, allowance);
        }
    }

    /// A request of so many tokens that was sent at `mark` was refused, with this report. It took
    /// nothing. Where the report says that there is enough of a thing, that is not why; without one,
    /// nobody knows. Says whether it is why.
    pub(crate) fn refused(
        &mut self,
        now: Instant,
        mark: Mark,
        tokens: f64,
        report: Option<&RateReport>,
    ) -> bool {
        let why = |allowance: Option<Allowance>, weight| {
            allowance.map_or(Cause::No, |allowance| Cause::of(&allowance, weight))
        };
        let (requests_why, tokens_why) = report.map_or((Cause::Unknown, Cause::Unknown), |told| {
            (why(told.requests, 1.0), why(told.tokens, tokens))
        });
        self.requests.refused(now, mark.at, 1.0, requests_why);
        self.tokens.refused(now, mark.at, tokens, tokens_why);
        requests_why == Cause::Yes || tokens_why == Cause::Yes
    }
}

/// Of the times until which requests and tokens hold a request, the later, and which holds it.
fn later_of([requests, tokens]: [Option<Instant>; 2]) -> Option<(Instant, What)> {
    let requests = requests.map(|until| (until, What::Requests));
    let tokens = tokens.map(|until| (until, What::Tokens));
    requests
        .into_iter()
        .chain(tokens)
        .max_by_key(|(until, _)| *until)
}

/// Requests that are sent within so long may come to the server in any order.
const ABREAST: Duration = Duration::from_millis(10);

/// One thing that is counted.
#[derive(Debug, Default)]
struct Counted {
    /// So much was sent, in all, since it is counted.
    sent: f64,
    /// What had been sent at two earlier times, the newer one last; they are [`ABREAST`] apart.
    earlier: [f64; 2],
    steady: Steady,
    learned: Option<Learned>,
}

impl Counted {
    /// So many a second, as far as it was learned.
    fn rate(&self) -> Option<f64> {
        self.learned.as_ref().and_then(Learned::rate)
    }

    fn is_learned(&self) -> bool {
        self.learned.is_some()
    }

    fn counts(&self) -> bool {
        self.is_learned() || !self.steady.is_empty()
    }

    /// When so many may go of a call with this rate: `None` for now.
    fn ready_by_call(&mut self, now: Instant, need: f64, rate: Option<f64>) -> Option<Instant> {
        self.steady.ready(now, need, rate?)
    }

    /// When the server takes so many: `None` for now.
    fn ready(&mut self, now: Instant, need: f64) -> Option<Instant> {
        self.learned.as_mut()?.ready(now, need, self.sent)
    }

    /// Keeps what was sent until now; in both places where the newer one is older than the other
    /// may be.
    fn keep(&mut self, both: bool) {
        let older = if both { self.sent } else { self.earlier[1] };
        self.earlier = [older, self.sent];
    }

    #[inline]
    fn sent(&mut self, now: Instant, amount: f64) -> Sent {
        self.sent += amount;
        self.steady.take(now, amount);
        if let Some(learned) = &mut self.learned {
            learned.take(now, amount);
        }
        Sent {
            with_it: self.sent,
            well_before: self.earlier[0],
        }
    }

    fn learned(&mut self, seen: Seen, allowance: &Allowance) {
        match &mut self.learned {
            Some(learned) => learned.learn(seen, allowance),
            None => self.learned = Some(Learned::new(seen, allowance)),
        }
    }

    fn refused(&mut self, now: Instant, sent_at: Instant, weight: f64, cause: Cause) {
        if cause != Cause::No {
            self.steady.refused(now);
        }
        if let Some(learned) = &mut self.learned {
            learned.refused(now, sent_at, weight, cause == Cause::Yes);
        }
    }
}

/// When an answer was seen, and what had been sent before and after its request.
#[derive(Debug, Clone, Copy)]
struct Seen {
    now: Instant,
    sent_at: Instant,
    sent_then: f64,
    /// So much was sent after it, and so much beside it or after it.
    since: f64,
    unseen: f64,
    weight: f64,
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests;
