//! Classification: `POST {base}/predict`.

use super::answer::{Answer, Join};
use super::call::{check_count, write_texts};
use super::scoring::Scoring;
use super::{Call, Collect, Endpoint, Headers, Inputs, Operation, Part, TruncationDirection};
use crate::actor::{Job, ReplyPort};
use crate::config::Preference;
use crate::decode::{self, Class, DecodeError};
use crate::error::Result;
use crate::transport::Head;
use bytes::Bytes;
use http::Method;
use std::ops::Range;
use std::sync::Arc;

/// The answer to [`Classify`]: for each input its classes as the server gave them, in input order;
/// none where its request failed.
pub type Classifications = Answer<Vec<Vec<Class>>>;

/// A call that classifies texts; also the message that asks a [`Client`](crate::Client) actor to.
///
/// ```
/// use hedgerow::{Classify, TruncationDirection};
///
/// let call = Classify::new(["a fine day", "a foul day"])
///     .truncate(true)
///     .truncation_direction(TruncationDirection::Left);
/// ```
#[derive(Debug, Clone)]
pub struct Classify {
    inputs: Inputs,
    scoring: Scoring,
    preference: Preference,
}

impl actix::Message for Classify {
    type Result = Result<Classifications>;
}

impl Classify {
    /// Asks for the classes of `inputs`.
    pub fn new(inputs: impl Into<Inputs>) -> Self {
        Self {
            inputs: inputs.into(),
            scoring: Scoring::default(),
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

    /// Whether an input that is too long is to be cut, and not refused. Default: no.
    #[must_use]
    pub fn truncate(mut self, truncate: bool) -> Self {
        self.scoring.truncate = truncate;
        self
    }

    /// Which end of such an input is cut off. Default: the right one.
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

impl Call for Classify {
    type Answer = Classifications;

    fn into_job(
        self,
        endpoint: &Endpoint,
        reply: ReplyPort<Result<Classifications>>,
    ) -> Result<Job> {
        check_count(self.inputs.len(), "Inputs list cannot be empty")?;
        let settings = self.preference.check()?;
        let mut opening = b"{".to_vec();
        self.scoring.write(&mut opening);
        opening.extend_from_slice(b"\"inputs\":[");
        let operation = ClassifyOperation {
            head: endpoint.head(Method::POST, "/predict", &self.preference)?,
            opening: opening.into_boxed_slice(),
            inputs: self.inputs,
        };
        let lists = vec![Vec::new(); operation.inputs.len()];
        Ok(Job {
            gather: Box::new(Collect::new(lists, reply)),
            operation: Arc::new(operation),
            settings,
        })
    }
}

struct ClassifyOperation {
    inputs: Inputs,
    opening: Box<[u8]>,
    head: Arc<Head>,
}

impl Operation for ClassifyOperation {
    fn head(&self) -> &Arc<Head> {
        &self.head
    }

    fn inputs(&self) -> usize {
        self.inputs.len()
    }

    fn chars(&self, input: usize) -> usize {
        self.inputs[input].chars().count()
    }

    fn leaves_encoding_open(&self) -> bool {
        false
    }

    fn body(&self, inputs: Range<usize>, _: bool) -> Option<Bytes> {
        let closing = b"]}";
        let texts = &self.inputs[inputs];
        let mut body = write_texts(&self.opening, texts, ["[", "]"], closing.len());
        body.extend_from_slice(closing);
        Some(body.into())
    }

    fn decode(
        &self,
        inputs: Range<usize>,
        headers: &Headers,
        body: &mut Vec<u8>,
    ) -> std::result::Result<Part, DecodeError> {
        decode::classes(headers.format(), body, inputs.len()).map(Part::Classes)
    }
}

impl Join for Vec<Vec<Class>> {
    fn join(&mut self, inputs: Range<usize>, part: Part) -> std::result::Result<(), String> {
        let Part::Classes(lists) = part else {
            return Err(part.is_no("classification"));
        };
        for (place, list) in self[inputs].iter_mut().zip(lists) {
            *place = list;
        }
        Ok(())
    }

    /// The list of an input is empty from the start.
    fn leave_out(&mut self, _: Range<usize>) {}
}
