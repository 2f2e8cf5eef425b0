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
//! Imports point down, in this order:
//!
//! | path | what it is |
//! |---|---|
//! | `library.rs` | the names of the harness that this one replaces |
//! | `search.rs` | many runs: the highest rate that holds |
//! | `run/` | a run: its threads, its actors, and what the client can do at most |
//! | `report/` | what is told of a run, and of several |
//! | `plan/` | what a run is, as it is given and as it is checked; how it is watched and stopped |
//! | `request/` | what is sent |
//! | `answer/` | what comes back |
//! | `capacity/` | what the machine gives the client, and what the client costs it |
//! | `measure/` | what is measured: samples, histograms, the recording, thresholds |
//! | `figure.rs` | figures as people read them |

mod library;

mod search;

mod run;

mod report;

mod plan;

mod request;

mod answer;

mod capacity;

mod measure;

mod figure;

pub use crate::config::parse_span;
pub(crate) use answer::events;
pub use library::{BenchmarkReport, run_benchmark};
#[doc(hidden)]
pub use measure::Probe;
pub use measure::{
    Distribution, FailureRecord, Histograms, IntervalHistogram, Metric, Slo, Slot, TimeHistogram,
    Timeline, sample_floor,
};
pub use plan::{Arrival, BenchmarkConfig, Progress, RunMode, Stage, Stopper};
pub use report::{
    ClientCost, ComparedFigure, Comparison, MergedRun, Outcome, Rates, Report, Requests, SloResult,
    Tokens, Warmup, compare, merge,
};
pub use request::{Kind, Lengths, Record, Synthetic, read_jsonl};
#[cfg(feature = "cli")]
pub use run::Display;
pub use run::{run, run_blocking};
pub use search::{SearchReport, SearchSettings, Trial, search};
