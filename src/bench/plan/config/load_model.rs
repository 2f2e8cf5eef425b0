//! Who starts requests, and when.

use super::BenchmarkConfig;
use crate::bench::plan::open::{Open, Pace};
use crate::bench::plan::schedule::{Arrival, Stage};
use crate::error::{Error, Result};
use std::time::Duration;

const MOST_USERS: usize = 1_000_000;

impl BenchmarkConfig {
    /// Users of a closed loop, 1 to 1,000,000; `None` for one a record, body or prompt, at most a
    /// million. In place of what [`try_new`](Self::try_new) was given.
    #[must_use]
    pub fn with_users(mut self, users: Option<usize>) -> Self {
        self.users = users;
        self
    }

    /// An open loop: requests start by a schedule, whatever became of those before. The levels of
    /// the stages are requests a second. Users and mode then play no part.
    #[must_use]
    pub fn with_arrivals(mut self, stages: Vec<Stage>, arrival: Arrival) -> Self {
        let pace = Pace::Stages(stages);
        self.open = Some(Open { pace, arrival });
        self
    }

    /// An open loop of so many requests a second; where nothing says for how long, until each
    /// request of the data set was sent once, or [as many as are
    /// wanted](Self::with_request_count).
    #[must_use]
    pub fn with_rate(mut self, rate: f64, duration: Option<Duration>, arrival: Arrival) -> Self {
        let pace = Pace::Rate(rate, duration);
        self.open = Some(Open { pace, arrival });
        self
    }

    /// A partly open loop: what arrives by the schedule of an open loop is a session of so many
    /// requests, 1 to 1,000,000, of which each follows the answer to the one before. An answer is
    /// also a failure.
    ///
    /// The latency of a session's first request is counted from its scheduled start, that of the
    /// others from when they were due: the answer before and the [think
    /// time](Self::with_think_time). A session that has begun counts as planned with all its
    /// requests. Those under way at the end of the schedule go on; what the end of the
    /// [drain](Self::with_drain) finds unsent is dropped. The `k`-th request of session `s` is
    /// number `s * requests + k`, and takes the body of that number.
    #[must_use]
    pub fn with_sessions(mut self, requests: u64) -> Self {
        self.session_requests = Some(requests);
        self
    }

    /// How long a user, of a closed loop or of a session, thinks between an answer and the next
    /// request. Default: no time.
    #[must_use]
    pub fn with_think_time(mut self, think_time: Duration) -> Self {
        self.think_time = think_time;
        self
    }

    /// The most requests that are in flight at once in an open loop or a partly open one, at least
    /// 1; `None` for as many as a system takes in, 1,000,000. What must wait for a place keeps its
    /// scheduled start: the wait is latency. Whoever thinks takes no place. Default 16,384.
    #[must_use]
    pub fn with_max_in_flight(mut self, most: Option<usize>) -> Self {
        self.max_in_flight = most;
        self
    }

    /// Ends the schedule of an open loop after so many requests; the last session may be shorter.
    #[must_use]
    pub fn with_request_count(mut self, requests: u64) -> Self {
        self.requests = Some(requests);
        self
    }

    /// A closed loop whose number of users changes: the levels of the stages are users. They end
    /// with the stages; the mode's requests a user play no part.
    #[must_use]
    pub fn with_user_stages(mut self, stages: Vec<Stage>) -> Self {
        self.user_stages = stages;
        self
    }

    /// Checks users and mode.
    pub(in crate::bench) fn check_load(&self) -> Result<()> {
        if let Some(users) = self.users
            && !(1..=MOST_USERS).contains(&users)
        {
            return Err(Error::config(format!(
                "user_count must be between 1 and {MOST_USERS} (got {users})"
            )));
        }
        self.mode.check()
    }

    /// Users of a closed loop.
    pub(in crate::bench) fn user_count(&self) -> usize {
        let one_a_record = || self.content.count().clamp(1, MOST_USERS);
        self.users.unwrap_or_else(one_a_record)
    }
}
