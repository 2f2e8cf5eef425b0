//! The child's side: warms up, measures one span, and prints what it cost.

use crate::cli::{Floor, Run};
use crate::contender::{self, Sockets, Task};
use crate::instructions::Instructions;
use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};
use std::fs;
use std::time::{Duration, Instant};

/// What the measured requests cost this process: the line that a child prints.
///
/// `python/span.py` has the same fields.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) requests: usize,
    pub(crate) wall_s: f64,
    /// User and system time of all threads.
    pub(crate) cpu_s: f64,
    /// Of all threads, in user mode and in the kernel; `None` where they cannot be counted.
    pub(crate) instructions: Option<u64>,
    /// The most memory that was resident at once, with inputs and results.
    pub(crate) peak_bytes: u64,
    /// What was resident before the first measured request, with its inputs.
    pub(crate) baseline_bytes: u64,
    /// Of nginx, which has one core at most.
    pub(crate) server_cpu_s: f64,
}

#[expect(clippy::cast_precision_loss)]
impl Cost {
    /// The figure by which contenders are compared.
    pub(crate) fn cpu_us_a_request(&self) -> f64 {
        self.cpu_s * 1e6 / self.requests as f64
    }

    /// What the other programs on the machine left of the server's speed or the client's.
    pub(crate) fn requests_a_second(&self) -> f64 {
        self.requests as f64 / self.wall_s
    }

    /// Hardly changed by what else runs.
    pub(crate) fn instructions_a_request(&self) -> Option<f64> {
        Some(self.instructions? as f64 / self.requests as f64)
    }

    /// How much of its one core the server used. Near 1, the rate is the server's.
    pub(crate) fn server_share(&self) -> f64 {
        self.server_cpu_s / self.wall_s
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
    let mut instructions = Instructions::start();
    let mut session = contender.start(&task)?;
    session.prepare(run.work.warm_up());
    session.go()?;
    session.take().check(run.work, run.work.warm_up())?;
    session.prepare(run.requests);
    let cost = measure(&mut instructions, run.requests, run.server_pid, || {
        session.go()
    })?;
    session.take().check(run.work, run.requests)?;
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

/// The floor of any other post whose answers are all as long; prints the same line.
///
/// # Errors
///
/// When the first answer is no success, or another has another length.
pub(crate) fn floor(floor: &Floor) -> Result<()> {
    let mut instructions = Instructions::start();
    let (mut sockets, _) = Sockets::open(&floor.url, &floor.body, floor.connections)?;
    sockets.exchange(4 * floor.connections)?;
    sockets.keep(floor.keep);
    let cost = measure(&mut instructions, floor.requests, floor.server_pid, || {
        sockets.exchange(floor.requests)
    })?;
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

/// What `go` costs.
fn measure(
    instructions: &mut Instructions,
    requests: usize,
    server_pid: u32,
    go: impl FnOnce() -> Result<()>,
) -> Result<Cost> {
    // The peak is to be that of the span. Without this, it is that of the process's life.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let baseline_bytes = memory("VmRSS")?;
    let server_cpu = cpu_s_of(server_pid)?;
    let (counted, cpu, wall) = (instructions.count(), cpu_s()?, Instant::now());
    go()?;
    let (wall, cpu) = (wall.elapsed(), cpu_s()? - cpu);
    let counted = instructions.count().zip(counted);
    Ok(Cost {
        requests,
        wall_s: wall.as_secs_f64(),
        cpu_s: cpu,
        instructions: counted.map(|(end, start)| end - start),
        peak_bytes: memory("VmHWM")?,
        baseline_bytes,
        server_cpu_s: cpu_s_of(server_pid)? - server_cpu,
    })
}

/// User and system time of this process so far.
fn cpu_s() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = |time: TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    let micros = micros(usage.user_time()) + micros(usage.system_time());
    Ok(Duration::from_micros(micros.try_into()?).as_secs_f64())
}

/// The same of another process, of one thread. `/proc/PID/stat` would not do: it counts ticks.
fn cpu_s_of(pid: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let (nanos, _) = text.split_once(' ').context("an empty schedstat")?;
    Ok(Duration::from_nanos(nanos.parse()?).as_secs_f64())
}

/// A line of `/proc/self/status`. `getrusage` would not do: its peak begins with that of the
/// process which started this one.
fn memory(name: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|text| {
        text.trim_matches([':', '\t', ' ', 'k', 'B'])
            .parse::<u64>()
            .ok()
    });
    Ok(kib.with_context(|| format!("/proc/self/status has no {name}"))? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_runs_while_the_process_works() {
        let before = cpu_s().unwrap();
        while cpu_s().unwrap() <= before {}
    }

    #[test]
    fn the_peak_of_memory_is_seen_though_it_was_short() {
        const MUCH: usize = 64 << 20;
        let mut instructions = Instructions::start();
        let go = || {
            drop(std::hint::black_box(vec![1_u8; MUCH]));
            Ok(())
        };
        let cost = measure(&mut instructions, 1, std::process::id(), go).unwrap();
        let growth = cost.peak_bytes - cost.baseline_bytes;
        assert!(
            (MUCH as u64 / 2..3 * MUCH as u64 / 2).contains(&growth),
            "{growth}"
        );
    }
}
