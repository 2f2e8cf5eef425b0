//! The benchmark harness: load on an inference service, and what it measured.
//!
//! Users are actors that send the Dispatcher the very messages that a client sends; there is no
//! second request path. What a run is follows from its [`BenchmarkConfig`], the seed among it;
//! what it gave is a report.
//!
//! | actor | owns | sends |
//! |---|---|---|
//! | `Users` (closed loop), `Arrivals` (open loop, partly open) | which request is next, what is under way | `Submit` to the Dispatcher, `Record` to the Recorder |
//! | `Recorder` | what is kept of the run | |
//!
//! They run beside the Dispatcher of a system of the run's own. An open loop has one, with all
//! Workers; in a closed loop each thread has one, with a share of the users, and of a request only
//! its sample passes between threads, together with others. There is one `Recorder`. The answer of a
//! request is a message to the actor that started it (`run/launch.rs`); its times were stamped where
//! the socket is read, and its bytes are looked at after the last of them came
//! (`answer/measured.rs`).
//!
//! | path | what it is |
//! |---|---|
//! | `plan/` | what a run is, as it is given and as it is checked |
//! | `run/` | a run: its threads, its actors |
//! | `request/` | what is sent |
//! | `answer/` | what comes back |
//! | `capacity/` | what the client itself can do, and costs |
//! | `measure/` | what is measured: samples, histograms, the recording, thresholds |
//! | `report/` | what is told of a run, and of several |
//! | `search.rs` | many runs: the highest rate that holds |
//! | `library.rs` | the names of the harness that this one replaces |

mod plan;

mod run;

mod request;

mod answer;

mod capacity;

mod measure;

mod report;

mod search;

mod library;

pub use crate::config::parse_span;
pub(crate) use answer::{Measured, events};
pub use library::{BenchmarkReport, run_benchmark};
#[doc(hidden)]
pub use measure::Probe;
pub use measure::{
    Distribution, FailureRecord, Histograms, IntervalHistogram, Metric, Slo, SloResult, Slot,
    TimeHistogram, Timeline, sample_floor,
};
pub use plan::{Arrival, BenchmarkConfig, RunMode, Stage};
pub use report::{
    ClientCost, ComparedFigure, Comparison, MergedRun, Outcome, Rates, Report, Requests, Tokens,
    Warmup, compare, merge,
};
pub use request::{Kind, Lengths, Record, Synthetic, read_jsonl};
#[cfg(feature = "cli")]
pub use run::Display;
pub use run::{Progress, Stopper, run, run_blocking};
pub use search::{SearchReport, SearchSettings, Trial, search};
