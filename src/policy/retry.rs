//! Whether a failed attempt is made again, and after which pause.
//!
//! Exponential backoff with full jitter: the pause before retry `n` is uniform between nothing
//! and `initial_backoff * 4^(n-1)`, at most 45 s ["Exponential Backoff And Jitter", AWS
//! Architecture Blog, 2015]. The factor and the cap are those of the client that this one
//! replaces.

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

/// No pause is longer.
const LONGEST_BACKOFF: Duration = Duration::from_secs(45);
/// Each retry waits up to so many times longer than the one before.
const BACKOFF_FACTOR: u32 = 4;
/// So many refusals of one request are followed by no pause of its own.
const REFUSED_AT_ONCE: u32 = 3;
const AT_ONCE: Duration = Duration::ZERO;
/// So often is a request sent again because the Worker that had it died.
const MOST_LOSSES: u32 = 2;

/// What went wrong with an attempt, as far as the decision needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server asks for less: its endpoint is left alone by everyone for a while.
    TooMuch {
        code: u16,
        retry_after: Option<Duration>,
    },
    /// The server answered with another status that is not a success.
    Status {
        code: u16,
        retry_after: Option<Duration>,
        /// It says that the request may be sent again, whatever the status is.
        invites: bool,
    },
    /// No connection could be made: refused, no such host, no handshake.
    Connect,
    /// None, for want of what this process has.
    Exhausted,
    /// The connection broke, or the answer ended early or does not parse.
    Network,
    /// No answer within the attempt's timeout.
    Timeout,
    /// A whole answer whose content is wrong (count, indices, dimensions).
    Mismatch,
    /// A whole answer that holds nothing at all: as much as a server's error.
    Hollow,
    /// The Worker died under it.
    Lost,
    /// An answer that will be the same the next time (too large, not the expected shape).
    Permanent,
}

impl Fault {
    /// What a status that is no success says.
    pub(crate) fn of_status(code: u16, retry_after: Option<Duration>, advice: Advice) -> Self {
        match advice {
            Advice::GiveUp => Self::Permanent,
            _ if asks_for_less(code) => Self::TooMuch { code, retry_after },
            _ => Self::Status {
                code,
                retry_after,
                invites: advice == Advice::Retry,
            },
        }
    }

    /// One that is held against its request, and not against its endpoint.
    pub(crate) fn as_any_status(self) -> Self {
        match self {
            Self::TooMuch { code, retry_after } => Self::Status {
                code,
                retry_after,
                invites: false,
            },
            other => other,
        }
    }

    /// How long the server asks to be left alone.
    pub(crate) fn retry_after(self) -> Option<Duration> {
        match self {
            Self::TooMuch { retry_after, .. } | Self::Status { retry_after, .. } => retry_after,
            _ => None,
        }
    }
}

/// Whether a status means "too much". No other place knows which do.
pub(crate) fn asks_for_less(code: u16) -> bool {
    matches!(code, 429 | 503)
}

/// The pause that a server names, or else `own`. One that names less than the first backoff would be
/// asked without end, and waits for the longer of the two.
pub(crate) fn named_or(
    asked: Option<Duration>,
    first_backoff: Duration,
    own: impl FnOnce() -> Duration,
) -> Duration {
    match asked {
        Some(asked) if asked >= first_backoff => asked,
        _ => asked.unwrap_or_default().max(own()),
    }
}

/// Whether a pause that a server asks for is longer than the longest that is made.
pub(crate) fn outlasts(asked: Option<Duration>, most: Duration) -> bool {
    asked.is_some_and(|asked| asked > most)
}

/// What a server says of another try, beside its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Nothing.
    None,
    /// That it may be made.
    Retry,
    /// That it would be in vain.
    GiveUp,
}

/// What a request has been through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Retries made that count against `max_retries`.
    pub retries: u32,
    /// Network failures so far. The retry after the first is paid by no budget: it is nobody's fault.
    pub network_failures: u32,
    /// Refusals ("too much") so far, while the endpoint served others. They end by deadlines alone.
    pub refusals: u32,
    /// Answers of the wrong content so far.
    pub mismatches: u32,
    /// Workers that died under the request.
    pub losses: u32,
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Send it again after the pause, if the charge can be paid.
    Retry { after: Duration, charge: Charge },
    /// The failure is the request's end.
    GiveUp,
}

/// What a retry is paid from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charge {
    /// Nothing but the request's own limit of retries.
    Free,
    /// The operation's budget: timeouts and network failures.
    Operation,
    /// The budget that all operations at the endpoint share: refusals.
    Endpoint,
}

/// The rules by which an operation's requests are made again.
pub(crate) trait RetryRules: fmt::Debug + Send + Sync {
    /// Decides on a failure. `history` is brought up to date by it; `elapsed` is the time since
    /// the request's first attempt; `jitter` is uniform in 0 to 1.
    fn decide(
        &self,
        fault: Fault,
        history: &mut History,
        elapsed: Duration,
        jitter: f64,
    ) -> Verdict;

    /// Whether the next network failure of a request is its end.
    fn is_last_try(&self, history: &History) -> bool;

    /// How the operation waits at its endpoint's gate, with all others that go there; `None` for one
    /// that passes it by.
    fn at_the_gate(&self) -> Option<GateTerms>;

    /// The longest pause that is made because a server asks for it.
    fn max_retry_after(&self) -> Duration;
}

/// On which terms an operation waits at its endpoint's gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GateTerms {
    /// So many probes may be refused before its requests are given up.
    pub max_retries: u32,
    /// The longest first pause, where the server names none.
    pub initial_backoff: Duration,
}

/// What a caller says of one request's retries.
#[derive(Debug, Clone)]
pub(crate) struct RetryPolicy {
    /// Retries that one request may make.
    pub max_retries: u32,
    /// The longest first pause.
    pub initial_backoff: Duration,
    /// Statuses that are final although they would be retried otherwise.
    pub non_retryable: Box<[u16]>,
    /// A server that asks for a longer pause is asked no more.
    pub max_retry_after: Duration,
    /// A request that is refused again and again, while its endpoint serves others, is given up
    /// after so long.
    pub patience: Duration,
}

/// The rules of a client's operations, which share what an endpoint can bear.
impl RetryRules for RetryPolicy {
    fn decide(
        &self,
        fault: Fault,
        history: &mut History,
        elapsed: Duration,
        jitter: f64,
    ) -> Verdict {
        if fault == Fault::Exhausted {
            // It says nothing of the host, and others give back what they have.
            return free(AT_ONCE);
        }
        if fault == Fault::Connect {
            // Nothing was sent. The endpoint's gate makes it wait, with all others.
            return if self.max_retries == 0 {
                Verdict::GiveUp
            } else {
                free(AT_ONCE)
            };
        }
        if let Some(verdict) = self.settles(fault, history) {
            return verdict;
        }
        if let Fault::TooMuch { retry_after, .. } = fault {
            if elapsed >= self.patience {
                return Verdict::GiveUp;
            }
            return free(self.after_too_much(retry_after, history, jitter));
        }
        let Some(pause) = self.next_pause(history, jitter) else {
            return Verdict::GiveUp;
        };
        history.network_failures += u32::from(fault == Fault::Network);
        match fault {
            Fault::Lost => free(AT_ONCE),
            Fault::Network if history.network_failures == 1 => free(AT_ONCE),
            Fault::Status { .. } | Fault::Hollow => Verdict::Retry {
                after: fault.retry_after().unwrap_or(pause),
                charge: Charge::Endpoint,
            },
            Fault::Network | Fault::Timeout => Verdict::Retry {
                after: pause,
                charge: Charge::Operation,
            },
            // The others are settled above.
            Fault::Mismatch
            | Fault::Permanent
            | Fault::TooMuch { .. }
            | Fault::Connect
            | Fault::Exhausted => free(pause),
        }
    }

    fn is_last_try(&self, history: &History) -> bool {
        history.retries >= self.max_retries
    }

    fn at_the_gate(&self) -> Option<GateTerms> {
        Some(GateTerms {
            max_retries: self.max_retries,
            initial_backoff: self.initial_backoff,
        })
    }

    fn max_retry_after(&self) -> Duration {
        self.max_retry_after
    }
}

impl RetryPolicy {
    /// Decides on what does not depend on how many retries are left.
    pub(crate) fn settles(&self, fault: Fault, history: &mut History) -> Option<Verdict> {
        if outlasts(fault.retry_after(), self.max_retry_after) {
            return Some(Verdict::GiveUp);
        }
        match fault {
            Fault::Permanent => Some(Verdict::GiveUp),
            Fault::TooMuch { code, .. } => self.settles_status(code, false),
            Fault::Status { code, invites, .. } => self.settles_status(code, invites),
            Fault::Lost => {
                history.losses += 1;
                (history.losses > MOST_LOSSES).then_some(Verdict::GiveUp)
            }
            Fault::Mismatch => {
                history.mismatches += 1;
                (history.mismatches > 1).then_some(Verdict::GiveUp)
            }
            Fault::Connect | Fault::Exhausted | Fault::Network | Fault::Timeout | Fault::Hollow => {
                None
            }
        }
    }

    /// Counts a retry and gives the pause before it; `None` where none is left.
    pub(crate) fn next_pause(&self, history: &mut History, jitter: f64) -> Option<Duration> {
        if history.retries >= self.max_retries {
            return None;
        }
        let pause = self.backoff(history.retries, jitter);
        history.retries += 1;
        Some(pause)
    }

    /// The pause of a request that was refused while its endpoint serves others.
    fn after_too_much(
        &self,
        asked: Option<Duration>,
        history: &mut History,
        jitter: f64,
    ) -> Duration {
        named_or(asked, self.initial_backoff, || {
            self.after_refusals(history, jitter)
        })
    }

    /// The pause of a request that was refused while the endpoint serves others: the window that
    /// is learned from it holds it back. One that is refused again and again, as where a single
    /// path is closed, leaves the others its place.
    fn after_refusals(&self, history: &mut History, jitter: f64) -> Duration {
        let before = history.refusals;
        history.refusals += 1;
        match before.checked_sub(REFUSED_AT_ONCE) {
            None => AT_ONCE,
            Some(times) => self.backoff(times, jitter),
        }
    }

    fn settles_status(&self, code: u16, invites: bool) -> Option<Verdict> {
        let transient = invites || matches!(code, 408 | 409 | 429 | 500..=599);
        let retries = transient && !self.non_retryable.contains(&code);
        (!retries).then_some(Verdict::GiveUp)
    }

    fn backoff(&self, retries_before: u32, jitter: f64) -> Duration {
        let factor = BACKOFF_FACTOR.saturating_pow(retries_before);
        let longest = self.initial_backoff.saturating_mul(factor);
        longest.min(LONGEST_BACKOFF).mul_f64(jitter.clamp(0.0, 1.0))
    }
}

/// A retry that nothing but the request's own limit pays for.
pub(crate) fn free(after: Duration) -> Verdict {
    let charge = Charge::Free;
    Verdict::Retry { after, charge }
}
