//! Embeddings: `POST {base}/v1/embeddings`.

use super::call::{json_length, write_json_string};
use super::texts::{self, TextCall};
use super::{Call, Embeddings, Endpoint, Inputs, Matrix};
use crate::caller::ReplyPort;
use crate::config::Preference;
use crate::decode::{self, DecodeError, Format};
use crate::error::{Error, Result};
use crate::job::{Job, Part};
use crate::policy::split::{Limits, Weight};

/// How embeddings travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodingFormat {
    /// Lists of numbers in JSON.
    Float,
    /// The float32 values, little-endian, in base64.
    Base64,
}

impl EncodingFormat {
    fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Base64 => "base64",
        }
    }
}

/// A call for embeddings; also the message that asks a [`Client`](crate::Client) actor for them.
///
/// ```
/// use hedgerow::{Embed, Preference};
///
/// let call = Embed::new(["first text", "second text"], "my-model")
///     .dimensions(256)
///     .preference(Preference { batch_size: 32, ..Preference::default() });
/// ```
#[derive(Debug, Clone)]
pub struct Embed {
    inputs: Inputs,
    model: String,
    encoding_format: Option<EncodingFormat>,
    dimensions: Option<u32>,
    user: Option<String>,
    preference: Preference,
}

impl actix::Message for Embed {
    type Result = Result<Embeddings>;
}

impl Embed {
    /// Asks `model` for the embeddings of `inputs`.
    pub fn new(inputs: impl Into<Inputs>, model: impl Into<String>) -> Self {
        Self {
            inputs: inputs.into(),
            model: model.into(),
            encoding_format: None,
            dimensions: None,
            user: None,
            preference: Preference::default(),
        }
    }

    /// How the embeddings are to travel. Default: base64 where the server can, which a server
    /// that cannot is asked without; the result is the same.
    #[must_use]
    pub fn encoding_format(mut self, format: EncodingFormat) -> Self {
        self.encoding_format = Some(format);
        self
    }

    /// The length of each embedding, for models that offer a choice. Default: the model's own.
    #[must_use]
    pub fn dimensions(mut self, dimensions: u32) -> Self {
        self.dimensions = Some(dimensions);
        self
    }

    /// The end user on whose behalf this is, as `OpenAI`'s field `user`.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// How the requests are sent.
    #[must_use]
    pub fn preference(mut self, preference: Preference) -> Self {
        self.preference = preference;
        self
    }

    /// The same call with other inputs.
    #[must_use]
    pub fn inputs(mut self, inputs: impl Into<Inputs>) -> Self {
        self.inputs = inputs.into();
        self
    }

    /// A call without inputs yet, as [`Client::embed_stream`](crate::Client::embed_stream) takes
    /// it.
    pub fn template(model: impl Into<String>) -> Self {
        Self::new(Inputs::default(), model)
    }

    /// What a text weighs in a request, as far as `limits` ask for it.
    pub(crate) fn weigh(text: &str, limits: &Limits) -> Weight {
        texts::weigh::<EmbedCall>(text, limits)
    }

    /// The bytes of a request beside its texts, or a few more.
    pub(crate) fn frame_bytes(&self) -> usize {
        /// For the names of all members, and for values of a fixed length.
        const REST: usize = 120;
        let user = self.user.as_deref().map_or(0, json_length);
        json_length(&self.model) + user + REST
    }

    pub(crate) fn preference_mut(&mut self) -> &mut Preference {
        &mut self.preference
    }
}

impl Call for Embed {
    type Answer = Embeddings;

    fn into_job(self, endpoint: &Endpoint, reply: ReplyPort<Result<Embeddings>>) -> Result<Job> {
        if self.dimensions == Some(0) {
            return Err(Error::config("dimensions must be greater than 0 (got 0)"));
        }
        let call = EmbedCall {
            model: self.model,
            encoding_format: self.encoding_format,
            dimensions: self.dimensions,
            user: self.user,
        };
        let empty = Matrix::of_rows;
        texts::job(call, self.inputs, &self.preference, endpoint, empty, reply)
    }
}

struct EmbedCall {
    model: String,
    encoding_format: Option<EncodingFormat>,
    dimensions: Option<u32>,
    user: Option<String>,
}

impl TextCall for EmbedCall {
    const PATH: &'static str = "/v1/embeddings";
    const EMPTY: &'static str = "Input list cannot be empty";

    fn open(&self, body: &mut Vec<u8>) {
        body.extend_from_slice(b"{\"model\":");
        write_json_string(body, &self.model);
        if let Some(dimensions) = self.dimensions {
            body.extend_from_slice(format!(",\"dimensions\":{dimensions}").as_bytes());
        }
        if let Some(user) = &self.user {
            body.extend_from_slice(b",\"user\":");
            write_json_string(body, user);
        }
        body.extend_from_slice(b",\"input\":[");
    }

    fn close(&self, body: &mut Vec<u8>, try_base64: bool) {
        body.push(b']');
        let tried = try_base64.then_some(EncodingFormat::Base64);
        if let Some(format) = self.encoding_format.or(tried) {
            body.extend_from_slice(b",\"encoding_format\":\"");
            body.extend_from_slice(format.name().as_bytes());
            body.push(b'"');
        }
        body.push(b'}');
    }

    fn asks_for_base64(&self) -> bool {
        self.encoding_format == Some(EncodingFormat::Base64)
    }

    fn leaves_encoding_open(&self) -> bool {
        self.encoding_format.is_none()
    }

    fn scan(
        &self,
        format: Format,
        body: &[u8],
        count: usize,
    ) -> Option<std::result::Result<Part, DecodeError>> {
        if format == Format::MessagePack {
            return None;
        }
        let rows = decode::scanned(body, count)?;
        Some(rows.map(Part::Rows))
    }

    fn decode(
        &self,
        format: Format,
        body: &[u8],
        count: usize,
    ) -> std::result::Result<Part, DecodeError> {
        let rows = match format {
            Format::MessagePack => decode::embeddings_in_message_pack(body, count),
            _ => decode::embeddings(body, count),
        };
        rows.map(Part::Rows)
    }
}
