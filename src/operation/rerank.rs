//! Reranking: `POST {base}/rerank`.

use super::call::write_json_string;
use super::scoring::Scoring;
use super::texts::{self, TextCall};
use super::{Call, Endpoint, Inputs, Ranked, Ranking, TruncationDirection};
use crate::caller::ReplyPort;
use crate::config::Preference;
use crate::decode::{self, DecodeError, Format};
use crate::error::Result;
use crate::job::{Job, Part};

/// A call that scores texts by how well they answer a query; also the message that asks a
/// [`Client`](crate::Client) actor to.
///
/// ```
/// use hedgerow::{Preference, Rerank};
///
/// let call = Rerank::new("What is a hedge?", ["a fence of shrubs", "a pond"])
///     .return_text(true)
///     .preference(Preference { batch_size: 32, ..Preference::default() });
/// ```
#[derive(Debug, Clone)]
pub struct Rerank {
    query: String,
    texts: Inputs,
    scoring: Scoring,
    return_text: bool,
    preference: Preference,
}

impl actix::Message for Rerank {
    type Result = Result<Ranking>;
}

impl Rerank {
    /// Asks how well each of `texts` answers `query`.
    pub fn new(query: impl Into<String>, texts: impl Into<Inputs>) -> Self {
        Self {
            query: query.into(),
            texts: texts.into(),
            scoring: Scoring::default(),
            return_text: false,
            preference: Preference::default(),
        }
    }

    /// The model, for servers that have several. Default: none is named.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.scoring.model = Some(model.into());
        self
    }

    /// Whether scores are to be the model's own, and not brought between 0 and 1. Default: no.
    #[must_use]
    pub fn raw_scores(mut self, raw: bool) -> Self {
        self.scoring.raw_scores = raw;
        self
    }

    /// Whether the server is to send each text back beside its score. Default: no.
    #[must_use]
    pub fn return_text(mut self, wanted: bool) -> Self {
        self.return_text = wanted;
        self
    }

    /// Whether a text that is too long is to be cut, and not refused. Default: no.
    #[must_use]
    pub fn truncate(mut self, truncate: bool) -> Self {
        self.scoring.truncate = truncate;
        self
    }

    /// Which end of such a text is cut off. Default: the right one.
    #[must_use]
    pub fn truncation_direction(mut self, direction: TruncationDirection) -> Self {
        self.scoring.truncation_direction = direction;
        self
    }

    /// How the requests are sent.
    #[must_use]
    pub fn preference(mut self, preference: Preference) -> Self {
        self.preference = preference;
        self
    }
}

impl Call for Rerank {
    type Answer = Ranking;

    fn into_job(self, endpoint: &Endpoint, reply: ReplyPort<Result<Ranking>>) -> Result<Job> {
        let call = RerankCall {
            query: self.query,
            scoring: self.scoring,
            return_text: self.return_text,
        };
        let empty = Ranked::of_texts;
        texts::job(call, self.texts, &self.preference, endpoint, empty, reply)
    }
}

struct RerankCall {
    query: String,
    scoring: Scoring,
    return_text: bool,
}

impl TextCall for RerankCall {
    const PATH: &'static str = "/rerank";
    const EMPTY: &'static str = "Texts list cannot be empty";

    fn open(&self, body: &mut Vec<u8>) {
        body.extend_from_slice(b"{\"query\":");
        write_json_string(body, &self.query);
        body.push(b',');
        self.scoring.write(body);
        let rest = format!("\"return_text\":{},\"texts\":[", self.return_text);
        body.extend_from_slice(rest.as_bytes());
    }

    fn read_with_each(&self) -> Option<&str> {
        Some(&self.query)
    }

    fn decode(
        &self,
        format: Format,
        body: &[u8],
        count: usize,
    ) -> std::result::Result<Part, DecodeError> {
        decode::ranking(format, body, count).map(Part::Scores)
    }
}
