//! Answers as Python objects. They keep the core's answer, and make objects of it as they are
//! looked at.

mod into_response;

mod embeddings;

mod ranking;

mod classes;

mod posts;

mod data;

mod record;

pub(crate) use classes::{ClassificationResponse, ClassificationResult};
pub(crate) use data::{ResponseData, ResponseIterator};
pub(crate) use embeddings::{
    EmbedBatch, OpenAIEmbeddingData, OpenAIEmbeddingsResponse, OpenAIUsage,
};
pub(crate) use into_response::IntoResponse;
pub(crate) use posts::BatchPostResponse;
pub(crate) use ranking::{RerankResponse, RerankResult};
