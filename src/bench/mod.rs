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
//! request is a message to the actor that started it (`launch.rs`); its times were stamped where the
//! socket is read, and its bytes are looked at after the last of them came (`measured.rs`).

// What a run is, as it is given and as it is checked.
mod config;

mod blueprint;

mod run_mode;

mod load;

// A run: its threads, its actors.
mod engine;

mod launch;

mod users;

mod arrivals;

mod agenda;

mod pacer;

mod recorder;

mod progress;

mod stop;

#[cfg(feature = "cli")]
mod display;

// What is sent.
mod workload;

mod bodies;

mod dataset;

mod prompts;

mod tokenizer;

mod rng;

// What comes back.
mod operation;

mod measured;

mod sse;

mod wire;

// What the client itself can do, and costs.
mod calibrate;

mod null_server;

mod cpu;

mod limits;

// Many runs.
mod search;

// What is measured: samples, histograms, the recording.
mod sample;

mod metric;

mod histogram;

mod statistics;

mod interval;

mod timeline;

mod recording;

mod slo;

// What is told of it.
mod facts;

mod report;

mod figure;

mod summary;

mod html;

mod csv;

mod hdr_log;

// What is told of several.
mod merge;

mod compare;

// The names of the harness that this one replaces.
mod library;

pub use crate::config::parse_span;
pub use bodies::Kind;
pub use compare::{ComparedFigure, Comparison, Outcome, compare};
pub use config::BenchmarkConfig;
pub use dataset::{Record, read_jsonl};
#[cfg(feature = "cli")]
pub use display::Display;
pub use engine::{run, run_blocking};
pub use facts::ClientCost;
pub use histogram::TimeHistogram;
pub use interval::IntervalHistogram;
pub use library::{BenchmarkReport, run_benchmark};
pub use load::{Arrival, Stage};
pub(crate) use measured::Measured;
pub use merge::merge;
pub use metric::{Histograms, Metric};
pub use progress::Progress;
pub use prompts::{Lengths, Synthetic};
pub use recording::FailureRecord;
#[doc(hidden)]
pub use recording::Probe;
pub use report::{MergedRun, Rates, Report, Requests, Tokens, Warmup};
pub use run_mode::RunMode;
pub use search::{SearchReport, SearchSettings, Trial, search};
pub use slo::{Slo, SloResult};
pub use statistics::{Distribution, sample_floor};
pub use stop::Stopper;
pub use timeline::{Slot, Timeline};
