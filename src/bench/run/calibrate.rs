//! What this client could do at most: the same load against a server that costs next to nothing.
//!
//! The server is a thread of this process that answers every request with the same bytes. It shares
//! the machine with the client, so that the figure is rather too low than too high.

use super::engine::{carry_out, systems};
use super::null_server::NullServer;
use crate::bench::plan::{BenchmarkConfig, Blueprint, RunMode};
use crate::error::Result;
use crate::transport::{HttpSettings, Proxy};
use std::time::Duration;

/// Long enough for a figure, short enough not to be minded.
const SPAN: Duration = Duration::from_millis(400);
/// More users find no other ceiling.
const MOST_USERS: usize = 128;
/// Users of the calibration of an open loop.
const USERS_OF_OPEN: usize = 64;

/// Requests a second that succeed against the null server; `None` where none did.
pub(super) fn ceiling(config: &BenchmarkConfig) -> Result<Option<f64>> {
    let Ok(server) = NullServer::start() else {
        return Ok(None);
    };
    let users = if config.open.is_some() {
        USERS_OF_OPEN
    } else {
        config.user_count().min(MOST_USERS)
    };
    let mut calibration = config.clone();
    calibration.endpoint = server.url();
    calibration.api_key = None;
    calibration.users = Some(users);
    calibration.mode = RunMode::LongRunning { duration: SPAN };
    calibration.open = None;
    calibration.requests = None;
    calibration.session_requests = None;
    calibration.think_time = Duration::ZERO;
    calibration.user_stages = Vec::new();
    calibration.wait_ready = None;
    calibration.warmup = SPAN / 4;
    calibration.drain = Some(SPAN);
    calibration.slos = Vec::new();
    calibration.progress = None;
    calibration.calibrate = false;
    calibration.hedge_delay = None;
    calibration.http = HttpSettings {
        proxy: Proxy::Direct,
        ..HttpSettings::default()
    };
    let blueprint = Blueprint::new(&calibration)?;
    let systems = systems(&blueprint, &calibration)?;
    let report = carry_out(&calibration, blueprint, systems, None, &|| false)?;
    let rate = report.rates.requests_per_s;
    Ok(Some(rate).filter(|rate| *rate > 0.0))
}
