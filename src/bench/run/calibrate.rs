//! What this client could do at most: the same load against a server that costs next to nothing, by the
//! run's kind of loop and its version of HTTP, in clear text.
//!
//! The server is a thread of this process that answers every request with the same bytes. It shares
//! the machine with the client, so that the figure is rather too low than too high.

use super::engine::{carry_out, systems};
use super::null_server::NullServer;
use crate::bench::plan::{Arrival, BenchmarkConfig, Blueprint, Pace, RunMode};
use crate::error::Result;
use crate::transport::{HttpSettings, Proxy};
use std::time::Duration;

/// Long enough for a figure, short enough not to be minded.
const SPAN: Duration = Duration::from_millis(400);
/// More users find no other ceiling.
const MOST_USERS: usize = 128;
/// What an open loop has in flight, and how many arrive a second: more than any client sends.
const IN_FLIGHT_OF_OPEN: usize = 64;
const ARRIVALS: f64 = 1e6;

/// Requests a second that succeed against the null server; `None` where none did.
pub(super) fn ceiling(config: &BenchmarkConfig) -> Result<Option<f64>> {
    let Ok(server) = NullServer::start() else {
        return Ok(None);
    };
    let mut calibration = config.clone();
    calibration.endpoint = server.url();
    calibration.api_key = None;
    calibration.users = Some(config.user_count().min(MOST_USERS));
    calibration.mode = RunMode::LongRunning { duration: SPAN };
    if let Some(open) = &mut calibration.open {
        open.pace = Pace::Rate(ARRIVALS, Some(SPAN));
        open.arrival = Arrival::Constant;
        calibration.max_in_flight = Some(IN_FLIGHT_OF_OPEN);
    }
    // What is late by its schedule would belong to the warm-up to the end.
    calibration.warmup = if config.open.is_some() {
        Duration::ZERO
    } else {
        SPAN / 4
    };
    calibration.requests = None;
    calibration.session_requests = None;
    calibration.think_time = Duration::ZERO;
    calibration.user_stages = Vec::new();
    calibration.wait_ready = None;
    calibration.drain = Some(SPAN);
    calibration.slos = Vec::new();
    calibration.progress = None;
    calibration.calibrate = false;
    calibration.hedge_delay = None;
    calibration.http = HttpSettings {
        version: config.http.version,
        proxy: Proxy::Direct,
        ..HttpSettings::default()
    };
    let blueprint = Blueprint::new(&calibration)?;
    let systems = systems(&blueprint, &calibration)?;
    let report = carry_out(&calibration, blueprint, systems, None, &|| false)?;
    let rate = report.rates.requests_per_s;
    Ok(Some(rate).filter(|rate| *rate > 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::HttpVersion;
    use serde_json::json;

    #[test]
    fn there_is_a_ceiling_for_every_kind_of_run() {
        let nowhere = "http://127.0.0.1:1/v1/chat/completions";
        let mode = RunMode::Finite {
            requests_per_user: 1,
        };
        let body = json!({"model": "m", "stream": true});
        let closed = BenchmarkConfig::try_new(nowhere, None, 8, mode, body).unwrap();
        let open = closed.clone().with_rate(10.0, Some(SPAN), Arrival::Poisson);
        let mut http2 = closed.clone();
        http2.http.version = HttpVersion::Http2;
        let mut both = open.clone();
        both.http = http2.http.clone();
        for config in [closed, open, http2, both] {
            let ceiling = ceiling(&config).unwrap();
            assert!(ceiling.is_some_and(|rate| rate > 50.0), "{ceiling:?}");
        }
    }
}
