//! One bad input costs one row, and few requests.

use crate::support::expected::{QUERY, assert_classes, assert_echoes, assert_ranks, assert_rows};
use crate::support::fake::{Answer, MS, Network, inputs_of, right};
use crate::support::{batches_of, texts};
use futures_util::StreamExt;
use hedgerow::transport::Request;
use hedgerow::{BatchPost, Classify, Embed, Embeddings, OnError, Preference, Rerank};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use std::collections::BTreeSet;

fn returning() -> Preference {
    Preference {
        on_error: OnError::Return,
        ..Preference::default()
    }
}

/// The right answer, but for the row of this text.
fn without(request: &Request, bad: &str, row: &str) -> Answer {
    let place = inputs_of(request).iter().position(|text| text == bad);
    let mut answer: Value = serde_json::from_str(&right(request, 0)).unwrap();
    if let Some(place) = place {
        answer["data"][place]["embedding"] = Value::from("HERE");
    }
    Answer::Told(200, answer.to_string().replace("\"HERE\"", row))
}

/// A server that refuses, by `refusal`, what holds one of these texts.
fn refusing(
    bad: &'static [usize],
    refusal: impl Fn(&Request, &str) -> Answer + Send + Sync + 'static,
) -> Network {
    Network::new(move |_, request| {
        let inputs = inputs_of(request);
        let mut bad = bad.iter().map(|number| format!("text number {number}"));
        match bad.find(|text| inputs.contains(text)) {
            Some(text) => (MS, refusal(request, &text)),
            None => (MS, Answer::Right),
        }
    })
}

fn failed(found: &Embeddings) -> Vec<(usize, usize, Option<u16>)> {
    let errors = found.errors().iter();
    let mut failed: Vec<_> = errors
        .map(|failed| {
            (
                failed.inputs.start,
                failed.inputs.end,
                failed.error.status(),
            )
        })
        .collect();
    failed.sort_unstable();
    failed
}

type Refusal = fn(&Request, &str) -> Answer;

#[actix_rt::test]
async fn one_bad_input_of_a_thousand_costs_its_row_and_fifteen_requests() {
    let refusals: [(Option<u16>, Refusal); 8] = [
        (Some(400), |_, _| Answer::Says(400, "")),
        (Some(400), |_, _| {
            Answer::Says(400, r#"{"error":{"message":"'$.input' is invalid."}}"#)
        }),
        (Some(422), |_, _| Answer::Says(422, "no")),
        (Some(413), |_, _| {
            Answer::Says(413, "`inputs` must have less than 3 tokens. Given: 4")
        }),
        (Some(500), |_, _| {
            Answer::Says(500, r#"{"error":"json: unsupported value: NaN"}"#)
        }),
        (None, |request, bad| without(request, bad, "[null,null]")),
        (None, |request, bad| without(request, bad, "null")),
        (None, |request, bad| without(request, bad, "[NaN,1.5]")),
    ];
    let all = texts(1000);
    for (case, (status, refusal)) in refusals.into_iter().enumerate() {
        for window in [1, 128] {
            let network = refusing(&[77], refusal);
            let preference = Preference {
                max_concurrent_requests: window,
                ..returning()
            };
            let found = network.embed(1000, preference).await.unwrap();
            assert_rows(&found, &all, &[77]);
            assert_eq!(failed(&found), [(77, 78, status)], "case {case}");
            let more = network.asked() - 8;
            assert!(more <= 15, "case {case}, window {window}: {more} more");
        }
    }
}

#[actix_rt::test]
async fn several_bad_inputs_cost_a_row_each() {
    let network = refusing(&[0, 1, 63, 64, 500, 999], |_, _| Answer::Says(400, ""));
    let found = network.embed(1000, returning()).await.unwrap();
    assert_rows(&found, &texts(1000), &[0, 1, 63, 64, 500, 999]);
    assert_eq!(failed(&found).len(), 6);
    assert!(network.asked() <= 8 + 6 * 15, "{}", network.asked());
    let found = network.embed(1000, returning()).await.unwrap();
    let mut next = 0;
    for record in found.requests() {
        assert_eq!(record.inputs.start, next);
        next = record.inputs.end;
    }
    assert_eq!(next, 1000);
}

#[actix_rt::test]
async fn rankings_and_classifications_lose_one_row_as_well() {
    let network = refusing(&[5, 130], |_, _| Answer::Says(422, ""));
    let all = texts(200);
    let ranking = Rerank::new(QUERY, all.clone()).preference(returning());
    let ranking = network.client.rerank(ranking).await.unwrap();
    assert_ranks(&ranking, &all, &[5, 130]);
    assert_eq!(ranking.errors().len(), 2);
    let classes = Classify::new(all.clone()).preference(returning());
    let classes = network.client.classify(classes).await.unwrap();
    assert_classes(&classes, &all, &[5, 130]);
    assert_eq!(classes.errors().len(), 2);
}

#[actix_rt::test]
async fn a_call_that_raises_names_the_input_and_keeps_what_had_finished() {
    let network = refusing(&[77], |_, _| Answer::Says(400, "bad"));
    let error = network
        .embed(1000, Preference::default())
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(400));
    let partial: &Embeddings = error.partial().unwrap();
    assert_eq!(failed(partial), [(77, 78, Some(400))]);
    assert!(!partial.row(128)[0].is_nan());
}

#[actix_rt::test]
async fn what_is_about_no_input_is_not_asked_input_by_input() {
    for (status, words, most) in [
        (400, "", 8),
        (422, "no", 8),
        (
            400,
            r#"{"error":{"message":"The model `x` does not exist"}}"#,
            2,
        ),
        (401, "", 1),
        (403, "", 1),
        (404, "", 1),
    ] {
        let network = Network::new(move |_, _| (MS, Answer::Told(status, words.to_owned())));
        let found = network.embed(128, returning()).await.unwrap();
        assert_eq!(failed(&found), [(0, 128, Some(status))], "{status} {words}");
        assert!(
            network.asked() <= most,
            "{status} {words}: {}",
            network.asked()
        );
        let one_at_a_time = Preference {
            max_concurrent_requests: 1,
            ..returning()
        };
        let before = network.asked();
        let found = network.embed(100_000, one_at_a_time).await.unwrap();
        if words.len() < 3 && status != 401 && status != 403 && status != 404 {
            assert!(network.asked() - before <= 8);
        }
        assert_eq!(found.errors().len(), 782);
        let error = network.embed(128, Preference::default()).await.unwrap_err();
        assert_eq!(error.status(), Some(status));
    }
}

#[actix_rt::test]
async fn a_caller_may_leave_batches_whole() {
    let network = refusing(&[77], |_, _| Answer::Says(400, ""));
    let preference = Preference {
        split_refused: false,
        ..returning()
    };
    let found = network.embed(1000, preference).await.unwrap();
    assert_eq!(failed(&found), [(0, 128, Some(400))]);
    assert!(network.asked() <= 9);
}

#[actix_rt::test]
async fn a_post_is_what_its_caller_made_it() {
    let network = Network::new(|_, request| {
        let is_bad = request
            .body
            .as_ref()
            .is_some_and(|body| body.ends_with(b" 3\""));
        (
            MS,
            if is_bad {
                Answer::Says(500, "unsupported value: NaN")
            } else {
                Answer::Right
            },
        )
    });
    let payloads = texts(5).into_iter().map(Value::from);
    let call = BatchPost::new("/echo", payloads).preference(Preference {
        max_retries: 1,
        ..returning()
    });
    let answers = network.client.post(call).await.unwrap();
    assert_echoes(&answers, &texts(5), &[3]);
    assert_eq!(network.asked(), 6);
}

#[actix_rt::test]
async fn pieces_have_retries_of_their_own() {
    let network = Network::new(|number, request| {
        let bad = inputs_of(request).contains(&"text number 9".to_owned());
        match (bad, number % 3) {
            (_, 1) => (MS, Answer::Status(500, &[])),
            (true, _) => (MS, Answer::Says(400, "")),
            _ => (MS, Answer::Right),
        }
    });
    let found = network.embed(64, returning()).await.unwrap();
    assert_rows(&found, &texts(64), &[9]);
    let attempts: u32 = found.requests().iter().map(|record| record.attempts).sum();
    // The attempts of what failed are not told by records.
    assert!(u64::from(attempts) <= network.asked());
}

#[actix_rt::test]
async fn a_stream_loses_one_row_as_well() {
    let network = refusing(&[77, 300], |_, _| Answer::Says(400, ""));
    let all = texts(500);
    let inputs = futures_util::stream::iter(all.clone());
    let call = Embed::template("m").preference(returning());
    let mut batches = network.client.embed_stream(inputs, call).in_order();
    let mut missing = Vec::new();
    while let Some(batch) = batches.next().await {
        let batch = batch.unwrap();
        let rows = batch.inputs.zip(batch.embeddings.iter());
        missing.extend(
            rows.filter(|(_, row)| row[0].is_nan())
                .map(|(input, _)| input),
        );
    }
    assert_eq!(missing, [77, 300]);
}

#[actix_rt::test]
async fn a_server_without_base64_is_asked_without_it_before_anything_is_cut() {
    let network = Network::new(|_, request| {
        let body = request.body.as_deref().unwrap_or_default();
        let in_base64 = body.windows(6).any(|word| word == b"base64");
        (
            MS,
            if in_base64 {
                Answer::Says(400, "")
            } else {
                Answer::Right
            },
        )
    });
    network.embed(128, batches_of(128)).await.unwrap();
    assert_eq!(network.asked(), 2);
    network.embed(128, batches_of(128)).await.unwrap();
    assert_eq!(network.asked(), 3);
}

/// A server that takes so many inputs at a time, has no base64, is busy now and then, and refuses
/// some inputs: all at once, from a seed.
#[actix_rt::test]
async fn whatever_a_server_refuses_each_good_row_comes_and_each_bad_one_is_named() {
    for seed in 0..200u64 {
        let mut random = StdRng::seed_from_u64(seed);
        let count = random.random_range(60..700);
        let bad: Vec<usize> = (0..random.random_range(0..8))
            .map(|_| random.random_range(0..count))
            .collect();
        let bad: BTreeSet<usize> = bad.into_iter().collect();
        let most = [7, 32, 1024][random.random_range(0..3)];
        let [base64, busy, by_row] = [(); 3].map(|()| random.random_bool(0.5));
        let bad_texts: Vec<String> = bad.iter().map(|n| format!("text number {n}")).collect();
        let network = Network::new(move |number, request| {
            let inputs = inputs_of(request);
            let body = request.body.as_deref().unwrap_or_default();
            let asks_base64 = body.windows(6).any(|word| word == b"base64");
            let found = bad_texts.iter().find(|text| inputs.contains(text));
            let answer = match found {
                _ if busy && number % 11 == 3 => Answer::Status(500, &[]),
                _ if inputs.len() > most => {
                    let text = format!("at most {most} requests can be in one batch");
                    Answer::Told(400, text)
                }
                _ if asks_base64 && !base64 => Answer::Says(400, ""),
                Some(text) if by_row => without(request, text, "[null,null]"),
                Some(_) => Answer::Says(400, ""),
                None => Answer::Right,
            };
            (MS * (1 + u32::try_from(number % 3).unwrap()), answer)
        });
        let preference = Preference {
            max_concurrent_requests: random.random_range(1..9),
            batch_size: random.random_range(1..200),
            ..returning()
        };
        let shown = format!("seed {seed}: {count} inputs, {bad:?}, {most}, {preference:?}");
        let found = network.embed(count, preference).await.unwrap();
        let ranges: BTreeSet<usize> = found
            .errors()
            .iter()
            .flat_map(|failed| failed.inputs.clone())
            .collect();
        assert_eq!(ranges, bad, "{shown}");
        let bad: Vec<usize> = bad.into_iter().collect();
        assert_rows(&found, &texts(count), &bad);
        let mut next = 0;
        for record in found.requests() {
            assert_eq!(record.inputs.start, next, "{shown}");
            next = record.inputs.end;
        }
        assert_eq!(next, count, "{shown}");
    }
}
