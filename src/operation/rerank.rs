//! Reranking: `POST {base}/rerank`.

use super::call::{check_count, write_json_string, write_texts};
use super::scoring::Scoring;
use super::{
    Call, Collect, Endpoint, Headers, Inputs, Operation, Part, Ranked, Ranking, TruncationDirection,
};
use crate::actor::{Job, ReplyPort};
use crate::config::Preference;
use crate::decode::{self, DecodeError};
use crate::error::Result;
use crate::transport::Head;
use bytes::Bytes;
use http::Method;
use std::ops::Range;
use std::sync::Arc;

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

    /// The start of every body of the operation, up to the first text.
    fn opening(&self) -> Box<[u8]> {
        let mut body = b"{\"query\":".to_vec();
        write_json_string(&mut body, &self.query);
        body.push(b',');
        self.scoring.write(&mut body);
        let rest = format!("\"return_text\":{},\"texts\":[", self.return_text);
        body.extend_from_slice(rest.as_bytes());
        body.into_boxed_slice()
    }
}

impl Call for Rerank {
    type Answer = Ranking;

    fn into_job(self, endpoint: &Endpoint, reply: ReplyPort<Result<Ranking>>) -> Result<Job> {
        check_count(self.texts.len(), "Texts list cannot be empty")?;
        let settings = self.preference.check()?;
        let operation = RerankOperation {
            head: endpoint.head(Method::POST, "/rerank", &self.preference)?,
            opening: self.opening(),
            texts: self.texts,
        };
        Ok(Job {
            gather: Box::new(Collect::new(Ranked::of_texts(operation.inputs()), reply)),
            operation: Arc::new(operation),
            settings,
        })
    }
}

struct RerankOperation {
    texts: Inputs,
    opening: Box<[u8]>,
    head: Arc<Head>,
}

impl Operation for RerankOperation {
    fn head(&self) -> &Arc<Head> {
        &self.head
    }

    fn inputs(&self) -> usize {
        self.texts.len()
    }

    fn chars(&self, input: usize) -> usize {
        self.texts[input].chars().count()
    }

    fn leaves_encoding_open(&self) -> bool {
        false
    }

    fn body(&self, inputs: Range<usize>, _: bool) -> Option<Bytes> {
        let closing = b"]}";
        let texts = &self.texts[inputs];
        let mut body = write_texts(&self.opening, texts, ["", ""], closing.len());
        body.extend_from_slice(closing);
        Some(body.into())
    }

    fn decode(
        &self,
        inputs: Range<usize>,
        headers: &Headers,
        body: &mut Vec<u8>,
    ) -> std::result::Result<Part, DecodeError> {
        decode::ranking(headers.format(), body, inputs.len()).map(Part::Scores)
    }
}
