//! Scores joined: those of all requests, by the index of their text in the call.

use super::answer::{Answer, Join};
use crate::job::Part;
use std::ops::{Deref, Range};

/// The answer to [`Rerank`](crate::Rerank).
pub type Ranking = Answer<Ranked>;

/// The scores of texts, in input order: a slice of [`Rank`]. Texts whose request failed are
/// absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranked(Vec<Rank>);

/// The score of one text.
#[derive(Debug, Clone, PartialEq)]
pub struct Rank {
    /// The place of the text in the call.
    pub index: usize,
    /// How well it answers the query; NaN where the server has no score.
    pub score: f64,
    /// The text, if it was asked for.
    pub text: Option<String>,
}

impl Rank {
    /// Stands where no score has come yet. No text has this index.
    const NONE: Self = Self {
        index: usize::MAX,
        score: f64::NAN,
        text: None,
    };
}

impl Ranked {
    pub(super) fn of_texts(count: usize) -> Self {
        Self(vec![Rank::NONE; count])
    }

    /// The scores, best first. Equals stay in input order, and NaN comes last.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Rank> {
        let mut ranks: Vec<&Rank> = self.0.iter().collect();
        ranks.sort_by(|one, other| best_first(one, other));
        ranks
    }

    /// The scores in input order, given away.
    #[must_use]
    pub fn into_vec(self) -> Vec<Rank> {
        self.0
    }
}

fn best_first(one: &Rank, other: &Rank) -> std::cmp::Ordering {
    let nan_last = one.score.is_nan().cmp(&other.score.is_nan());
    nan_last.then_with(|| {
        // Two NaN are equals, whatever their signs; so are the two zeros.
        let descending = other.score.partial_cmp(&one.score);
        descending.unwrap_or(std::cmp::Ordering::Equal)
    })
}

impl Deref for Ranked {
    type Target = [Rank];

    fn deref(&self) -> &[Rank] {
        &self.0
    }
}

impl Join for Ranked {
    fn join(&mut self, inputs: Range<usize>, part: Part) -> Result<(), String> {
        let Part::Scores(scores) = part else {
            return Err(part.is_no("ranking"));
        };
        let places = inputs.clone().zip(&mut self.0[inputs]);
        for ((index, place), scored) in places.zip(scores) {
            *place = Rank {
                index,
                score: scored.score,
                text: scored.text,
            };
        }
        Ok(())
    }

    fn leave_out(&mut self, _: Range<usize>) {}

    fn end(&mut self) {
        self.0.retain(|rank| rank.index != Rank::NONE.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Scored;

    fn ranked(scores: &[f64]) -> Ranked {
        let mut ranked = Ranked::of_texts(scores.len());
        let bare = |&score| Scored { score, text: None };
        let part = Part::Scores(scores.iter().map(bare).collect());
        ranked.join(0..scores.len(), part).unwrap();
        ranked
    }

    #[test]
    fn sorting_is_stable_and_puts_nan_last() {
        let ranked = ranked(&[
            0.0,
            -f64::NAN,
            2.0,
            f64::NEG_INFINITY,
            -0.0,
            f64::NAN,
            2.0,
            f64::INFINITY,
        ]);
        let order: Vec<usize> = ranked.sorted().iter().map(|rank| rank.index).collect();
        assert_eq!(order, [7, 2, 6, 0, 4, 3, 1, 5]);
        let given: Vec<usize> = ranked.iter().map(|rank| rank.index).collect();
        assert_eq!(given, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn what_did_not_come_is_absent() {
        let mut ranked = Ranked::of_texts(5);
        let bare = |score| Scored { score, text: None };
        let part = Part::Scores(vec![bare(0.5), bare(0.25)]);
        ranked.join(3..5, part).unwrap();
        ranked.leave_out(0..3);
        ranked.end();
        let found: Vec<(usize, f64)> = ranked.iter().map(|rank| (rank.index, rank.score)).collect();
        assert_eq!(found, [(3, 0.5), (4, 0.25)]);
    }
}
