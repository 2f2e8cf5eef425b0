//! What a run shows while it lasts, on standard error: one line that is redrawn on a terminal, a
//! line every few seconds elsewhere.

use crate::bench::plan::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Elsewhere than on a terminal, a line comes every so often.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows progress. Clones show on the same line.
#[derive(Debug, Clone)]
pub struct Display(Option<Arc<Shown>>);

#[derive(Debug)]
enum Shown {
    Terminal(ProgressBar),
    Lines(Mutex<LastLine>),
}

/// What the last line said.
#[derive(Debug, Default)]
struct LastLine {
    elapsed: Duration,
    waiting: bool,
}

impl LastLine {
    /// Whether it is time for a line. Of a wait the first is due at once; what follows it begins
    /// anew.
    fn is_due(&mut self, progress: &Progress) -> bool {
        let waiting = progress.waiting_for.is_some();
        let changed = waiting != self.waiting;
        if changed {
            *self = Self {
                elapsed: Duration::ZERO,
                waiting,
            };
        }
        let due = (changed && waiting) || progress.elapsed >= self.elapsed + LINE_EVERY;
        if due {
            self.elapsed = progress.elapsed;
        }
        due
    }
}

impl Display {
    /// On standard error; nothing at all where it is to be `quiet`.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        if quiet {
            return Self(None);
        }
        Self(Some(Arc::new(if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            Shown::Terminal(bar)
        } else {
            Shown::Lines(Mutex::default())
        })))
    }

    /// Whether it shows anything.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Shows how far a run is.
    pub fn show(&self, progress: &Progress) {
        match self.0.as_deref() {
            None => {}
            Some(Shown::Terminal(bar)) => {
                bar.set_message(line(progress));
                bar.tick();
            }
            Some(Shown::Lines(last)) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.is_due(progress) {
                    eprintln!("{}", line(progress));
                }
            }
        }
    }

    /// Takes the line away, so that other text can follow.
    pub fn clear(&self) {
        if let Some(Shown::Terminal(bar)) = self.0.as_deref() {
            bar.finish_and_clear();
        }
    }
}

fn line(progress: &Progress) -> String {
    let mut line = format!("{:.0}s", progress.elapsed.as_secs_f64());
    if let Some(what) = &progress.waiting_for {
        add(&mut line, format_args!("  waiting for {what}"));
        return line;
    }
    if let Some(span) = progress.span {
        add(&mut line, format_args!(" of {:.0}s", span.as_secs_f64()));
    }
    add(
        &mut line,
        format_args!("  {} done, {:.0}/s", progress.ended, progress.ended_per_s),
    );
    if progress.failed > 0 {
        add(&mut line, format_args!(", {} failed", progress.failed));
    }
    if progress.dropped > 0 {
        add(&mut line, format_args!(", {} dropped", progress.dropped));
    }
    for (name, time) in [
        ("p50", progress.latency_p50),
        ("p99", progress.latency_p99),
        ("ttft p50", progress.ttft_p50),
    ] {
        if let Some(time) = time {
            add(
                &mut line,
                format_args!("  {name} {:.1} ms", time.as_secs_f64() * 1e3),
            );
        }
    }
    if progress.completion_tokens_per_s > 0.0 {
        add(
            &mut line,
            format_args!("  {:.0} tokens/s", progress.completion_tokens_per_s),
        );
    }
    line
}

fn add(line: &mut String, part: std::fmt::Arguments<'_>) {
    // Writing into memory cannot fail.
    let _ = line.write_fmt(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_there_is() {
        let mut progress = Progress {
            elapsed: Duration::from_secs(3),
            ended: 12,
            ended_per_s: 4.0,
            ..Progress::default()
        };
        assert_eq!(line(&progress), "3s  12 done, 4/s");
        progress.span = Some(Duration::from_secs(30));
        progress.failed = 2;
        progress.latency_p50 = Some(Duration::from_micros(1500));
        progress.completion_tokens_per_s = 100.0;
        assert_eq!(
            line(&progress),
            "3s of 30s  12 done, 4/s, 2 failed  p50 1.5 ms  100 tokens/s"
        );
    }

    #[test]
    fn a_line_is_due_at_the_begin_of_a_wait_and_every_five_seconds() {
        let mut last = LastLine::default();
        let mut due = |seconds, waiting: bool| {
            last.is_due(&Progress {
                elapsed: Duration::from_secs(seconds),
                waiting_for: waiting.then(|| "it".to_owned()),
                ..Progress::default()
            })
        };
        let wait = [(1, true), (2, false), (6, true)];
        for (seconds, expected) in wait {
            assert_eq!(due(seconds, true), expected, "{seconds} s of the wait");
        }
        for (seconds, expected) in [(0, false), (4, false), (5, true), (9, false)] {
            assert_eq!(due(seconds, false), expected, "{seconds} s of the run");
        }
        let waiting = Progress::waiting(Duration::from_secs(2), "x to be ready".to_owned());
        assert_eq!(line(&waiting), "2s  waiting for x to be ready");
    }

    #[test]
    fn a_quiet_display_shows_nothing() {
        let display = Display::new(true);
        assert!(!display.is_on());
        display.show(&Progress::default());
        display.clear();
    }
}
