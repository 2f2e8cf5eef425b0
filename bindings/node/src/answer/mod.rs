//! Answers, which stay the core's until JavaScript looks at them: `lib/responses.js`.

mod embeddings;

mod ranking;

mod classes;

mod posts;

mod record;

pub(crate) use record::pairs;

use self::classes::ClassesAnswer;
use self::embeddings::EmbeddingsAnswer;
use self::posts::PostsAnswer;
use self::ranking::RankingAnswer;
use napi::bindgen_prelude::Either4 as Either;

/// The answer to a call of any kind.
pub(crate) type Answer = Either<EmbeddingsAnswer, RankingAnswer, ClassesAnswer, PostsAnswer>;

/// An answer of the core that JavaScript can look at.
pub(crate) trait Land: Send + Sync + 'static {
    fn land(self) -> Answer;
}
