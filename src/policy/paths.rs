//! Which paths of an endpoint are served: one that never is, while others are, is refused for a
//! reason of its own (a quota, a model that is overloaded), and says nothing of the endpoint.

use std::time::Duration;
use tokio::time::Instant;

/// What was served within so long is served.
const SERVED: Duration = Duration::from_mins(1);
/// So many are told apart: a client asks for a handful.
const MOST: usize = 4;

/// When paths were served last, by a hash of each.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    served: [Option<(u64, Instant)>; MOST],
}

impl Paths {
    pub(crate) fn served(&mut self, path: u64, now: Instant) {
        if let Some((known, at)) = &mut self.served[0]
            && *known == path
        {
            *at = now;
            return;
        }
        // The latest is looked at first; the oldest goes.
        let place = self
            .served
            .iter()
            .position(|known| is(known.as_ref(), path));
        self.served[..=place.unwrap_or(MOST - 1)].rotate_right(1);
        self.served[0] = Some((path, now));
    }

    /// Whether others are served, and this one is not.
    pub(crate) fn are_served_without(&self, path: u64, now: Instant) -> bool {
        let recent = |(_, at): &&(u64, Instant)| now <= *at + SERVED;
        let mut served = self.served.iter().flatten().filter(recent).peekable();
        served.peek().is_some() && served.all(|(known, _)| *known != path)
    }
}

fn is(known: Option<&(u64, Instant)>, path: u64) -> bool {
    known.is_some_and(|(known, _)| *known == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_from_others_that_are_served() {
        let now = Instant::now();
        let mut paths = Paths::default();
        assert!(!paths.are_served_without(1, now), "nothing is served");
        paths.served(1, now);
        assert!(paths.are_served_without(2, now));
        for path in [2, 1, 2, 3, 1] {
            paths.served(path, now);
        }
        for path in 1..=3 {
            assert!(!paths.are_served_without(path, now), "{path}");
        }
        assert!(paths.are_served_without(4, now));
        assert!(!paths.are_served_without(4, now + 2 * SERVED), "long ago");
        // The one that was served least recently is forgotten.
        paths.served(4, now);
        paths.served(5, now);
        assert!(paths.are_served_without(2, now));
        assert!(!paths.are_served_without(3, now));
    }
}
