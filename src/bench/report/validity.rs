//! Whether a run says something about the server, or about the client that made it.
//!
//! The limits, and where they come from:
//!
//! - **Lag**: a late start adds to latency one for one. A tail of the lag above a tenth of the same
//!   tail of the latency means that the figure is off by more than a tenth; below 2 ms lag is the
//!   runtime's timer (1 ms) and the machine's scheduler.
//! - **CPU**: above 90 % of its cores a client no longer turns to what it reads at once. Locust
//!   warns at the same share.
//! - **Ceiling**: above 80 % of what the client reaches against a server that costs nothing, its
//!   own queue makes up most of what is measured (in the simplest queue, M/M/1, the time in it is
//!   five service times there).
//! - **Dropped**: when more than 1 % of the planned requests were never sent, the load was not the
//!   one that was asked for.

use super::layout::Report;
use crate::bench::measure::{Metric, number, sample_floor};
use std::time::Duration;

const LAG_SHARE: f64 = 0.1;
const LAG_FLOOR: Duration = Duration::from_millis(2);
const CPU_SHARE: f64 = 0.9;
const CEILING_SHARE: f64 = 0.8;
const DROPPED_SHARE: f64 = 0.01;

/// Whether the report is valid, and the same in words.
pub(super) fn verdict(report: &Report) -> (bool, String) {
    let bottleneck: Vec<String> = [lag(report), cpu(report), ceiling(report)]
        .into_iter()
        .flatten()
        .collect();
    let mut reasons = Vec::new();
    if !bottleneck.is_empty() {
        reasons.push(format!(
            "the client was the bottleneck: {}",
            bottleneck.join("; ")
        ));
    }
    reasons.extend(dropped(report));
    reasons.extend(unaccounted(report));
    let own = report.merged.iter().enumerate();
    for (index, run) in own.filter(|(_, run)| !run.valid) {
        reasons.push(format!("run {}: {}", index + 1, run.verdict));
    }
    if reasons.is_empty() {
        let nothing = if report.requests.total > 0 && report.requests.succeeded == 0 {
            "no request succeeded; "
        } else {
            ""
        };
        (true, format!("VALID: {nothing}{}", kept_up(report)))
    } else {
        (false, format!("NOT VALID: {}", reasons.join("; ")))
    }
}

/// The largest tail of the lag that has enough samples.
fn lag(report: &Report) -> Option<String> {
    let lags = report.histograms.get(Metric::Lag)?;
    let (name, q) = [("p99", 0.99), ("p90", 0.9), ("p50", 0.5)]
        .into_iter()
        .find(|(_, q)| lags.count() >= sample_floor(*q))?;
    let lag = lags.quantile(q)?;
    let latency = report.histograms.get(Metric::Latency);
    let latency = latency.and_then(|latency| latency.quantile(q));
    let limit = latency.map_or(LAG_FLOOR, |latency| {
        latency.mul_f64(LAG_SHARE).max(LAG_FLOOR)
    });
    (lag > limit).then(|| {
        format!(
            "it was {:.1} ms behind its schedule at the {name}, and {:.1} ms are allowed",
            lag.as_secs_f64() * 1e3,
            limit.as_secs_f64() * 1e3
        )
    })
}

fn cpu(report: &Report) -> Option<String> {
    let share = report.client.cpu_share?;
    (share > CPU_SHARE).then(|| {
        format!(
            "it used {:.0} % of its {} (above {:.0} %)",
            share * 100.0,
            cores(report.client.cores),
            CPU_SHARE * 100.0
        )
    })
}

fn ceiling(report: &Report) -> Option<String> {
    let share = report.client.ceiling_share?;
    (share > CEILING_SHARE).then(|| {
        format!(
            "it was at {:.0} % of the {:.0} requests/s that it reaches against a server that costs \
             nothing (above {:.0} %)",
            share * 100.0,
            report.client.ceiling_per_s.unwrap_or_default(),
            CEILING_SHARE * 100.0
        )
    })
}

fn dropped(report: &Report) -> Option<String> {
    let requests = &report.requests;
    let share = number(requests.dropped) / number(requests.planned.max(1));
    (share > DROPPED_SHARE && !report.interrupted).then(|| {
        format!(
            "{} of {} planned requests were never sent, so the load was not the one asked for",
            requests.dropped, requests.planned
        )
    })
}

fn unaccounted(report: &Report) -> Option<String> {
    let requests = &report.requests;
    (requests.planned != requests.sent + requests.dropped).then(|| {
        format!(
            "the counts do not add up: {} planned, {} sent, {} dropped",
            requests.planned, requests.sent, requests.dropped
        )
    })
}

fn kept_up(report: &Report) -> String {
    let mut figures = Vec::new();
    if let Some(lag) = report.lag_ms.p99.or(report.lag_ms.p50) {
        let name = if report.lag_ms.p99.is_some() {
            "p99"
        } else {
            "p50"
        };
        figures.push(format!("schedule lag {name} {lag:.2} ms"));
    }
    if let Some(share) = report.client.cpu_share {
        let cores = cores(report.client.cores);
        figures.push(format!("{:.0} % of {cores} used", share * 100.0));
    }
    if let Some(share) = report.client.ceiling_share {
        figures.push(format!("at {:.0} % of its ceiling", share * 100.0));
    }
    if figures.is_empty() {
        return "nothing says that the client was the bottleneck".to_owned();
    }
    format!("the client kept up ({})", figures.join(", "))
}

fn cores(cores: f64) -> String {
    format!("{cores:.0} core{}", if cores > 1.0 { "s" } else { "" })
}
