//! Answers, which stay the core's until JavaScript looks at them: `lib/responses.js`.

mod embeddings;

mod ranking;

mod classes;

mod posts;

mod record;

use self::classes::ClassesAnswer;
use self::embeddings::EmbeddingsAnswer;
use self::posts::PostsAnswer;
use self::ranking::RankingAnswer;
use crate::failure::Failure;
use hedgerow::{Classifications, Embeddings, Error, PostAnswers, Ranking};
use napi::bindgen_prelude::Either4 as Either;

/// The answer to a call of any kind.
pub(crate) type AnyAnswer = Either<EmbeddingsAnswer, RankingAnswer, ClassesAnswer, PostsAnswer>;

/// An answer of the core that JavaScript can look at. The default is one in which nothing finished.
pub(crate) trait Land: Default + Send + Sync + 'static {
    fn land(self) -> AnyAnswer;
}

impl Land for Embeddings {
    fn land(self) -> AnyAnswer {
        AnyAnswer::A(self.into())
    }
}

impl Land for Ranking {
    fn land(self) -> AnyAnswer {
        AnyAnswer::B(self.into())
    }
}

impl Land for Classifications {
    fn land(self) -> AnyAnswer {
        AnyAnswer::C(self.into())
    }
}

impl Land for PostAnswers {
    fn land(self) -> AnyAnswer {
        AnyAnswer::D(self.into())
    }
}

/// A failure, and what had finished, which is taken out of the error: an empty answer where nothing
/// had.
pub(crate) fn failed<A: Land>(error: Error) -> (Failure, AnyAnswer) {
    let failure = Failure::of(&error);
    let partial = error.into_partial::<A>().unwrap_or_default();
    (failure, partial.land())
}
