//! Any other endpoint: a request a payload, to `{base}{path}`.

use super::answer::{Answer, Join};
use super::call::check_count;
use super::{Call, Collect, Endpoint, Payload};
use crate::caller::ReplyPort;
use crate::config::{ExtraHeaders, Preference};
use crate::decode::{DecodeError, Format};
use crate::error::{Error, Result};
use crate::headers::Headers;
use crate::job::{Job, Operation, Part, PostAnswer};
use crate::policy::split::Limits;
use crate::transport::Head;
use bytes::Bytes;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

/// The answer to [`BatchPost`]: an answer a payload, in the order of the payloads; `None` where
/// the request failed.
pub type PostAnswers = Answer<Vec<Option<PostAnswer>>>;

/// The method of a [`BatchPost`]'s requests. POST, PUT and PATCH carry the payload.
///
/// A request may reach its server more than once, whatever its method: retries send it again, and
/// hedges send it twice on purpose. With `max_retries` of 0 and no hedges a server reads it once at
/// most. What must happen once, and not at most once, needs a key of its own in its payload, by which
/// the server knows it again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    #[default]
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE, whose answer is taken for `{}`.
    Delete,
    /// HEAD, whose answer is taken for `{}`.
    Head,
    /// OPTIONS, whose answer is taken for `{}`.
    Options,
}

impl Method {
    const ALL: [Self; 7] = [
        Self::Get,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Head,
        Self::Options,
    ];

    fn on_the_wire(self) -> http::Method {
        match self {
            Self::Get => http::Method::GET,
            Self::Post => http::Method::POST,
            Self::Put => http::Method::PUT,
            Self::Patch => http::Method::PATCH,
            Self::Delete => http::Method::DELETE,
            Self::Head => http::Method::HEAD,
            Self::Options => http::Method::OPTIONS,
        }
    }

    pub(super) fn carries_a_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }

    pub(super) fn is_answered_in_its_head(self) -> bool {
        matches!(self, Self::Delete | Self::Head | Self::Options)
    }
}

/// Reads the name of a method, in upper case.
impl FromStr for Method {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL
            .into_iter()
            .find(|method| method.on_the_wire().as_str() == name);
        found.ok_or_else(|| {
            Error::config(format!(
                "Invalid HTTP method: {name:?} (GET, POST, PUT, PATCH, DELETE, HEAD and OPTIONS \
                 are known, in upper case)"
            ))
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.on_the_wire().as_str())
    }
}

/// A call that sends each of its payloads in a request of its own; also the message that asks a
/// [`Client`](crate::Client) actor to.
///
/// The preference's `batch_size` and `max_chars_per_request` are checked and play no part.
///
/// ```
/// use hedgerow::{BatchPost, Method};
/// use serde_json::json;
///
/// let call = BatchPost::new("/v1/moderations", [json!({"input": "one"}), json!({"input": "two"})])
///     .method(Method::Put)
///     .header("x-tenant", "garden");
/// ```
#[derive(Clone)]
pub struct BatchPost {
    path: String,
    payloads: Arc<[Payload]>,
    method: Method,
    headers: Vec<(String, String)>,
    preference: Preference,
}

impl actix::Message for BatchPost {
    type Result = Result<PostAnswers>;
}

impl BatchPost {
    /// Sends `payloads` to `path`, which is appended to the client's base URL and may have a
    /// query.
    pub fn new<P: Into<Payload>>(
        path: impl Into<String>,
        payloads: impl IntoIterator<Item = P>,
    ) -> Self {
        Self {
            path: path.into(),
            payloads: payloads.into_iter().map(Into::into).collect(),
            method: Method::default(),
            headers: Vec::new(),
            preference: Preference::default(),
        }
    }

    /// The method. Default: POST.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// A header that joins each request, or replaces one of the same name, whatever its case; also
    /// one of the preference's `extra_headers`.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// How the requests are sent.
    #[must_use]
    pub fn preference(mut self, preference: Preference) -> Self {
        self.preference = preference;
        self
    }
}

/// Shows neither what is sent nor what may be a key.
impl fmt::Debug for BatchPost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split(['?', '#']).next().unwrap_or_default();
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| &**name).collect();
        f.debug_struct("BatchPost")
            .field("method", &self.method)
            .field("path", &path)
            .field("payloads", &self.payloads.len())
            .field("headers", &headers)
            .field("preference", &self.preference)
            .finish()
    }
}

impl Call for BatchPost {
    type Answer = PostAnswers;

    fn into_job(
        mut self,
        endpoint: &Endpoint,
        reply: ReplyPort<Result<PostAnswers>>,
    ) -> Result<Job> {
        check_count(self.payloads.len(), "Payloads list cannot be empty")?;
        let mut settings = self.preference.check()?;
        settings.limits = Limits::of_count(1);
        if !self.headers.is_empty() {
            let all = &self.preference.extra_headers;
            let own = self.headers.iter();
            let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
            self.preference.extra_headers = all.iter().chain(own).collect::<ExtraHeaders>();
        }
        let method = self.method.on_the_wire();
        let operation = PostOperation {
            head: endpoint.head(method, &self.path, &self.preference)?,
            method: self.method,
            payloads: self.payloads,
        };
        let answers = vec![None; operation.payloads.len()];
        Ok(Job::new(
            Arc::new(operation),
            Box::new(Collect::new(answers, reply)),
            Arc::new(settings),
            &self.preference,
        ))
    }
}

struct PostOperation {
    payloads: Arc<[Payload]>,
    method: Method,
    head: Arc<Head>,
}

impl Operation for PostOperation {
    fn head(&self) -> &Arc<Head> {
        &self.head
    }

    fn inputs(&self) -> usize {
        self.payloads.len()
    }

    /// All that is sent is counted: which of it is text for a model, nobody knows here.
    fn tokens(&self, inputs: Range<usize>, count: &dyn Fn(&str) -> usize) -> usize {
        let sent = |payload: &Payload| {
            let bytes = payload.bytes();
            std::str::from_utf8(bytes).map_or(bytes.len(), count)
        };
        if self.method.carries_a_body() {
            self.payloads[inputs].iter().map(sent).sum()
        } else {
            0
        }
    }

    fn leaves_encoding_open(&self) -> bool {
        false
    }

    fn body(&self, inputs: Range<usize>, _: bool) -> Option<Bytes> {
        let payload = self.payloads.get(inputs.start)?;
        self.method
            .carries_a_body()
            .then(|| payload.bytes().clone())
    }

    fn decode(
        &self,
        _: Range<usize>,
        headers: &Headers,
        body: &mut Vec<u8>,
    ) -> std::result::Result<Part, DecodeError> {
        if self.method.is_answered_in_its_head() {
            body.clear();
        }
        PostAnswer::read(Format::of_answer(headers), body, &self.head).map(Part::Post)
    }
}

impl Join for Vec<Option<PostAnswer>> {
    fn join(&mut self, inputs: Range<usize>, part: Part) -> std::result::Result<(), String> {
        let Part::Post(answer) = part else {
            return Err(part.is_no("answer to a post"));
        };
        for place in &mut self[inputs] {
            *place = Some(answer.clone());
        }
        Ok(())
    }

    /// There is `None` from the start.
    fn leave_out(&mut self, _: Range<usize>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_read_by_name() {
        for method in Method::ALL {
            assert_eq!(method.to_string().parse::<Method>().unwrap(), method);
        }
        for name in ["TRACE", "CONNECT", "post", "", "GET "] {
            let error = name.parse::<Method>().unwrap_err();
            assert!(error.is_config());
            assert!(error.to_string().starts_with("Invalid HTTP method"));
        }
    }

    #[test]
    fn a_call_shows_neither_values_nor_payloads_nor_a_query() {
        let call = BatchPost::new("/path?key=sk-1", ["\"sk-2\""].map(Payload::raw))
            .header("x-key", "sk-3");
        let shown = format!("{call:?}");
        assert!(
            shown.contains("/path") && shown.contains("x-key"),
            "{shown}"
        );
        assert!(!shown.contains("sk-"), "{shown}");
    }
}
