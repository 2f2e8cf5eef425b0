//! A run from its configuration to its report: the actors that make load are put beside the
//! Dispatcher of a system of the run's own, told to begin, and listened to.
//!
//! All of it happens on threads of the run's own; a caller's runtime only waits.

use super::arrivals::Arrivals;
use super::blueprint::{Blueprint, Load};
use super::calibrate;
use super::config::BenchmarkConfig;
use super::facts::RunFacts;
use super::launch::{Conduct, Done, Launcher};
use super::progress::Progress;
use super::recorder::{Peek, Record, Recorder, Take};
use super::recording::Recording;
use super::report::Report;
use super::users::Users;
use crate::actor::{Placement, ReplyPort, System};
use crate::error::{Error, Kind, Result};
use actix::{Actor, Recipient};
use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How often the run is looked after: levels of users, its end, whether anyone still waits.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// What was cut has ended within this, or never will.
const LONGEST_END: Duration = Duration::from_secs(10);

/// Carries out a run. Dropping the future ends the run.
///
/// # Errors
///
/// When the configuration is bad ([`is_config`](Error::is_config)), or no thread can be had.
pub async fn run(config: BenchmarkConfig) -> Result<Report> {
    let (report, reported) = oneshot::channel::<Result<Report>>();
    let work = move || {
        let result = carry_out(&config, &|| report.is_closed());
        // A caller that is gone does not mind.
        let _ = report.send(result);
    };
    std::thread::Builder::new()
        .name("hedgerow-bench".into())
        .spawn(work)
        .map_err(no_thread)?;
    reported
        .await
        .unwrap_or_else(|_| Err(Error::new(Kind::Internal("the run panicked".into()))))
}

/// [`run`] for threads.
///
/// # Errors
///
/// As [`run`].
pub fn run_blocking(config: &BenchmarkConfig) -> Result<Report> {
    crate::blocking::refuse_inside_runtime()?;
    carry_out(config, &|| false)
}

fn no_thread(cause: std::io::Error) -> Error {
    Error::new(Kind::Internal("no thread can be started".into())).with_source(cause)
}

/// `is_abandoned` says whether nobody waits for the report any more.
fn carry_out(config: &BenchmarkConfig, is_abandoned: &dyn Fn() -> bool) -> Result<Report> {
    let blueprint = Blueprint::new(config)?;
    let ceiling = if config.calibrate {
        calibrate::ceiling(config)?
    } else {
        None
    };
    let started_at = SystemTime::now();
    let cpu = super::cpu::process_time();
    let run = Run::start(&blueprint, config)?;
    let ended = run.conduct(config, is_abandoned);
    let cpu = super::cpu::process_time().saturating_sub(cpu);
    let (recording, ended) = run.finish(ended)?;
    let mut notes = blueprint.notes.clone();
    if config.calibrate && ceiling.is_none() {
        notes.push("the client could not be calibrated".to_owned());
    }
    let facts = RunFacts {
        config: blueprint.config,
        seed: config.seed,
        load_model: blueprint.load.describe(),
        data_set: Some(blueprint.workload.hash().to_owned()),
        notes,
        started_at,
        duration: ended.duration,
        warmup: config.warmup.min(ended.duration),
        planned: ended.planned,
        cpu,
        cores: blueprint.workers.min(super::cpu::cores()),
        ceiling_per_s: ceiling,
        interrupted: ended.interrupted,
    };
    Ok(Report::new(recording, facts))
}

/// Requests a second that succeed; for calibration and search.
pub(super) fn measure(config: &BenchmarkConfig) -> Result<Report> {
    carry_out(config, &|| false)
}

/// A run under way.
struct Run {
    system: System,
    ports: Ports,
    done: Receiver<Done>,
    began: Instant,
    load: Load,
    drain: Duration,
}

/// Where the run's actors are reached.
#[derive(Clone)]
struct Ports {
    maker: Recipient<Conduct>,
    peek: Recipient<Peek>,
    take: Recipient<Take>,
}

/// How a run ended.
struct Ended {
    duration: Duration,
    planned: u64,
    interrupted: bool,
}

impl Run {
    fn start(blueprint: &Blueprint, config: &BenchmarkConfig) -> Result<Self> {
        let system = System::builder()
            .placement(Placement::Threads(blueprint.workers))
            .http(config.http.clone())
            .start()?;
        let (ports, told) = bounded(1);
        let (done, dones) = bounded(1);
        let recorder = Recorder {
            recording: Recording::new(config.slos.clone()),
        };
        let (load, workload) = (blueprint.load.clone(), Arc::clone(&blueprint.workload));
        let (settings, warmup) = (Arc::clone(&blueprint.settings), blueprint.warmup);
        system.beside_the_dispatcher(move |submit, cancel| {
            let recorder = recorder.start();
            let record: Recipient<Record> = recorder.clone().recipient();
            let launcher = Launcher::new((submit, cancel), record, workload, settings, warmup);
            let wired = Ports {
                maker: maker(&load, launcher, done),
                peek: recorder.clone().recipient(),
                take: recorder.recipient(),
            };
            // The run waits for it.
            let _ = ports.send(wired);
        })?;
        let ports = told.recv().map_err(|_| Error::new(Kind::Closed))?;
        let began = Instant::now();
        let run = Self {
            system,
            ports,
            done: dones,
            began,
            load: blueprint.load.clone(),
            drain: blueprint.drain,
        };
        run.tell(Conduct::Begin(began));
        Ok(run)
    }

    fn tell(&self, conduct: Conduct) {
        self.ports.maker.do_send(conduct);
    }

    /// Looks after the run until it has ended.
    fn conduct(&self, config: &BenchmarkConfig, is_abandoned: &dyn Fn() -> bool) -> Ended {
        let mut ended = Ended {
            duration: Duration::ZERO,
            planned: 0,
            interrupted: false,
        };
        let mut cut_at: Option<Instant> = None;
        let mut tell_at = self.began + TELL_EVERY;
        let nobody = never();
        loop {
            let asked = if ended.interrupted {
                &nobody
            } else {
                config.stop.asked()
            };
            select! {
                recv(self.done) -> done => {
                    ended.planned = done.map_or(0, |done| done.planned);
                    break;
                }
                recv(asked) -> _ => {
                    config.stop.put_back();
                    ended.interrupted = true;
                }
                default(LOOK_EVERY) => {}
            }
            ended.interrupted |= is_abandoned();
            let now = Instant::now();
            let until = self.load.until();
            let over = until.is_some_and(|until| now >= self.began + until + self.drain);
            if cut_at.is_none() && (ended.interrupted || over) {
                cut_at = Some(now);
                self.tell(Conduct::End);
            }
            if cut_at.is_some_and(|at| now > at + LONGEST_END) {
                log::error!("a run did not end after it was cut");
                break;
            }
            if self.load.changes() || until.is_some_and(|until| now >= self.began + until) {
                self.tell(Conduct::Look);
            }
            if let Some(callback) = &config.progress
                && now >= tell_at
                && let Some(progress) = self.progress()
            {
                tell_at = now + TELL_EVERY;
                callback(&progress);
            }
        }
        ended.duration = self.began.elapsed();
        if let (Some(callback), Some(progress)) = (&config.progress, self.progress()) {
            callback(&progress);
        }
        ended
    }

    fn progress(&self) -> Option<Progress> {
        let (reply, answer) = bounded(1);
        let now = self.began.elapsed();
        let reply = ReplyPort::Blocking(reply);
        self.ports.peek.do_send(Peek { now, reply });
        let live = answer.recv_timeout(LONGEST_END).ok()?;
        Some(Progress::new(now, self.load.until(), &live))
    }

    fn finish(self, ended: Ended) -> Result<(Recording, Ended)> {
        let (reply, answer) = bounded(1);
        self.ports.take.do_send(Take(ReplyPort::Blocking(reply)));
        let recording = answer.recv().map_err(|_| Error::new(Kind::Closed))?;
        self.system.shutdown_blocking()?;
        Ok((recording, ended))
    }
}

/// Starts the actor that makes the load.
fn maker(load: &Load, launcher: Launcher, done: Sender<Done>) -> Recipient<Conduct> {
    match load {
        Load::Open(plan) => {
            let arrivals = Arrivals::new(launcher, plan.clone(), done);
            arrivals.start().recipient()
        }
        Load::Closed(plan) => Users::new(launcher, plan.clone(), done).start().recipient(),
    }
}
