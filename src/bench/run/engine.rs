//! A run from its configuration to its report: the actors that make load are put beside the
//! Dispatchers of systems of the run's own, told to begin, and listened to.
//!
//! An open loop has one schedule, and one system with all Workers. Users do not know of each other:
//! each thread has a system of its own with a share of them, and of a request only its sample passes
//! between threads, together with others.

use super::arrivals::Arrivals;
use super::launch::{Conduct, Done, Launcher};
use super::recorder::{Peek, Record, Recorder, Take};
use super::users::{Share, Users};
use crate::actor::{Entrance, Placement, System};
use crate::bench::capacity;
use crate::bench::measure::Recording;
use crate::bench::plan::{BenchmarkConfig, Blueprint, Load, Progress};
use crate::bench::report::{Report, RunFacts};
use crate::caller::{Cancel, ReplyPort};
use crate::error::{Error, Kind, Result};
use actix::{Actor, Recipient};
use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// How often the run is looked after: levels of users, its end, whether anyone still waits.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often progress is told.
pub(super) const TELL_EVERY: Duration = Duration::from_millis(250);
/// What was cut has ended within this, or never will.
const LONGEST_END: Duration = Duration::from_secs(10);

/// Carries out a run by `systems`. `ceiling` is what the client was found to reach, where that was
/// measured; `is_abandoned` says whether nobody waits for the report any more.
pub(super) fn carry_out(
    config: &BenchmarkConfig,
    blueprint: Blueprint,
    systems: Vec<System>,
    ceiling: Option<f64>,
    is_abandoned: &dyn Fn() -> bool,
) -> Result<Report> {
    let started_at = SystemTime::now();
    let cpu = capacity::process_time();
    let run = Run::start(systems, &blueprint, config)?;
    let ended = run.conduct(config, is_abandoned);
    let cpu = capacity::process_time().saturating_sub(cpu);
    let (recording, ended) = run.finish(ended)?;
    let mut facts = facts(config, blueprint, &ended, started_at);
    facts.cpu = cpu;
    facts.ceiling_per_s = ceiling;
    if config.calibrate && ceiling.is_none() {
        let note = "the client could not be calibrated".to_owned();
        facts.notes.push(note);
    }
    Ok(Report::new(recording, facts))
}

/// The report of a run that was stopped while its service was waited for.
pub(super) fn never_began(config: &BenchmarkConfig, blueprint: Blueprint) -> Report {
    let mut facts = facts(
        config,
        blueprint,
        &Ended::before_it_began(),
        SystemTime::now(),
    );
    let note = "the run was stopped while it waited for the service to be ready".to_owned();
    facts.notes.push(note);
    Report::new(Recording::new(config.slos.clone()), facts)
}

/// What is to be told of a run that cost nothing.
fn facts(
    config: &BenchmarkConfig,
    blueprint: Blueprint,
    ended: &Ended,
    started_at: SystemTime,
) -> RunFacts {
    RunFacts {
        seed: config.seed,
        load_model: blueprint.load.describe(),
        data_set: Some(blueprint.workload.hash().to_owned()),
        started_at,
        duration: ended.duration,
        warmup: config.warmup.min(ended.duration),
        planned: ended.planned,
        cpu: Duration::ZERO,
        cores: blueprint.workers.min(capacity::cores()),
        ceiling_per_s: None,
        interrupted: ended.interrupted,
        notes: blueprint.notes,
        config: blueprint.config,
    }
}

/// A run under way.
struct Run {
    systems: Vec<System>,
    ports: Ports,
    /// Told by each maker.
    done: Receiver<Done>,
    began: Instant,
    load: Load,
    drain: Duration,
}

/// Where the run's actors are reached.
struct Ports {
    makers: Vec<Recipient<Conduct>>,
    peek: Recipient<Peek>,
    take: Recipient<Take>,
}

/// How a run ended.
struct Ended {
    duration: Duration,
    planned: u64,
    interrupted: bool,
}

impl Ended {
    /// Stopped before anything was sent.
    fn before_it_began() -> Self {
        Self {
            duration: Duration::ZERO,
            planned: 0,
            interrupted: true,
        }
    }
}

impl Run {
    fn start(
        systems: Vec<System>,
        blueprint: &Blueprint,
        config: &BenchmarkConfig,
    ) -> Result<Self> {
        let recording = Recording::new(config.slos.clone());
        let recorder = beside(&systems[0], move |_, _| Recorder { recording }.start())?;
        let (done, dones) = bounded(systems.len());
        let mut makers = Vec::with_capacity(systems.len());
        for (system, first) in systems.iter().zip(0..) {
            let of = u32::try_from(systems.len()).unwrap_or(1);
            let share = Share { first, of };
            let record: Recipient<Record> = recorder.clone().recipient();
            let (load, workload) = (blueprint.load.clone(), Arc::clone(&blueprint.workload));
            let (settings, warmup) = (blueprint.settings.clone(), blueprint.warmup);
            let done = done.clone();
            makers.push(beside(system, move |entrance, cancel| {
                let launcher =
                    Launcher::new((entrance, cancel), record, workload, settings, warmup);
                maker(load, share, launcher, done)
            })?);
        }
        let began = Instant::now();
        let run = Self {
            systems,
            ports: Ports {
                makers,
                peek: recorder.clone().recipient(),
                take: recorder.recipient(),
            },
            done: dones,
            began,
            load: blueprint.load.clone(),
            drain: blueprint.drain,
        };
        run.tell(Conduct::Begin(began));
        Ok(run)
    }

    fn tell(&self, conduct: Conduct) {
        for maker in &self.ports.makers {
            maker.do_send(conduct);
        }
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
        let mut under_way = self.systems.len();
        loop {
            let asked = if ended.interrupted {
                &nobody
            } else {
                config.stop.asked()
            };
            select! {
                recv(self.done) -> done => {
                    ended.planned += done.map_or(0, |done| done.planned);
                    under_way -= 1;
                    if under_way == 0 {
                        break;
                    }
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
            self.tell(Conduct::Tell);
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
        for system in &self.systems {
            system.shutdown_blocking()?;
        }
        Ok((recording, ended))
    }
}

/// Starts the actor that makes the load.
fn maker(load: Load, share: Share, launcher: Launcher, done: Sender<Done>) -> Recipient<Conduct> {
    match load {
        Load::Open(plan) => Arrivals::new(launcher, plan, done).start().recipient(),
        Load::Closed(plan) => Users::new(launcher, plan, share, done).start().recipient(),
    }
}

/// The systems by which a run sends.
pub(super) fn systems(blueprint: &Blueprint, config: &BenchmarkConfig) -> Result<Vec<System>> {
    let (count, workers) = match &blueprint.load {
        Load::Open(_) => (1, blueprint.workers),
        Load::Closed(plan) => (blueprint.workers.min(plan.users as usize).max(1), 1),
    };
    let transport = config.http.factory()?;
    let start = |_| {
        System::builder()
            .placement(Placement::Threads(workers))
            .transport(Arc::clone(&transport))
            .start()
    };
    (0..count).map(start).collect()
}

/// Starts an actor beside the Dispatcher of a system, and gives what `start` does.
pub(super) fn beside<T: Send + 'static>(
    system: &System,
    start: impl FnOnce(Entrance, Recipient<Cancel>) -> T + Send + 'static,
) -> Result<T> {
    let (port, started) = bounded(1);
    system.beside_the_dispatcher(move |entrance, cancel| {
        // It is waited for.
        let _ = port.send(start(entrance, cancel));
    })?;
    started.recv().map_err(|_| Error::new(Kind::Closed))
}
