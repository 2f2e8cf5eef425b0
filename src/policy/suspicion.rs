//! Which inputs are to blame for a refusal that may be about one of them.
//!
//! A refused batch is cut into [`PARTS`], each of which ends by itself and is cut again where it is
//! refused: a bad input among n costs `PARTS * log(n) / log(PARTS)` requests, as many as by halves
//! in half the steps.
//!
//! What is refused may also be the request as such: an unknown model, a field that the server does
//! not take. While nothing of an operation has succeeded, one piece at a time is sent, down to a
//! single input, then to another far from it. When as many requests were refused alike as there are
//! halvings from the batch to one input, two single inputs among them, no input is to blame, and the
//! rest is not asked for. One success says that inputs are, and everything that waited goes.

use std::collections::VecDeque;

/// A refused batch is cut into so many.
pub(crate) const PARTS: usize = 4;
/// So many single inputs must be refused before none of them is to blame.
const SINGLES: u32 = 2;

/// What refusals must have in common to be taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The status.
    Status(u16),
    /// A row of the answer that holds no numbers.
    Row,
}

/// What is known of an operation's refusals.
#[derive(Debug, Default)]
pub(crate) struct Suspicion {
    /// Some request has succeeded: what is refused is refused for its inputs.
    cleared: bool,
    trial: Option<Box<Trial>>,
}

/// The search for somebody to blame, while nothing has succeeded.
#[derive(Debug)]
struct Trial {
    blame: Blame,
    /// Requests refused alike, and those of a single input among them.
    refused: u32,
    singles: u32,
    /// So many end it.
    enough: u32,
    /// The only piece that is under way.
    probe: Option<u32>,
    /// Those that wait, the first of which were cut from the same as the probe.
    held: VecDeque<u32>,
    siblings: usize,
}

impl Suspicion {
    /// Whether no new request is to be sent.
    pub(crate) fn holds_back(&self) -> bool {
        self.trial.is_some()
    }

    /// A request has succeeded. Says which pieces go now, where some waited for that.
    pub(crate) fn succeeded(&mut self) -> Option<VecDeque<u32>> {
        self.cleared = true;
        self.trial.take().map(|trial| trial.held)
    }

    /// A request of so many inputs was refused, so many times. Says whether no input is to blame.
    pub(crate) fn refused(&mut self, blame: Blame, inputs: usize, times: u32) -> bool {
        if self.cleared || (inputs == 1 && self.trial.is_none()) {
            return false;
        }
        let trial = self.trial.get_or_insert_with(|| {
            Box::new(Trial {
                blame,
                refused: 0,
                singles: 0,
                enough: 1 + halvings(inputs),
                probe: None,
                held: VecDeque::new(),
                siblings: 0,
            })
        });
        if trial.blame != blame {
            (trial.blame, trial.refused, trial.singles) = (blame, 0, 0);
        }
        trial.refused += times;
        trial.singles += u32::from(inputs == 1);
        trial.refused >= trial.enough && trial.singles >= SINGLES
    }

    /// A request that was refused is cut. Says which pieces go now; the others wait.
    pub(crate) fn cut(
        &mut self,
        request: u32,
        mut pieces: std::ops::Range<u32>,
    ) -> std::ops::Range<u32> {
        let Some(trial) = &mut self.trial else {
            return pieces;
        };
        if trial.probe.is_some_and(|probe| probe != request) {
            trial.held.extend(pieces);
            return 0..0;
        }
        trial.probe = pieces.next();
        trial.siblings = pieces.len();
        for piece in pieces.rev() {
            trial.held.push_front(piece);
        }
        trial.probe.map_or(0..0, |probe| probe..probe + 1)
    }

    /// A request is cut for another reason. Where it was the probe, the search begins anew with the
    /// next refusal; says which pieces go now.
    pub(crate) fn reshaped(&mut self, request: u32) -> VecDeque<u32> {
        let is_probe = |trial: &mut Box<Trial>| trial.probe == Some(request);
        let trial = self.trial.take_if(is_probe);
        trial.map(|trial| trial.held).unwrap_or_default()
    }

    /// A request has failed for good. Says which piece goes now.
    pub(crate) fn failed(&mut self, request: u32) -> Option<u32> {
        let trial = self.trial.as_mut()?;
        if trial.probe != Some(request) {
            return None;
        }
        // Bad inputs often stand together: the next is taken far from this one.
        let next = match std::mem::take(&mut trial.siblings).checked_sub(1) {
            Some(last) => trial.held.remove(last),
            None => trial.held.pop_back(),
        };
        trial.probe = next;
        if next.is_none() {
            self.trial = None;
        }
        next
    }
}

/// So many times can a number be halved until it is one: its logarithm, rounded up.
fn halvings(number: usize) -> u32 {
    number.next_power_of_two().trailing_zeros()
}

#[cfg(test)]
mod tests;
