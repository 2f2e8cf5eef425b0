//! The requests of a run, written before it begins. Which is sent when follows from its number.

use super::bodies::ask_for_tokens;
use super::prompts::uniform_around;
use super::rng::{Purpose, Rng};
use crate::bench::answer::{Expected, WorkloadRequest};
use crate::error::{Error, Result};
use crate::job::Operation;
use crate::transport::Head;
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::sync::Arc;

/// How many tokens answers are to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) struct Output {
    pub(in crate::bench) tokens: u32,
    /// The most that a request's number differs from it.
    pub(in crate::bench) vary: u32,
}

/// The requests of a run.
#[derive(Debug)]
pub(in crate::bench) struct Workload {
    templates: Vec<Template>,
    output: Option<Output>,
    seed: u64,
    hash: String,
}

#[derive(Debug)]
enum Template {
    /// Sent as it is.
    Whole(Arc<WorkloadRequest>),
    /// A number goes between the two parts of its body.
    Split(Arc<WorkloadRequest>, usize),
}

/// Stands where the number of tokens is to go. No number of a record's own is likely to be it.
const PLACE: u64 = 17_293_822_569_102_704_640;

impl Workload {
    /// Writes the bodies. `stream` is whether they ask for a stream where they do not say.
    pub(in crate::bench) fn new(
        head: &Arc<Head>,
        bodies: Vec<Value>,
        expected: Expected,
        output: Option<Output>,
        seed: u64,
    ) -> Result<Self> {
        let mut hash = Sha256::new();
        let mut templates = Vec::with_capacity(bodies.len());
        for mut body in bodies {
            if let (Some(output), Some(body)) = (output, body.as_object_mut()) {
                let varied = output.vary > 0;
                ask_for_tokens(body, if varied { PLACE } else { output.tokens.into() });
            }
            let streams = body.get("stream") == Some(&Value::Bool(true));
            let written = Bytes::from(body.to_string());
            hash.update((written.len() as u64).to_le_bytes());
            hash.update(&written);
            let prepared = Arc::new(WorkloadRequest {
                head: Arc::clone(head),
                body: written,
                expected: if streams { Expected::Stream } else { expected },
            });
            templates.push(match place_in(&prepared.body) {
                Some(place) if output.is_some_and(|output| output.vary > 0) => {
                    Template::Split(prepared, place)
                }
                _ => Template::Whole(prepared),
            });
        }
        if templates.is_empty() {
            return Err(Error::config(
                "there is nothing to send: no record, no body",
            ));
        }
        Ok(Self {
            templates,
            output,
            seed,
            hash: hexadecimal(&hash.finalize()),
        })
    }

    /// How many requests differ, apart from numbers of tokens.
    pub(in crate::bench) fn len(&self) -> usize {
        self.templates.len()
    }

    /// Of all bodies, in order, with their lengths.
    pub(in crate::bench) fn hash(&self) -> &str {
        &self.hash
    }

    /// The request of this number.
    pub(in crate::bench) fn request(&self, number: u64) -> Arc<dyn Operation> {
        let count = self.templates.len() as u64;
        let index = usize::try_from(number % count).unwrap_or(0);
        match &self.templates[index] {
            Template::Whole(prepared) => Arc::<WorkloadRequest>::clone(prepared),
            Template::Split(prepared, place) => {
                let tokens = self.output.map_or(1, |output| {
                    let mut rng = Rng::new(self.seed, Purpose::Outputs, number);
                    uniform_around(output.tokens, output.vary, &mut rng)
                });
                Arc::new(WorkloadRequest {
                    head: Arc::clone(&prepared.head),
                    body: filled(&prepared.body, *place, tokens),
                    expected: prepared.expected,
                })
            }
        }
    }
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().fold("sha256:".to_owned(), |text, byte| {
        text + &format!("{byte:02x}")
    })
}

/// Where in the body the place of the number begins.
fn place_in(body: &[u8]) -> Option<usize> {
    let place = PLACE.to_string();
    body.windows(place.len())
        .position(|window| window == place.as_bytes())
}

fn filled(body: &[u8], place: usize, tokens: u32) -> Bytes {
    /// The digits of [`PLACE`].
    const DIGITS: usize = 20;
    let mut filled = Vec::with_capacity(body.len());
    filled.extend_from_slice(&body[..place]);
    // Writing into memory cannot fail.
    let _ = write!(filled, "{tokens}");
    filled.extend_from_slice(&body[place + DIGITS..]);
    filled.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Account;
    use http::Method;
    use serde_json::json;

    fn workload(seed: u64, output: Option<Output>) -> Workload {
        let account = Arc::new(Account::new("http://h", &[]));
        let head = Arc::new(Head::new(Method::POST, "http://h/", account, Vec::new()));
        let bodies = vec![json!({"text": "a"}), json!({"text": "b", "stream": true})];
        Workload::new(&head, bodies, Expected::Json, output, seed).unwrap()
    }

    fn body(workload: &Workload, number: u64) -> Value {
        let body = workload.request(number).body(0..1, false).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn records_are_taken_in_turn() {
        let workload = workload(0, None);
        assert_eq!(workload.len(), 2);
        for number in 0..6 {
            let expected = ["a", "b"][usize::try_from(number % 2).unwrap()];
            assert_eq!(body(&workload, number)["text"], expected);
        }
    }

    #[test]
    fn numbers_of_tokens_vary_within_bounds_and_follow_from_seed_and_number() {
        let vary = Some(Output {
            tokens: 10,
            vary: 15,
        });
        let tokens = |seed: u64| -> Vec<u64> {
            let workload = workload(seed, vary);
            let one = |number| {
                body(&workload, number)["max_completion_tokens"]
                    .as_u64()
                    .unwrap()
            };
            // In another order, as with another number of threads.
            let mut drawn: Vec<(u64, u64)> = (0..200).rev().map(|n| (n, one(n))).collect();
            drawn.sort_unstable();
            drawn.into_iter().map(|(_, tokens)| tokens).collect()
        };
        let drawn = tokens(1);
        assert!(drawn.iter().all(|tokens| (1..=25).contains(tokens)));
        assert!(drawn.contains(&1) && drawn.iter().any(|tokens| *tokens > 20));
        assert_eq!(drawn, tokens(1));
        assert_ne!(drawn, tokens(2));
    }

    #[test]
    fn a_set_number_of_tokens_is_asked_for_without_an_end() {
        let set = Some(Output {
            tokens: 10,
            vary: 0,
        });
        let body = body(&workload(0, set), 0);
        assert_eq!(body["max_completion_tokens"], 10);
        assert_eq!(body["nvext"]["ignore_eos"], true);
    }

    #[test]
    fn the_hash_is_of_what_is_sent() {
        assert_eq!(workload(0, None).hash(), workload(1, None).hash());
        let set = Some(Output {
            tokens: 10,
            vary: 0,
        });
        assert_ne!(workload(0, None).hash(), workload(0, set).hash());
    }
}
