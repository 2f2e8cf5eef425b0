//! The native client: where requests go, and what is asked there.

use crate::bridge::{Bridge, Landed};
use crate::failure::refused;
use crate::pool::Pool;
use crate::preference::{Settings, in_pairs};
use crate::progress::News;
use crate::stream::BatchStream;
use crate::texts::{Payloads, Texts};
use crate::token::Token;
use hedgerow::{
    BatchPost, Classify, ClientBuilder, Embed, EncodingFormat, Method, Preference, Rerank,
    TruncationDirection,
};
use napi::Result;
use napi::bindgen_prelude::{ClassInstance, Env};
use napi_derive::napi;
use parking_lot::Mutex;

/// A client of one service. It starts nothing before its first call.
#[napi]
pub(crate) struct Client {
    base_url: String,
    api_key: Option<String>,
    pool: Pool,
    core: Mutex<Option<hedgerow::Client>>,
}

/// In which way a call is made.
#[napi(object, object_to_js = false)]
pub(crate) struct Way<'env> {
    pub bridge: ClassInstance<'env, Bridge>,
    pub settings: Settings,
    pub token: Option<ClassInstance<'env, Token>>,
    /// Whether progress is wanted.
    pub progress: bool,
}

/// What is asked of an embedding model.
#[napi(object, object_to_js = false)]
pub(crate) struct Embedding {
    pub model: String,
    /// Whether they are to travel in base64; as floats, if not. Left open if not said.
    pub base64: Option<bool>,
    pub dimensions: Option<u32>,
    pub user: Option<String>,
}

/// How texts are to be scored.
#[expect(clippy::struct_excessive_bools, reason = "the server's own settings")]
#[napi(object, object_to_js = false)]
pub(crate) struct Scoring {
    pub model: Option<String>,
    pub raw_scores: bool,
    pub return_text: bool,
    pub truncate: bool,
    pub cut_left: bool,
}

/// What is sent beside payloads.
#[napi(object, object_to_js = false)]
pub(crate) struct Posting {
    pub path: String,
    pub method: Option<String>,
    /// Names and values, by turns.
    pub headers: Option<Vec<String>>,
}

#[napi]
impl Client {
    #[napi(constructor)]
    pub fn new(base_url: String, api_key: Option<String>, pool: &Pool) -> Result<Self> {
        let client = Self {
            base_url,
            api_key,
            pool: pool.clone(),
            core: Mutex::new(None),
        };
        let checked = client.builder().validate();
        checked.map_err(|error| refused(&error))?;
        Ok(client)
    }

    #[napi]
    pub fn embed(
        &self,
        env: Env,
        way: Way<'_>,
        texts: &mut Texts,
        asked: Embedding,
    ) -> Result<Landed> {
        let (preference, news, bridge) = way.prepare()?;
        let call = asked.call().inputs(texts.take()).preference(preference);
        bridge.start(env, self.core().map(|core| core.embed(call)), news)
    }

    #[napi]
    pub fn rerank(
        &self,
        env: Env,
        way: Way<'_>,
        query: String,
        texts: &mut Texts,
        asked: Scoring,
    ) -> Result<Landed> {
        let (preference, news, bridge) = way.prepare()?;
        let mut call = Rerank::new(query, texts.take())
            .raw_scores(asked.raw_scores)
            .return_text(asked.return_text)
            .truncate(asked.truncate)
            .truncation_direction(asked.direction())
            .preference(preference);
        if let Some(model) = asked.model {
            call = call.model(model);
        }
        bridge.start(env, self.core().map(|core| core.rerank(call)), news)
    }

    #[napi]
    pub fn classify(
        &self,
        env: Env,
        way: Way<'_>,
        texts: &mut Texts,
        asked: Scoring,
    ) -> Result<Landed> {
        let (preference, news, bridge) = way.prepare()?;
        let mut call = Classify::new(texts.take())
            .raw_scores(asked.raw_scores)
            .truncate(asked.truncate)
            .truncation_direction(asked.direction())
            .preference(preference);
        if let Some(model) = asked.model {
            call = call.model(model);
        }
        bridge.start(env, self.core().map(|core| core.classify(call)), news)
    }

    #[napi]
    pub fn post(
        &self,
        env: Env,
        way: Way<'_>,
        payloads: &mut Payloads,
        asked: Posting,
    ) -> Result<Landed> {
        let (preference, news, bridge) = way.prepare()?;
        let mut call = BatchPost::new(asked.path, payloads.take()).preference(preference);
        if let Some(method) = asked.method {
            let method: Method = method.parse().map_err(|error| refused(&error))?;
            call = call.method(method);
        }
        for (name, value) in in_pairs(asked.headers) {
            call = call.header(name, value);
        }
        bridge.start(env, self.core().map(|core| core.post(call)), news)
    }

    /// Batches of a long job, whose inputs are fed.
    #[napi]
    pub fn stream(&self, way: Way<'_>, asked: Embedding, in_order: bool) -> Result<BatchStream> {
        let (preference, _, bridge) = way.prepare()?;
        preference.validate().map_err(|error| refused(&error))?;
        let call = asked.call().preference(preference);
        let core = self.core().map_err(|error| refused(&error))?;
        Ok(BatchStream::new(&bridge, &core, call, in_order))
    }
}

impl Client {
    fn builder(&self) -> ClientBuilder {
        let builder = hedgerow::Client::builder(&self.base_url);
        match &self.api_key {
            Some(key) => builder.api_key(key),
            None => builder,
        }
    }

    fn core(&self) -> hedgerow::Result<hedgerow::Client> {
        let mut core = self.core.lock();
        if let Some(core) = &*core {
            return Ok(core.clone());
        }
        let made = self.builder().system(self.pool.system()?).build()?;
        *core = Some(made.clone());
        Ok(made)
    }
}

impl<'env> Way<'env> {
    /// What the core needs, where its news will be, and who drives the call.
    fn prepare(self) -> Result<(Preference, Option<News>, ClassInstance<'env, Bridge>)> {
        let mut preference = self.settings.into_preference(self.token.as_ref())?;
        let (news, on_progress) = self.progress.then(News::new).unzip();
        preference.on_progress = on_progress;
        Ok((preference, news, self.bridge))
    }
}

impl Embedding {
    fn call(self) -> Embed {
        let mut call = Embed::template(self.model);
        if let Some(base64) = self.base64 {
            call = call.encoding_format(if base64 {
                EncodingFormat::Base64
            } else {
                EncodingFormat::Float
            });
        }
        if let Some(dimensions) = self.dimensions {
            call = call.dimensions(dimensions);
        }
        if let Some(user) = self.user {
            call = call.user(user);
        }
        call
    }
}

impl Scoring {
    fn direction(&self) -> TruncationDirection {
        if self.cut_left {
            TruncationDirection::Left
        } else {
            TruncationDirection::Right
        }
    }
}
