//! The report: the setting, and a table a work.

use crate::cli::Arguments;
use crate::contender;
use crate::lap::Lap;
use crate::server;
use crate::table::{self, Spread};
use crate::work::{SEED, Work};
use anyhow::Result;
use serde::Serialize;
use std::fmt;
use std::fs;
use std::thread;

/// With fewer rounds, ratios are no measurement.
const FEWEST_ROUNDS: u32 = 5;
/// The contender with which the others of the same round are compared.
const FLOOR: &str = "floor";

/// Of every contender alike.
const ALLOCATOR: &str = if cfg!(feature = "mimalloc") {
    "mimalloc"
} else {
    "the system's"
};

/// Under what circumstances was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Setting {
    hedgerow: &'static str,
    server: String,
    kernel: String,
    cores: usize,
    /// Of the minute before the first run; what is above 0 was not ours.
    load: String,
    allocator: &'static str,
    optimized: bool,
    rounds: u32,
    seed: u64,
    floor_connections: usize,
    works: Vec<WorkSetting>,
}

/// A work in numbers.
#[derive(Debug, Serialize)]
struct WorkSetting {
    work: Work,
    requests: usize,
    inputs_a_request: usize,
    dimensions: usize,
    answer_bytes: usize,
    window: usize,
}

impl Setting {
    /// Looks at the machine as it is now, before anything of ours runs.
    pub(crate) fn of(arguments: &Arguments) -> Result<Self> {
        let proc = |name: &str| fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
        let works = arguments
            .chosen
            .works()
            .into_iter()
            .map(|work| WorkSetting {
                work,
                requests: arguments.requests(work),
                inputs_a_request: work.batch(),
                dimensions: work.dimensions(),
                answer_bytes: work.answer().len(),
                window: work.window(),
            });
        Ok(Self {
            hedgerow: env!("CARGO_PKG_VERSION"),
            server: server::version()?,
            kernel: proc("sys/kernel/osrelease").trim().to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            load: proc("loadavg")
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
            allocator: ALLOCATOR,
            optimized: !cfg!(debug_assertions),
            rounds: arguments.rounds(),
            seed: SEED,
            floor_connections: arguments.floor_connections(),
            works: works.collect(),
        })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.optimized {
            writeln!(f, "NOT OPTIMIZED: run it with --release.")?;
        }
        if self.rounds < FEWEST_ROUNDS {
            writeln!(
                f,
                "Fewer than {FEWEST_ROUNDS} rounds: a hint, no measurement."
            )?;
        }
        writeln!(
            f,
            "hedgerow {}, {}, Linux {}, {} cores, load {} before the first run",
            self.hedgerow, self.server, self.kernel, self.cores, self.load
        )?;
        writeln!(
            f,
            "Allocator {}. Closed loop, {} interleaved rounds, a fresh process a run; \
             median (least-most).",
            self.allocator, self.rounds
        )
    }
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) setting: Setting,
    pub(crate) laps: Vec<Lap>,
}

impl Report {
    /// The runs of a contender, round by round.
    fn laps<'a>(&'a self, work: Work, contender: &'a str) -> impl Iterator<Item = &'a Lap> {
        let wanted = move |lap: &&Lap| lap.work == work && lap.contender == contender;
        self.laps.iter().filter(wanted)
    }

    /// CPU as a multiple of the floor's in the same round; `None` where the floor did not run.
    fn ratios(&self, work: Work, contender: &str) -> Option<Spread> {
        let ratio = |lap: &Lap| {
            let floor = self
                .laps(work, FLOOR)
                .find(|floor| floor.round == lap.round)?;
            Some(lap.cost.cpu_us_a_request() / floor.cost.cpu_us_a_request())
        };
        let ratios: Option<Vec<f64>> = self.laps(work, contender).map(ratio).collect();
        Spread::of(ratios?)
    }

    /// A line of the table; `None` for a contender that did not run.
    fn row(&self, work: Work, contender: &'static str) -> Option<[String; 7]> {
        let values = |value: fn(&Lap) -> Option<f64>| -> Option<Spread> {
            Spread::of(
                self.laps(work, contender)
                    .map(value)
                    .collect::<Option<_>>()?,
            )
        };
        let cpu = values(|lap| Some(lap.cost.cpu_us_a_request()))?;
        let rate = values(|lap| Some(lap.cost.requests_a_second()))?;
        let busy = values(|lap| Some(100.0 * lap.cost.server_share()))?;
        let instructions = values(|lap| lap.cost.instructions_a_request());
        let peak = self
            .laps(work, contender)
            .map(|lap| lap.cost.peak_bytes)
            .max()?;
        Some([
            contender.to_owned(),
            cpu.with_digits(1),
            table::cell(self.ratios(work, contender), 2),
            instructions.map_or_else(|| "n/a".to_owned(), |count| format!("{:.0}", count.median)),
            format!("{:.0}", rate.median),
            format!("{:.0} %", busy.median),
            format!("{} MiB", peak >> 20),
        ])
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.setting)?;
        for work in &self.setting.works {
            let header = [
                "contender",
                "CPU us/request",
                "CPU/floor",
                "instructions",
                "requests/s",
                "nginx busy",
                "peak RSS",
            ];
            let mut rows = vec![header.map(str::to_owned)];
            let names = contender::ALL.iter().map(|contender| contender.name());
            rows.extend(names.filter_map(|name| self.row(work.work, name)));
            writeln!(
                f,
                "\n{}: {} requests a run, {} inputs each, answers of {} x {} in {} bytes, window {}",
                work.work.name(),
                work.requests,
                work.inputs_a_request,
                work.inputs_a_request,
                work.dimensions,
                work.answer_bytes,
                work.window
            )?;
            table::write(f, &rows)?;
        }
        writeln!(f)?;
        for contender in contender::ALL {
            if self
                .laps
                .iter()
                .any(|lap| lap.contender == contender.name())
            {
                writeln!(f, "{}: {}", contender.name(), contender.about())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Cost;

    fn lap(contender: &'static str, round: u32, cpu_s: f64) -> Lap {
        Lap {
            work: Work::Small,
            contender,
            round,
            cost: Cost {
                wall_s: 1.0,
                cpu_s,
                instructions: None,
                peak_bytes: 1 << 20,
                baseline_bytes: 0,
                server_cpu_s: 0.5,
                requests: 1000,
            },
        }
    }

    fn report(laps: Vec<Lap>) -> Report {
        let setting = Setting {
            hedgerow: "",
            server: String::new(),
            kernel: String::new(),
            cores: 1,
            load: String::new(),
            allocator: "",
            optimized: true,
            rounds: 2,
            seed: 0,
            floor_connections: 1,
            works: Vec::new(),
        };
        Report { setting, laps }
    }

    #[test]
    fn a_ratio_is_taken_within_its_round() {
        let report = report(vec![
            lap("floor", 0, 1.0),
            lap("hedgerow-1", 0, 2.0),
            lap("floor", 1, 10.0),
            lap("hedgerow-1", 1, 30.0),
        ]);
        let ratios = report.ratios(Work::Small, "hedgerow-1").unwrap();
        assert_eq!(ratios.with_digits(1), "2.5 (2.0-3.0)");
    }

    #[test]
    fn without_the_floor_there_is_no_ratio() {
        let report = report(vec![lap("hedgerow-1", 0, 2.0)]);
        assert_eq!(report.ratios(Work::Small, "hedgerow-1"), None);
        assert_eq!(report.row(Work::Small, "hedgerow-1").unwrap()[2], "n/a");
    }
}
