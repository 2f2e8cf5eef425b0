//! Which changes of an endpoint's limits are worth a line in the log: one a change, not one a
//! refusal.

use super::gate::Cause;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// A window is told when it has been found, not while it is being looked for.
const SETTLED: Duration = Duration::from_secs(1);
/// The shortest time from one line on an endpoint's window to the next.
const BETWEEN: Duration = Duration::from_secs(30);

/// A change that people are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The endpoint refuses more than so many requests at once.
    Window(usize),
    /// Nothing gets through.
    Closed(Cause),
    /// It is back, after so long.
    Back(Duration),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window(window) => write!(
                f,
                "refuses what is too much for it; it is sent {window} requests at once, and now \
                 and then one more to see"
            ),
            Self::Closed(Cause::Refuses) => {
                f.write_str("refuses everything; it is left alone, and asked again")
            }
            Self::Closed(Cause::Away) => f.write_str(
                "cannot be reached; it is asked again once a second, and less often later",
            ),
            Self::Closed(Cause::Breaks) => f.write_str(
                "breaks every connection; it is asked again once a second, and less often later",
            ),
            Self::Closed(Cause::Exhausted) => f.write_str(
                "cannot be connected to with what this process has (descriptors, ports, memory); it is \
                 tried again once a second, and less often later",
            ),
            Self::Back(after) => write!(f, "is back after {:.1} s", after.as_secs_f64()),
        }
    }
}

/// Remembers what was told of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    /// The window that was told last, and when.
    told: Option<(usize, Instant)>,
    /// When to look at the window again.
    due: Option<Instant>,
    outage_told: bool,
    next: Option<Notice>,
}

impl Notices {
    /// The window changed.
    pub(crate) fn window_changed(&mut self, now: Instant) {
        let free = self.told.map_or(now, |(_, at)| at + BETWEEN);
        self.due.get_or_insert(free.max(now + SETTLED));
    }

    /// Nothing gets through.
    pub(crate) fn closed(&mut self, cause: Cause) {
        if !std::mem::replace(&mut self.outage_told, true) {
            self.next = Some(Notice::Closed(cause));
        }
    }

    /// Something does again.
    pub(crate) fn opened(&mut self, after: Duration) {
        if std::mem::take(&mut self.outage_told) {
            self.next = Some(Notice::Back(after));
        }
    }

    /// Whether something may be to be told later.
    pub(crate) fn is_waiting(&self) -> bool {
        self.due.is_some()
    }

    /// What is to be told now, if anything. `window` is what it is at.
    pub(crate) fn take(&mut self, window: Option<usize>, now: Instant) -> Option<Notice> {
        if self.next.is_some() {
            return self.next.take();
        }
        self.due.take_if(|due| *due <= now)?;
        let window = window?;
        let is_news = self
            .told
            .is_none_or(|(told, _)| window >= 2 * told || 2 * window <= told);
        is_news.then(|| {
            self.told = Some((window, now));
            Notice::Window(window)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_window_is_told_once_it_is_found_and_again_when_it_is_another() {
        let start = Instant::now();
        let mut notices = Notices::default();
        assert_eq!(notices.take(None, start), None);
        let mut told = Vec::new();
        for tenth in 0..1000u32 {
            let now = start + tenth * SECOND / 10;
            // It swings by one, and is halved after 50 s.
            let window = if tenth < 500 { 64 } else { 32 } - usize::from(tenth % 2 == 0);
            notices.window_changed(now);
            told.extend(
                notices
                    .take(Some(window), now)
                    .map(|notice| (tenth, notice)),
            );
        }
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0].0, 10);
        assert!(
            matches!(told[1], (500..=800, Notice::Window(31 | 32))),
            "{told:?}"
        );
    }

    #[test]
    fn an_outage_is_told_once_and_so_is_its_end() {
        let now = Instant::now();
        let mut notices = Notices::default();
        let mut told = Vec::new();
        for _ in 0..2 {
            for _ in 0..5 {
                notices.closed(Cause::Away);
                told.extend(notices.take(None, now));
            }
            for _ in 0..5 {
                notices.opened(3 * SECOND);
                told.extend(notices.take(None, now));
            }
        }
        let once = [Notice::Closed(Cause::Away), Notice::Back(3 * SECOND)];
        assert_eq!(told, [once, once].concat());
    }
}
