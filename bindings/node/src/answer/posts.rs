//! Answers to payloads: bytes, until JavaScript looks.

use super::record::Record;
use hedgerow::PostAnswers;
use napi::bindgen_prelude::{Buffer, Either};
use napi_derive::napi;
use std::sync::Arc;

/// The answer to `batchPost`.
#[napi]
pub(crate) struct PostsAnswer(Arc<PostAnswers>);

#[napi]
impl PostsAnswer {
    /// An answer in which nothing finished.
    #[napi(constructor)]
    pub fn new() -> Self {
        PostAnswers::default().into()
    }

    #[napi(getter)]
    pub fn length(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// One body: text; or bytes, where it is MessagePack or no text; nothing where it failed.
    #[napi]
    pub fn body(&self, payload: u32) -> Option<Either<String, Buffer>> {
        let answer = self.0.get(payload as usize)?.as_ref()?;
        let bytes = answer.bytes();
        if !answer.is_message_pack()
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            return Some(Either::A(text.to_owned()));
        }
        Some(Either::B(Buffer::from(bytes.as_ref())))
    }

    /// What a body is said to be: `json`, `msgpack` or `other`.
    #[napi]
    pub fn format(&self, payload: u32) -> &'static str {
        let answer = self.0.get(payload as usize).and_then(Option::as_ref);
        match answer {
            Some(answer) if answer.is_json() => "json",
            Some(answer) if answer.is_message_pack() => "msgpack",
            _ => "other",
        }
    }

    #[napi]
    pub fn record(&self) -> Record {
        Record::of(&self.0)
    }
}

impl From<PostAnswers> for PostsAnswer {
    fn from(answer: PostAnswers) -> Self {
        Self(Arc::new(answer))
    }
}
