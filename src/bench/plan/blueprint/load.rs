//! Who starts requests, checked.

use crate::actor::MOST_OPERATIONS;
use crate::bench::figure::counted;
use crate::bench::plan::config::BenchmarkConfig;
use crate::bench::plan::open::{Open, Pace};
use crate::bench::plan::run_mode::RunMode;
use crate::bench::plan::schedule::{Levels, Schedule, Stage};
use crate::bench::plan::span::{LONGEST_RUN, check_span};
use crate::error::{Error, Result};
use std::fmt::Write as _;
use std::time::Duration;

/// Who starts requests.
#[derive(Debug, Clone)]
pub(in crate::bench) enum Load {
    Closed(ClosedLoad),
    /// Open, or partly open.
    Open(OpenLoad),
}

/// Users, each with one request at a time.
#[derive(Debug, Clone)]
pub(in crate::bench) struct ClosedLoad {
    pub(in crate::bench) users: u32,
    /// Requests that each may make.
    pub(in crate::bench) per_user: Option<u64>,
    /// No request is started after that.
    pub(in crate::bench) until: Option<Duration>,
    /// How many users are active when; all of them where this is `None`.
    pub(in crate::bench) levels: Option<Levels>,
    /// From an answer to when the user's next request is due.
    pub(in crate::bench) think: Duration,
}

/// A schedule that waits for nobody.
#[derive(Debug, Clone)]
pub(in crate::bench) struct OpenLoad {
    pub(in crate::bench) schedule: Schedule,
    pub(in crate::bench) span: Duration,
    pub(in crate::bench) max_in_flight: usize,
    /// Requests at most.
    pub(in crate::bench) most: u64,
    /// What arrives, where it is not a request on its own.
    pub(in crate::bench) sessions: Option<Sessions>,
}

/// Requests that one user makes one after the other, and then leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) struct Sessions {
    /// Requests of each, at least 1.
    pub(in crate::bench) requests: u64,
    /// From an answer to when the next request is due.
    pub(in crate::bench) think: Duration,
}

impl Load {
    /// When the last user or session starts a request of its own accord, where time says so.
    pub(in crate::bench) fn until(&self) -> Option<Duration> {
        match self {
            Self::Closed(closed) => closed.until,
            Self::Open(arrivals) => Some(arrivals.span),
        }
    }

    /// The most requests under way at once.
    pub(super) fn most_in_flight(&self) -> u64 {
        match self {
            Self::Closed(closed) => closed.users.into(),
            Self::Open(arrivals) => (arrivals.max_in_flight as u64).min(arrivals.most),
        }
    }

    /// Whether the level changes while the run lasts.
    pub(in crate::bench) fn changes(&self) -> bool {
        matches!(self, Self::Closed(closed) if closed.levels.is_some())
    }

    /// The model that every report names.
    pub(in crate::bench) fn describe(&self) -> String {
        let (mut text, think) = match self {
            Self::Closed(closed) => {
                let most = if closed.levels.is_some() {
                    "up to "
                } else {
                    ""
                };
                let users = counted(closed.users.into(), "user");
                (format!("closed loop, {most}{users}"), closed.think)
            }
            Self::Open(arrivals) => match arrivals.sessions {
                None => {
                    let schedule = arrivals.schedule.describe("requests");
                    (format!("open loop, {schedule}"), Duration::ZERO)
                }
                Some(Sessions { requests, think }) => {
                    let schedule = arrivals.schedule.describe("sessions");
                    let each = counted(requests, "request");
                    (format!("partly open, {schedule} of {each}"), think)
                }
            },
        };
        if !think.is_zero() {
            // Writing into memory cannot fail.
            let _ = write!(text, ", think time {} s", think.as_secs_f64());
        }
        text
    }
}

/// The load that is asked for. `bodies` is how many requests differ.
pub(super) fn checked(config: &BenchmarkConfig, bodies: usize) -> Result<Load> {
    check_span("think_time", config.think_time)?;
    if let Some(open) = &config.open {
        return arrivals(config, open, bodies).map(Load::Open);
    }
    for (name, given) in [
        ("requests", config.requests.is_some()),
        ("session_requests", config.session_requests.is_some()),
    ] {
        if given {
            return Err(Error::config(format!(
                "{name} is of arrivals: it needs a rate or stages"
            )));
        }
    }
    let mut closed = ClosedLoad {
        users: u32::try_from(config.user_count()).unwrap_or(u32::MAX),
        per_user: None,
        until: None,
        levels: None,
        think: config.think_time,
    };
    if !config.user_stages.is_empty() {
        let levels = levels(&config.user_stages, config.warmup)?;
        closed.users = rounded_up(levels.highest())?;
        closed.until = Some(levels.span());
        closed.levels = Some(levels);
        return Ok(Load::Closed(closed));
    }
    match config.mode {
        RunMode::Finite { requests_per_user } => closed.per_user = Some(requests_per_user as u64),
        RunMode::LongRunning { duration } => closed.until = Some(config.warmup + duration),
    }
    Ok(Load::Closed(closed))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be between 1 and a million"
)]
fn rounded_up(users: f64) -> Result<u32> {
    if (f64::MIN_POSITIVE..=1e6).contains(&users) {
        Ok(users.ceil() as u32)
    } else {
        Err(Error::config(format!(
            "user_stages must reach above 0 and at most 1000000 users (got {users})"
        )))
    }
}

/// The stages, with the warm-up in front.
fn levels(stages: &[Stage], warmup: Duration) -> Result<Levels> {
    for stage in stages {
        stage.check()?;
    }
    let mut all = stages.to_vec();
    match all.first_mut() {
        _ if warmup.is_zero() => {}
        Some(first) if first.is_steady() => first.span = first.span.saturating_add(warmup),
        Some(first) => {
            let warmup = Stage::steady(first.from, warmup);
            all.insert(0, warmup);
        }
        None => {}
    }
    let levels = Levels(all);
    if levels.span() > LONGEST_RUN {
        return Err(Error::config(format!(
            "stages must end within 30 days (got {} s)",
            levels.span().as_secs_f64()
        )));
    }
    Ok(levels)
}

/// Arrivals a second.
const RATES: std::ops::RangeInclusive<f64> = 1e-6..=1e7;

fn arrivals(config: &BenchmarkConfig, open: &Open, bodies: usize) -> Result<OpenLoad> {
    let mut most = config.requests;
    let levels = match &open.pace {
        Pace::Stages(stages) => levels(stages, config.warmup)?,
        Pace::Rate(rate, duration) => {
            if !RATES.contains(rate) {
                let (least, most) = (RATES.start(), RATES.end());
                return Err(Error::config(format!(
                    "rate must be between {least} and {most} (got {rate})"
                )));
            }
            let rest = LONGEST_RUN.saturating_sub(config.warmup);
            if duration.is_none() {
                most = most.or(Some(bodies as u64));
            }
            let span = duration.unwrap_or(rest);
            levels(&[Stage::steady(*rate, span)], config.warmup)?
        }
    };
    if levels.highest() <= 0.0 {
        return Err(Error::config(
            "stages must reach above 0 (got 0 in every stage)",
        ));
    }
    if config.max_in_flight == Some(0) {
        return Err(Error::config("max_in_flight must be at least 1 (got 0)"));
    }
    Ok(OpenLoad {
        span: levels.span(),
        schedule: Schedule::new(levels, open.arrival, config.seed),
        max_in_flight: config
            .max_in_flight
            .map_or(MOST_OPERATIONS, |most| most.min(MOST_OPERATIONS)),
        most: most.unwrap_or(u64::MAX),
        sessions: sessions(config)?,
    })
}

fn sessions(config: &BenchmarkConfig) -> Result<Option<Sessions>> {
    /// As many as a run has users at most.
    const MOST: u64 = 1_000_000;
    let think = config.think_time;
    match config.session_requests {
        Some(requests) if (1..=MOST).contains(&requests) => Ok(Some(Sessions { requests, think })),
        Some(requests) => Err(Error::config(format!(
            "session_requests must be between 1 and {MOST} (got {requests})"
        ))),
        None if think.is_zero() => Ok(None),
        None => Err(Error::config(format!(
            "think_time is of users and sessions: with arrivals it needs session_requests (got {} s)",
            think.as_secs_f64()
        ))),
    }
}
