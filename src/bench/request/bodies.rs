//! Bodies of requests, out of records: what each kind of service is asked.

use super::dataset::Record;
use crate::error::{Error, Result};
use serde_json::{Map, Value, json};
use std::fmt;
use std::str::FromStr;

/// What kind of requests are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Chat completions.
    #[default]
    Chat,
    /// Completions of a prompt.
    Completions,
    /// Embeddings of a batch of texts.
    Embeddings,
    /// The ranking of a batch of texts by a query.
    Rerank,
    /// The classes of a batch of texts.
    Classify,
    /// The record's `body` as it is.
    Raw,
}

impl Kind {
    const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::Chat, "chat", "/v1/chat/completions"),
        (Self::Completions, "completions", "/v1/completions"),
        (Self::Embeddings, "embeddings", "/v1/embeddings"),
        (Self::Rerank, "rerank", "/rerank"),
        (Self::Classify, "classify", "/predict"),
        (Self::Raw, "raw", "/v1/chat/completions"),
    ];

    fn row(self) -> (Self, &'static str, &'static str) {
        let found = Self::ALL.into_iter().find(|row| row.0 == self);
        found.unwrap_or(Self::ALL[0])
    }

    /// The path that it is served at as a rule.
    #[must_use]
    pub fn path(self) -> &'static str {
        self.row().2
    }

    /// The URL of a service at `host`, without a scheme by https; `endpoint` is a path there, by
    /// default the [usual one](Self::path), or a whole URL. A host that ends in `/v1` does not make
    /// it `/v1/v1`.
    ///
    /// # Errors
    ///
    /// When there is no host in `host`, or it has another scheme.
    pub fn url(self, host: &str, endpoint: Option<&str>) -> Result<String> {
        let endpoint = endpoint.unwrap_or(self.path());
        let has_scheme = |text: &str| text.starts_with("http://") || text.starts_with("https://");
        if has_scheme(endpoint) {
            return Ok(endpoint.to_owned());
        }
        let (scheme, rest) = host.split_once("://").unwrap_or(("https", host));
        let mut rest = rest.trim_end_matches('/');
        if rest.is_empty() || !matches!(scheme, "http" | "https") {
            // What is before an `@` may be a password.
            let shown = host.rsplit('@').next().unwrap_or_default();
            return Err(Error::config(format!(
                "host must be an address such as http://127.0.0.1:8000 (got {shown:?})"
            )));
        }
        let path = endpoint.trim_start_matches('/');
        if path.starts_with("v1/") {
            rest = rest.strip_suffix("/v1").unwrap_or(rest);
        }
        Ok(format!("{scheme}://{rest}/{path}"))
    }

    /// Whether a request of it carries a batch; its answer is then no text that can be streamed.
    fn is_batched(self) -> bool {
        matches!(self, Self::Embeddings | Self::Rerank | Self::Classify)
    }

    /// Refuses settings of another kind of requests. A body as it is may be of any.
    pub(in crate::bench) fn check(
        self,
        stream: bool,
        output_tokens: bool,
        batch_size: usize,
    ) -> Result<()> {
        let bad = |text: String| Err(Error::config(text));
        for (name, given) in [("stream", stream), ("output_tokens", output_tokens)] {
            if given && self.is_batched() {
                return bad(format!(
                    "{name} is of the kinds chat, completions and raw (got the kind {self})"
                ));
            }
        }
        if batch_size > 1 && !self.is_batched() {
            return bad(format!(
                "batch_size is of the kinds embeddings, rerank and classify (got {batch_size} for \
                 the kind {self})"
            ));
        }
        Ok(())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|row| row.1 == name);
        found.map(|row| row.0).ok_or_else(|| {
            Error::config(format!(
                "kinds are chat, completions, embeddings, rerank, classify and raw (got {name:?})"
            ))
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().1)
    }
}

/// What bodies are made by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bench) struct Recipe {
    pub(in crate::bench) kind: Kind,
    pub(in crate::bench) model: String,
    pub(in crate::bench) batch_size: usize,
    pub(in crate::bench) stream: bool,
}

impl Recipe {
    /// The bodies, a request each, in the order of the records.
    pub(in crate::bench) fn bodies(&self, records: &[Record]) -> Result<Vec<Value>> {
        let size = if self.kind.is_batched() {
            self.batch_size
        } else {
            1
        };
        let mut bodies = Vec::with_capacity(records.len().div_ceil(size));
        let mut rest = records;
        while let Some(first) = rest.first() {
            let number = records.len() - rest.len() + 1;
            let batch = match first {
                // Each of these is a request of its own.
                Record::Body(_) | Record::Ranking { .. } | Record::Messages(_) => 1,
                Record::Text(_) => {
                    let texts = rest.iter().take(size);
                    texts
                        .take_while(|record| matches!(record, Record::Text(_)))
                        .count()
                }
            };
            let (batch, later) = rest.split_at(batch);
            bodies.push(self.body(batch, number)?);
            rest = later;
        }
        Ok(bodies)
    }

    fn body(&self, batch: &[Record], number: usize) -> Result<Value> {
        let mut body = match batch {
            [Record::Body(body)] => body.clone(),
            [Record::Messages(messages)] if self.kind == Kind::Chat => {
                json!({"model": self.model, "messages": messages})
            }
            [Record::Ranking { query, texts }] if self.kind == Kind::Rerank => {
                json!({"model": self.model, "query": query, "texts": texts})
            }
            texts => {
                let text = |record: &Record| match record {
                    Record::Text(text) => Some(text.clone()),
                    _ => None,
                };
                let texts: Option<Vec<String>> = texts.iter().map(text).collect();
                match texts {
                    Some(texts) if self.kind != Kind::Raw => self.of_texts(&texts),
                    _ => {
                        return Err(Error::config(format!(
                            "record {number} is not one that a request of kind {} can be made from",
                            self.kind
                        )));
                    }
                }
            }
        };
        if let Some(body) = body.as_object_mut()
            && self.stream
        {
            body.insert("stream".to_owned(), json!(true));
            let options = body.entry("stream_options").or_insert_with(|| json!({}));
            if let Some(options) = options.as_object_mut() {
                options.insert("include_usage".to_owned(), json!(true));
            }
        }
        Ok(body)
    }

    fn of_texts(&self, texts: &[String]) -> Value {
        let model = &self.model;
        let first = texts.first().map_or("", |text| text);
        match self.kind {
            Kind::Chat | Kind::Raw => {
                json!({"model": model, "messages": [{"role": "user", "content": first}]})
            }
            Kind::Completions => json!({"model": model, "prompt": first}),
            Kind::Embeddings => json!({"model": model, "input": texts}),
            Kind::Rerank => json!({"model": model, "query": first, "texts": texts}),
            Kind::Classify => {
                let inputs: Vec<[&String; 1]> = texts.iter().map(|text| [text]).collect();
                json!({"model": model, "inputs": inputs})
            }
        }
    }
}

/// Asks for exactly so many tokens, where the service can be made to.
pub(super) fn ask_for_tokens(body: &mut Map<String, Value>, tokens: u64) {
    body.insert("max_completion_tokens".to_owned(), json!(tokens));
    let extension = body.entry("nvext").or_insert_with(|| json!({}));
    if let Some(extension) = extension.as_object_mut() {
        extension.insert("ignore_eos".to_owned(), json!(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(kind: Kind, batch_size: usize) -> Recipe {
        Recipe {
            kind,
            model: "m".into(),
            batch_size,
            stream: false,
        }
    }

    fn texts() -> Vec<Record> {
        ["a", "b", "c"]
            .map(|text| Record::Text(text.into()))
            .to_vec()
    }

    #[test]
    fn a_url_is_of_host_and_path_or_whole() {
        for (host, endpoint, url) in [
            ("h:80", None, "https://h:80/v1/chat/completions"),
            ("http://h/", Some("/x"), "http://h/x"),
            ("http://h/a/", Some("x"), "http://h/a/x"),
            ("http://h/v1", None, "http://h/v1/chat/completions"),
            ("http://h", Some("http://other/y"), "http://other/y"),
        ] {
            assert_eq!(Kind::Chat.url(host, endpoint).unwrap(), url);
        }
        for host in ["", "/", "http://", "ftp://h"] {
            let error = Kind::Chat.url(host, None).unwrap_err().to_string();
            assert!(error.contains(&format!("{host:?}")), "{error}");
        }
    }

    #[test]
    fn each_kind_has_its_body() {
        for (kind, first) in [
            (
                Kind::Chat,
                json!({"model": "m", "messages": [{"role": "user", "content": "a"}]}),
            ),
            (Kind::Completions, json!({"model": "m", "prompt": "a"})),
            (Kind::Embeddings, json!({"model": "m", "input": ["a", "b"]})),
            (
                Kind::Rerank,
                json!({"model": "m", "query": "a", "texts": ["a", "b"]}),
            ),
            (
                Kind::Classify,
                json!({"model": "m", "inputs": [["a"], ["b"]]}),
            ),
        ] {
            let bodies = recipe(kind, 2).bodies(&texts()).unwrap();
            assert_eq!(bodies[0], first, "{kind}");
            assert_eq!(bodies.len(), if kind.is_batched() { 2 } else { 3 });
            assert_eq!(kind.to_string().parse::<Kind>().unwrap(), kind);
        }
        assert!("chats".parse::<Kind>().unwrap_err().is_config());
    }

    #[test]
    fn records_that_say_more_are_taken_at_their_word() {
        let messages = json!([{"role": "system", "content": "s"}]);
        let records = [
            Record::Messages(messages.clone()),
            Record::Body(json!({"x": 1})),
        ];
        let bodies = recipe(Kind::Chat, 1).bodies(&records).unwrap();
        assert_eq!(
            bodies,
            [json!({"model": "m", "messages": messages}), json!({"x": 1})]
        );
        let ranking = Record::Ranking {
            query: "q".into(),
            texts: vec!["t".into()],
        };
        let bodies = recipe(Kind::Rerank, 8)
            .bodies(std::slice::from_ref(&ranking))
            .unwrap();
        assert_eq!(
            bodies,
            [json!({"model": "m", "query": "q", "texts": ["t"]})]
        );
        let error = recipe(Kind::Chat, 1).bodies(&[ranking]).unwrap_err();
        assert!(error.to_string().contains("record 1"), "{error}");
        let error = recipe(Kind::Raw, 1).bodies(&texts()).unwrap_err();
        assert!(error.is_config());
    }

    #[test]
    fn a_stream_asks_for_its_usage_and_keeps_other_options() {
        let streamed = Recipe {
            stream: true,
            ..recipe(Kind::Chat, 1)
        };
        let body = json!({"stream_options": {"x": 1}});
        let bodies = streamed.bodies(&[Record::Body(body)]).unwrap();
        let expected = json!({"stream": true, "stream_options": {"x": 1, "include_usage": true}});
        assert_eq!(bodies, [expected]);
    }
}
