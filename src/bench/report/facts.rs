//! What a report tells beside its measurements: what was run, where, and at what cost.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// What the engine knows of a run when it is over.
#[derive(Debug, Clone)]
pub(crate) struct RunFacts {
    /// The whole configuration, without keys and secrets.
    pub config: serde_json::Value,
    /// The seed of schedule and bytes.
    pub seed: u64,
    /// Closed loop, open loop or partly open, and its parameters: `closed loop, 8 users`.
    pub load_model: String,
    /// A hash of the data set; `None` where prompts are made up from the seed.
    pub data_set: Option<String>,
    /// What is to be told beside: records used more than once, a missing calibration.
    pub notes: Vec<String>,
    /// When the run began.
    pub started_at: SystemTime,
    /// From the run's start to its end, the warm-up included.
    pub duration: Duration,
    /// From the run's start to the steady state.
    pub warmup: Duration,
    /// Requests of the schedule up to the run's end, those of the warm-up included: as many as
    /// were recorded and dropped together.
    pub planned: u64,
    /// CPU time of this process from the run's start to its end.
    pub cpu: Duration,
    /// Cores that the client could use: its threads, at most the machine's cores.
    pub cores: usize,
    /// Requests a second of the same load against the null server, where that was measured.
    pub ceiling_per_s: Option<f64>,
    /// The run was stopped before its end.
    pub interrupted: bool,
}

/// What the run cost the client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClientCost {
    /// CPU time in seconds, over the whole run.
    pub cpu_s: f64,
    /// Cores that the client could use.
    pub cores: f64,
    /// The share of those cores that it used.
    pub cpu_share: Option<f64>,
    /// Attempts a second in the steady state.
    pub attempts_per_s: f64,
    /// Requests a second that this client makes of the same load when the server costs nothing.
    /// `None` where it was not measured.
    pub ceiling_per_s: Option<f64>,
    /// The share of that ceiling at which the run was.
    pub ceiling_share: Option<f64>,
}

/// The machine: `os`, `arch`, `cores`, and where they can be told `kernel`, `cpu`, `memory`.
#[must_use]
pub(crate) fn host() -> BTreeMap<String, String> {
    let mut host = BTreeMap::new();
    let mut tell = |key: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            host.insert(key.to_owned(), value);
        }
    };
    let file = |path: &str| std::fs::read_to_string(path).ok();
    let line = |path: &str, key: &str| {
        let text = file(path)?;
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map(|cores| cores.to_string());
    tell("os", Some(std::env::consts::OS.to_owned()));
    tell("arch", Some(std::env::consts::ARCH.to_owned()));
    tell("cores", cores.ok());
    tell(
        "kernel",
        file("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
    );
    tell("cpu", line("/proc/cpuinfo", "model name"));
    let memory = line("/proc/meminfo", "MemTotal").and_then(|text| gibibytes(&text));
    tell("memory", memory);
    host
}

/// `24684096 kB` as `23.5 GiB`.
fn gibibytes(text: &str) -> Option<String> {
    let kibibytes: f64 = text.strip_suffix("kB")?.trim().parse().ok()?;
    Some(format!("{:.1} GiB", kibibytes / 1024.0 / 1024.0))
}

/// The versions of what made the report.
#[must_use]
pub(crate) fn versions() -> BTreeMap<String, String> {
    [("hedgerow", env!("CARGO_PKG_VERSION"))]
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_and_the_versions_are_told() {
        let host = host();
        for key in ["os", "arch", "cores"] {
            assert!(host.contains_key(key), "{key} of {host:?}");
        }
        assert!(versions().contains_key("hedgerow"));
    }
}
