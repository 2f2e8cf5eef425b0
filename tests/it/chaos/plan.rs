//! What is asked, and what is done to it meanwhile.

use crate::support::fake::MS;
use hedgerow::{CancellationToken, HedgeDelay, Method, OnError, Preference};
use rand::Rng;
use rand::rngs::StdRng;
use std::ops::Range;
use std::time::Duration;

/// The header by which a request names its operation.
pub(super) const OPERATION: &str = "x-operation";

/// Which call is made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Embed,
    Rerank,
    Classify,
    Post(Method),
}

/// What is drawn lies within these.
pub(super) struct Ranges {
    /// Within this time all operations start.
    pub(super) starts: Duration,
    /// How long an attempt may take, in milliseconds.
    pub(super) timeout: Range<u32>,
    /// The most retries of a request.
    pub(super) retries: u32,
}

/// A budget of extra attempts, in quarters of an operation's requests.
#[derive(Clone, Copy)]
pub(super) struct Quarters(u8);

impl Quarters {
    fn share(self) -> f64 {
        f64::from(self.0) / 4.0
    }

    /// What an operation of so many requests may spend.
    pub(super) fn of(self, requests: usize) -> usize {
        (1 + (requests * usize::from(self.0)).div_ceil(4)).max(2)
    }
}

/// One operation.
pub(super) struct Plan {
    pub(super) number: usize,
    pub(super) kind: Kind,
    pub(super) texts: Vec<String>,
    pub(super) preference: Preference,
    pub(super) hedges: Quarters,
    pub(super) retries: Quarters,
    pub(super) starts: Duration,
    /// Its token is cancelled after so long.
    pub(super) cancelled: Option<Duration>,
    /// Its future is dropped after so long.
    pub(super) dropped: Option<Duration>,
}

impl Plan {
    pub(super) fn draw(number: usize, ranges: &Ranges, dice: &mut StdRng) -> Self {
        let inputs = dice.random_range(1..60);
        let [hedges, retries] = [0; 2].map(|least| Quarters(dice.random_range(least..4)));
        let cancelled = sometimes(0.05, dice);
        Self {
            number,
            kind: match dice.random_range(0..8) {
                0..3 => Kind::Embed,
                3 | 4 => Kind::Rerank,
                5 => Kind::Classify,
                6 => Kind::Post(Method::Post),
                _ => Kind::Post(Method::Get),
            },
            texts: (0..inputs)
                .map(|input| format!("{number}/{input}"))
                .collect(),
            preference: Preference {
                hedge_budget_pct: hedges.share(),
                retry_budget_pct: retries.share(),
                cancel_token: cancelled.map(|_| CancellationToken::new()),
                extra_headers: [(OPERATION, number.to_string())].into(),
                ..preference(ranges, dice)
            },
            hedges,
            retries,
            starts: dice.random_range(Duration::ZERO..ranges.starts),
            cancelled,
            dropped: sometimes(0.05, dice),
        }
    }
}

/// With this chance, a time.
fn sometimes(chance: f64, dice: &mut StdRng) -> Option<Duration> {
    dice.random_bool(chance)
        .then(|| dice.random_range(1..400) * MS)
}

fn preference(ranges: &Ranges, dice: &mut StdRng) -> Preference {
    let timeout = dice.random_range(ranges.timeout.clone()) * MS;
    let more = dice.random_range(0..2000) * MS;
    let limits_characters = dice.random_bool(0.2);
    Preference {
        batch_size: dice.random_range(1..16),
        max_chars_per_request: limits_characters.then(|| dice.random_range(50..200)),
        max_concurrent_requests: dice.random_range(1..8),
        timeout,
        total_timeout: dice.random_bool(0.3).then_some(timeout + more),
        hedge_delay: match dice.random_range(0..4) {
            0 => Some(HedgeDelay::Quantile(0.9)),
            1 => Some((50 * MS).into()),
            _ => None,
        },
        max_retries: dice.random_range(0..=ranges.retries),
        initial_backoff: 50 * MS,
        on_error: if dice.random() {
            OnError::Return
        } else {
            OnError::Raise
        },
        ..Preference::default()
    }
}
