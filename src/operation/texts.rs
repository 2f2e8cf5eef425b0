//! What embedding, reranking and classification have in common: a list of texts, of which each
//! request carries a range.

use super::answer::{Collect, Join};
use super::call::{check_count, json_length, write_json_string};
use super::{Answer, Endpoint, Inputs};
use crate::caller::ReplyPort;
use crate::config::Preference;
use crate::decode::{DecodeError, Format};
use crate::error::Result;
use crate::headers::Headers;
use crate::job::{Job, Operation, Part};
use crate::policy::split::{Limits, Weight};
use crate::policy::tokens;
use crate::transport::Head;
use bytes::Bytes;
use http::Method;
use std::ops::Range;
use std::sync::Arc;

/// What sets one kind of call over texts apart from the others.
pub(super) trait TextCall: Send + Sync + 'static {
    /// Where it is sent, under the base URL.
    const PATH: &'static str;
    /// What is said to a call without texts.
    const EMPTY: &'static str;
    /// What stands before and after each text.
    const AROUND: [&'static str; 2] = ["", ""];

    /// Writes the start of every body, up to the first text.
    fn open(&self, body: &mut Vec<u8>);

    /// Writes the end of a body, from the bracket behind the last text.
    fn close(&self, body: &mut Vec<u8>, _try_base64: bool) {
        body.extend_from_slice(b"]}");
    }

    /// Whether the caller left the encoding of embeddings open, so that base64 may be tried.
    fn leaves_encoding_open(&self) -> bool {
        false
    }

    /// Whether the caller asks for embeddings in base64.
    fn asks_for_base64(&self) -> bool {
        false
    }

    /// What a model reads again with each text, if there is such a thing.
    fn read_with_each(&self) -> Option<&str> {
        None
    }

    /// As [`Operation::scan`].
    fn scan(
        &self,
        _format: Format,
        _body: &[u8],
        _count: usize,
    ) -> Option<std::result::Result<Part, DecodeError>> {
        None
    }

    /// Reads the answer to a request of `count` texts.
    fn decode(
        &self,
        format: Format,
        body: &[u8],
        count: usize,
    ) -> std::result::Result<Part, DecodeError>;
}

/// Checks a call, and makes of it what the actors work on. `empty` makes the answer's data before
/// any part has come, for so many texts.
pub(super) fn job<C: TextCall, T: Join>(
    call: C,
    texts: Inputs,
    preference: &Preference,
    endpoint: &Endpoint,
    empty: impl FnOnce(usize) -> T,
    reply: ReplyPort<Result<Answer<T>>>,
) -> Result<Job> {
    check_count(texts.len(), C::EMPTY)?;
    let settings = preference.check()?;
    let mut opening = Vec::new();
    call.open(&mut opening);
    let mut head = endpoint.head(Method::POST, C::PATH, preference)?;
    if call.asks_for_base64() {
        head = Arc::clone(head.uncoded());
    }
    let operation = TextOperation {
        head,
        opening: opening.into_boxed_slice(),
        texts,
        call,
    };
    let gather = Collect::new(empty(operation.texts.len()), reply);
    Ok(Job::new(
        Arc::new(operation),
        Box::new(gather),
        Arc::new(settings),
        preference,
    ))
}

struct TextOperation<C> {
    texts: Inputs,
    opening: Box<[u8]>,
    head: Arc<Head>,
    call: C,
}

impl<C: TextCall> Operation for TextOperation<C> {
    fn head(&self) -> &Arc<Head> {
        &self.head
    }

    fn inputs(&self) -> usize {
        self.texts.len()
    }

    fn can_be_cut(&self) -> bool {
        true
    }

    fn weigh(&self, input: usize, limits: &Limits) -> Weight {
        weigh::<C>(&self.texts[input], limits)
    }

    fn frame_bytes(&self) -> usize {
        self.opening.len() + CLOSING
    }

    fn tokens(&self, inputs: Range<usize>, count: &dyn Fn(&str) -> usize) -> usize {
        let with_each = self.call.read_with_each().map_or(0, count);
        let texts = &self.texts[inputs];
        texts.iter().map(|text| count(text) + with_each).sum()
    }

    fn leaves_encoding_open(&self) -> bool {
        self.call.leaves_encoding_open()
    }

    fn body(&self, inputs: Range<usize>, try_base64: bool) -> Option<Bytes> {
        let mut body = write_texts(&self.opening, &self.texts[inputs], C::AROUND);
        self.call.close(&mut body, try_base64);
        Some(body.into())
    }

    fn decode(
        &self,
        inputs: Range<usize>,
        headers: &Headers,
        body: &mut Vec<u8>,
    ) -> std::result::Result<Part, DecodeError> {
        self.call
            .decode(Format::of_answer(headers), body, inputs.len())
    }

    fn scan(
        &self,
        inputs: Range<usize>,
        headers: &Headers,
        body: &[u8],
    ) -> Option<std::result::Result<Part, DecodeError>> {
        self.call
            .scan(Format::of_answer(headers), body, inputs.len())
    }
}

/// For the longest that any call closes with.
const CLOSING: usize = 40;

/// What a text weighs in the body of such a call, as far as `limits` ask for it.
pub(super) fn weigh<C: TextCall>(text: &str, limits: &Limits) -> Weight {
    let around = C::AROUND[0].len() + C::AROUND[1].len();
    let if_asked =
        |limit: Option<usize>, count: fn(&str) -> usize| limit.map_or(0, |_| count(text));
    let bytes = if_asked(limits.max_bytes, json_length);
    Weight {
        chars: if_asked(limits.max_chars, |text| text.chars().count()),
        tokens: if_asked(limits.max_tokens, tokens::estimate_with_marks),
        // A comma stands between two.
        bytes: bytes + around + 1,
    }
}

/// `opening`, then the texts with commas between them, and room for what closes the body.
fn write_texts(opening: &[u8], texts: &[String], around: [&str; 2]) -> Vec<u8> {
    /// For an escape or two, quotes, brackets and a comma.
    const ROOM: usize = 10;
    let length: usize = texts.iter().map(|text| text.len() + ROOM).sum();
    let mut body = Vec::with_capacity(opening.len() + length + CLOSING);
    body.extend_from_slice(opening);
    for (position, text) in texts.iter().enumerate() {
        if position > 0 {
            body.push(b',');
        }
        body.extend_from_slice(around[0].as_bytes());
        write_json_string(&mut body, text);
        body.extend_from_slice(around[1].as_bytes());
    }
    body
}
