//! The report: the setting, and a table a work.

use crate::cli::Arguments;
use crate::contender;
use crate::rounds::Lap;
use crate::server;
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
        let works = arguments.works().into_iter().map(|work| WorkSetting {
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
            allocator: "mimalloc",
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
    fn row(&self, work: Work, contender: &'static str) -> Option<[String; 5]> {
        let spread =
            |value: fn(&Lap) -> f64| Spread::of(self.laps(work, contender).map(value).collect());
        let cpu = spread(|lap| lap.cost.cpu_us_a_request())?;
        let rate = spread(|lap| lap.cost.requests_a_second())?;
        let peak = self
            .laps(work, contender)
            .map(|lap| lap.cost.peak_rss_bytes)
            .max()?;
        let ratio = self.ratios(work, contender);
        Some([
            contender.to_owned(),
            cpu.with_digits(1),
            format!("{:.0}", rate.median),
            ratio.map_or_else(|| "n/a".to_owned(), |ratio| ratio.with_digits(2)),
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
                "requests/s",
                "CPU/floor",
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
            write_table(f, &rows)?;
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

/// The first column to the left, the others to the right.
fn write_table<const N: usize>(f: &mut fmt::Formatter<'_>, rows: &[[String; N]]) -> fmt::Result {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            if column == 0 {
                write!(f, "  {cell:<width$}")?;
            } else {
                write!(f, "  {cell:>width$}")?;
            }
        }
        writeln!(f)?;
    }
    Ok(())
}

/// A figure over all rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// `None` without values.
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self {
            median,
            least,
            most,
        })
    }

    /// `median (least-most)`.
    fn with_digits(self, digits: usize) -> String {
        let Self {
            median,
            least,
            most,
        } = self;
        format!("{median:.digits$} ({least:.digits$}-{most:.digits$})")
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
                peak_rss_bytes: 1 << 20,
                requests: 1000,
                bytes: 0,
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
        assert_eq!(report.row(Work::Small, "hedgerow-1").unwrap()[3], "n/a");
    }

    #[test]
    fn the_median_of_an_even_count_lies_between() {
        let spread = Spread::of(vec![4.0, 1.0, 2.0, 3.0]).unwrap();
        assert_eq!((spread.least, spread.median, spread.most), (1.0, 2.5, 4.0));
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
