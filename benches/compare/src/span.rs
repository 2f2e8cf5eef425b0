//! The child's side: warms up, measures one span, and prints what it cost.

use crate::cli::Run;
use crate::contender::{self, Task};
use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};
use std::fs;
use std::time::{Duration, Instant};

/// What the measured requests cost this process: the line that a child prints.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) wall_s: f64,
    /// User and system time of all threads.
    pub(crate) cpu_s: f64,
    /// Of the whole life of the process, inputs and results included.
    pub(crate) peak_rss_bytes: u64,
    pub(crate) requests: usize,
    /// Of the answers' bodies.
    pub(crate) bytes: u64,
}

impl Cost {
    #[expect(clippy::cast_precision_loss)]
    /// The figure by which contenders are compared.
    pub(crate) fn cpu_us_a_request(&self) -> f64 {
        self.cpu_s * 1e6 / self.requests as f64
    }

    #[expect(clippy::cast_precision_loss)]
    /// What the other programs on the machine left of the server's speed or the client's.
    pub(crate) fn requests_a_second(&self) -> f64 {
        self.requests as f64 / self.wall_s
    }
}

/// Does what `run` says, and prints a [`Cost`] as one line of JSON.
///
/// # Errors
///
/// When a request fails or any answer is not the canned one.
pub(crate) fn run(run: &Run) -> Result<()> {
    let contender = contender::ALL
        .into_iter()
        .find(|contender| contender.name() == run.contender)
        .with_context(|| format!("there is no contender {:?}", run.contender))?;
    let task = Task {
        work: run.work,
        url: run.url.clone(),
        connections: run.floor_connections,
    };
    let mut session = contender.start(&task)?;
    session.prepare(run.work.warm_up());
    session.go()?;
    session.take().check(run.work, run.work.warm_up())?;
    session.prepare(run.requests);
    let (wall, cpu) = (Instant::now(), cpu_time()?);
    session.go()?;
    let (wall, cpu) = (wall.elapsed(), cpu_time()?.saturating_sub(cpu));
    let peak_rss_bytes = peak_rss_bytes()?;
    session.take().check(run.work, run.requests)?;
    let cost = Cost {
        wall_s: wall.as_secs_f64(),
        cpu_s: cpu.as_secs_f64(),
        peak_rss_bytes,
        requests: run.requests,
        bytes: (run.work.answer().len() * run.requests) as u64,
    };
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

/// User and system time of this process so far.
fn cpu_time() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let times = [usage.user_time(), usage.system_time()];
    let micros = |time: nix::sys::time::TimeVal| {
        u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or_default()
    };
    Ok(Duration::from_micros(times.map(micros).iter().sum()))
}

/// `getrusage` would not do: its peak begins with that of the process which started this one.
fn peak_rss_bytes() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kib.context("/proc/self/status has no VmHWM")? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_runs_while_the_process_works() {
        let before = cpu_time().unwrap();
        while cpu_time().unwrap() == before {}
        assert!(cpu_time().unwrap() > before);
    }

    #[test]
    fn the_peak_of_memory_is_plausible() {
        let peak = peak_rss_bytes().unwrap();
        assert!((1 << 18..1 << 36).contains(&peak), "{peak}");
    }
}
