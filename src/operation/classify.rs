//! Classification: `POST {base}/predict`.

use super::answer::{Answer, Join};
use super::scoring::Scoring;
use super::texts::{self, TextCall};
use super::{Call, Endpoint, Inputs, TruncationDirection};
use crate::caller::ReplyPort;
use crate::config::Preference;
use crate::decode::{self, Class, DecodeError, Format};
use crate::error::Result;
use crate::job::{Job, Part};
use std::ops::Range;

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
        let call = ClassifyCall(self.scoring);
        let empty = |count| vec![Vec::new(); count];
        texts::job(call, self.inputs, &self.preference, endpoint, empty, reply)
    }
}

struct ClassifyCall(Scoring);

impl TextCall for ClassifyCall {
    const PATH: &'static str = "/predict";
    const EMPTY: &'static str = "Inputs list cannot be empty";
    const AROUND: [&'static str; 2] = ["[", "]"];

    fn open(&self, body: &mut Vec<u8>) {
        body.push(b'{');
        self.0.write(body);
        body.extend_from_slice(b"\"inputs\":[");
    }

    fn decode(
        &self,
        format: Format,
        body: &[u8],
        count: usize,
    ) -> std::result::Result<Part, DecodeError> {
        decode::classes(format, body, count).map(Part::Classes)
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
