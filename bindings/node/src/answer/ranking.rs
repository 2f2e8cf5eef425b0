//! Scores of texts.

use super::record::Record;
use hedgerow::{Rank, Ranking};
use napi::bindgen_prelude::{Either, Null};
use napi_derive::napi;
use std::sync::Arc;

/// The answer to `rerank`.
#[napi]
pub(crate) struct RankingAnswer(Arc<Ranking>);

/// The score of one text.
#[napi(object, object_from_js = false)]
pub(crate) struct Scored {
    pub index: u32,
    pub score: f64,
    /// Null, and not absent, where it was not asked for: as the older client has it.
    pub text: Either<String, Null>,
}

#[napi]
impl RankingAnswer {
    /// An answer in which nothing finished.
    #[napi(constructor)]
    pub fn new() -> Self {
        Ranking::default().into()
    }

    #[napi(getter)]
    pub fn length(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Some of the scores, in input order.
    #[napi]
    pub fn slice(&self, start: u32, end: u32) -> Vec<Scored> {
        let ranks = self.0.get(start as usize..end as usize);
        ranks.unwrap_or_default().iter().map(Scored::from).collect()
    }

    #[napi]
    pub fn record(&self) -> Record {
        Record::of(&self.0)
    }
}

impl From<&Rank> for Scored {
    fn from(rank: &Rank) -> Self {
        Self {
            index: u32::try_from(rank.index).unwrap_or(u32::MAX),
            score: rank.score,
            text: rank.text.clone().map_or(Either::B(Null), Either::A),
        }
    }
}

impl From<Ranking> for RankingAnswer {
    fn from(answer: Ranking) -> Self {
        Self(Arc::new(answer))
    }
}
