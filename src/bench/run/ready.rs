//! Waiting for a service before its load: it is asked beside the Dispatcher of the run's first
//! system, on whose thread the client for such requests lives, while the run's own thread looks
//! whether anyone still waits.

use super::engine::{LOOK_EVERY, TELL_EVERY, beside};
use crate::actor::System;
use crate::bench::plan::{BenchmarkConfig, Progress, Readiness};
use crate::error::{Error, Kind, Result};
use crate::transport::{Control, ControlAnswer, HttpSettings, TransportError};
use crossbeam_channel::{Sender, select, unbounded};
use http::StatusCode;
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// One attempt takes no longer, since a service that is starting may accept and say nothing.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(3);
/// What comes before the second attempt; each pause is half as long again as the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// An answer that says whether a service is ready is not longer.
const LONGEST_BODY: usize = 16 << 20;
/// So much of an answer is shown, in characters.
const SHOWN: usize = 200;
/// A wait that is not longer is not spoken of.
const QUIET: Duration = Duration::from_secs(1);
/// What becomes of a wait.
enum News {
    /// An attempt failed, for this reason.
    NotYet(String),
    Ended(Result<()>),
}

/// Waits until the service is ready; `false` where the run was stopped before.
///
/// # Errors
///
/// When it was not ready in time, or cannot be asked.
pub(super) fn wait(
    system: &System,
    readiness: &Readiness,
    config: &BenchmarkConfig,
    is_abandoned: &dyn Fn() -> bool,
) -> Result<bool> {
    let (told, news) = unbounded();
    let (http, asked) = (config.http.clone(), readiness.clone());
    let task = beside(system, move |_, _| {
        let asking = async move {
            let ended = ask_until_ready(&http, &asked, &told).await;
            // Whoever does not wait any more does not mind.
            let _ = told.send(News::Ended(ended));
        };
        actix::spawn(asking).abort_handle()
    })?;
    let _aborted = Aborted(task);
    let began = Instant::now();
    let mut tell_at = began + QUIET;
    let mut last = "no answer yet".to_owned();
    loop {
        select! {
            recv(news) -> news => match news {
                Ok(News::NotYet(cause)) => last = cause,
                Ok(News::Ended(ended)) => return ended.map(|()| true),
                Err(_) => return Err(Error::new(Kind::Closed)),
            },
            recv(config.stop.asked()) -> _ => {
                config.stop.put_back();
                return Ok(false);
            }
            default(LOOK_EVERY) => {}
        }
        if is_abandoned() {
            return Ok(false);
        }
        let now = Instant::now();
        if let Some(callback) = &config.progress
            && now >= tell_at
        {
            tell_at = now + TELL_EVERY;
            let waiting_for = format!("{} to be ready ({last})", shown_url(readiness));
            callback(&Progress::waiting(now - began, waiting_for));
        }
    }
}

/// Ends the task of a wait that is over, and closes its connection.
struct Aborted(AbortHandle);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks again and again.
async fn ask_until_ready(
    http: &HttpSettings,
    readiness: &Readiness,
    told: &Sender<News>,
) -> Result<()> {
    let control = http.control()?;
    let over = Instant::now() + readiness.span;
    let mut attempts: u64 = 0;
    let mut pause = FIRST_PAUSE;
    let mut last: Option<String> = None;
    loop {
        let asked = Instant::now();
        let within = (over - asked).min(LONGEST_ATTEMPT);
        attempts += 1;
        let Some(cause) = attempt(&control, readiness, within).await? else {
            return Ok(());
        };
        // An attempt that the end cut short says less than the one before.
        let was_cut = within < LONGEST_ATTEMPT && asked.elapsed() >= within;
        if !was_cut || last.is_none() {
            // Whoever does not wait any more does not mind.
            let _ = told.send(News::NotYet(cause.clone()));
            last = Some(cause);
        }
        let now = Instant::now();
        if now + pause >= over {
            tokio::time::sleep_until(over).await;
            let last = last.unwrap_or_default();
            return Err(not_ready(readiness, attempts, &last));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

/// Asks once. Gives why the service is not ready, or nothing where it is.
async fn attempt(
    control: &Control,
    readiness: &Readiness,
    within: Duration,
) -> Result<Option<String>> {
    match control.ask(&readiness.head, within, LONGEST_BODY).await {
        Ok(answer) if (200..300).contains(&answer.status) => Ok(None),
        Ok(answer) => Ok(Some(words(&answer, readiness))),
        // It would be no better the next time.
        Err(cause @ TransportError::BadRequest(_)) => Err(cause.into()),
        Err(cause) => Ok(Some(cause.to_string())),
    }
}

/// What an answer said.
fn words(answer: &ControlAnswer, readiness: &Readiness) -> String {
    let status = StatusCode::from_u16(answer.status);
    let mut words = status.map_or_else(|_| answer.status.to_string(), |status| status.to_string());
    let location = answer.headers.get("location");
    if let Some(location) = location.filter(|_| (300..400).contains(&answer.status)) {
        let location = answer.without_keys(&beginning(location), &readiness.head);
        return words + " to " + &location + ", which is not followed";
    }
    let body = answer.body.as_deref().unwrap_or_default();
    let text = String::from_utf8_lossy(body);
    let text = answer.without_keys(&beginning(text.trim()), &readiness.head);
    if !text.is_empty() {
        words.push_str(": ");
        words.push_str(&text);
    }
    words
}

/// The beginning of the first line of `text`.
fn beginning(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// A query may be a secret.
fn shown_url(readiness: &Readiness) -> &str {
    let url = readiness.head.url.split(['?', '#']).next();
    url.unwrap_or_default()
}

fn not_ready(readiness: &Readiness, attempts: u64, last: &str) -> Error {
    let url = shown_url(readiness);
    let span = readiness.span.as_secs_f64();
    let asked = if attempts == 1 {
        "once".to_owned()
    } else {
        format!("{attempts} times")
    };
    let text = format!(
        "the service was not ready: GET {url} was sent {asked} in {span} s and never answered with \
         2xx; at last: {last}. Start the service, wait longer, or ask a path that says when it is \
         ready"
    );
    Error::new(Kind::NotReady(text.into()))
}
