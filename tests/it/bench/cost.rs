//! What the harness itself costs, counted in work rather than in time.

use super::{MS, run, users};
use crate::support::program::Running;
use hedgerow::bench::{BenchmarkConfig, RunMode};
use hedgerow::mock::MockServer;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Rule 14: the display is told so often a second, however many requests there are.
#[test]
fn progress_costs_so_many_calls_a_second_and_none_a_request() {
    let server = MockServer::start().unwrap();
    let calls = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&calls);
    let endpoint = format!("{}/v1/chat/completions", server.url());
    let duration = Duration::from_secs(1);
    let config = BenchmarkConfig::try_new(
        endpoint,
        None,
        16,
        RunMode::LongRunning { duration },
        super::chat("Ping"),
    );
    let config = config
        .unwrap()
        .with_calibration(false)
        .with_progress(move |progress| {
            counter.fetch_add(1, Ordering::Relaxed);
            assert!(progress.failed == 0);
        });
    let report = run(&config);
    assert!(report.requests.succeeded > 500, "{:?}", report.requests);
    let calls = calls.load(Ordering::Relaxed);
    let most = Duration::from_secs_f64(report.duration_s).as_millis() / 250 + 2;
    assert!(calls >= 2 && u128::from(calls) <= most, "{calls} calls");
}

/// The most memory that a process had, in KiB.
fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Rules 15 and 16.
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_and_nothing_is_written_however_many_requests_there_are() {
    /// As many as it takes, however long a busy machine needs for them.
    const MORE: u64 = 20_000;
    const PATIENCE: Duration = Duration::from_mins(2);
    let server = MockServer::start().unwrap();
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-cost");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_batchbench"))
        .args([
            "--input-tokens",
            "20",
            "--users",
            "32",
            "--duration",
            "10m",
            "--quiet",
        ])
        .args(["--no-calibration", "--stream", "--host", &server.url()])
        .current_dir(&folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let process = child.id();
    let _running = Running(child);
    let peak_after = |requests: u64| {
        let start = Instant::now();
        while server.stats().requests < requests {
            assert!(start.elapsed() < PATIENCE, "{:?}", server.stats());
            std::thread::sleep(20 * MS);
        }
        peak_memory(process).expect("it runs")
    };
    let early = peak_after(2000);
    let late = peak_after(2000 + MORE);
    // 210 bytes kept a request would show, and so would a file. The kernel's count is not exact: it
    // can shrink a little.
    let grown = late.saturating_sub(early);
    assert!(grown < 4096, "{grown} KiB over {MORE} requests");
    let files = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(files, 0, "no file is written that no flag names");
}

/// A run of a user's own, again: nothing is left over of the first.
#[test]
fn runs_can_follow_each_other_in_one_process() {
    let server = MockServer::start().unwrap();
    for _ in 0..3 {
        assert_eq!(run(&users(&server.url(), 4, 5)).requests.succeeded, 20);
    }
    crate::support::eventually_closed(&server);
}
