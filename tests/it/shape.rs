//! Requests that are too large for a server, and inputs that it refuses: what is cut, and what that
//! costs. Mostly in simulated time; what a test claims of requests, the network counted.

mod bad_inputs;

use crate::support::expected::{QUERY, assert_classes, assert_ranks, assert_rows};
use crate::support::fake::{Answer, MS, Network, inputs_of};
use crate::support::{batches_of, client_of, texts};
use futures_util::StreamExt;
use hedgerow::mock::{LimitStyle, Limits, MockConfig, MockServer};
use hedgerow::{Classify, Embed, OnError, Preference, Rerank};
use std::sync::{Arc, Mutex};

/// The network of a server that takes so many inputs at a time, and says it in these words.
fn taking(
    most: usize,
    refusal: impl Fn(usize) -> (u16, String) + Send + Sync + 'static,
) -> Network {
    Network::new(move |_, request| {
        let inputs = inputs_of(request).len();
        if inputs <= most {
            return (MS, Answer::Right);
        }
        let (status, words) = refusal(inputs);
        (MS, Answer::Told(status, words))
    })
}

fn in_the_words_of_tei(inputs: usize) -> (u16, String) {
    let text = format!("batch size {inputs} > maximum allowed batch size 32");
    (
        422,
        format!(r#"{{"error":"{text}","error_type":"Validation"}}"#),
    )
}

#[actix_rt::test]
async fn a_limit_on_inputs_costs_one_refusal_and_is_remembered_for_its_url() {
    let network = taking(32, in_the_words_of_tei);
    let all = texts(33);
    for (operation, requests) in [(0, 3), (1, 3), (2, 3), (0, 2), (1, 2), (2, 2)] {
        let before = network.asked();
        match operation {
            0 => {
                let found = network.embed(33, Preference::default()).await.unwrap();
                assert_rows(&found, &all, &[]);
            }
            1 => {
                let call = Rerank::new(QUERY, all.clone());
                assert_ranks(&network.client.rerank(call).await.unwrap(), &all, &[]);
            }
            _ => {
                let call = Classify::new(all.clone());
                assert_classes(&network.client.classify(call).await.unwrap(), &all, &[]);
            }
        }
        assert_eq!(network.asked() - before, requests, "operation {operation}");
    }
}

#[actix_rt::test]
async fn each_service_s_words_are_understood() {
    for (most, status, words) in [
        (
            10,
            400,
            "batch size is invalid, it should not be larger than 10",
        ),
        (
            100,
            400,
            "* requests: at most 100 requests can be in one batch",
        ),
        (
            96,
            400,
            "invalid request: total number of texts must be at most 96, received 120",
        ),
        (
            32,
            422,
            r#"{"detail":[{"msg":"List should have at most 32 items after validation"}]}"#,
        ),
    ] {
        let network = taking(most, move |_| (status, words.to_owned()));
        let all = texts(120);
        for refused in [1, 0] {
            let before = network.asked();
            let found = network.embed(120, Preference::default()).await.unwrap();
            assert_rows(&found, &all, &[]);
            let fitting = 120usize.div_ceil(most) as u64;
            assert_eq!(network.asked() - before, fitting + refused, "{words}");
        }
    }
}

#[actix_rt::test]
async fn only_what_is_under_way_when_a_limit_is_learned_is_refused() {
    let network = taking(32, in_the_words_of_tei);
    let preference = Preference {
        max_concurrent_requests: 4,
        ..Preference::default()
    };
    let all = texts(12_800);
    let found = network.embed(12_800, preference).await.unwrap();
    assert_rows(&found, &all, &[]);
    // One goes first to an endpoint that was not asked before.
    assert_eq!(network.asked(), 1 + 400);
}

#[actix_rt::test]
async fn what_callers_see_of_requests_are_the_pieces() {
    let network = taking(32, in_the_words_of_tei);
    let found = network.embed(300, Preference::default()).await.unwrap();
    let records = found.requests();
    let mut next = 0;
    for record in records {
        assert_eq!(record.inputs.start, next);
        assert!(record.inputs.len() <= 32 && record.attempts > 0);
        next = record.inputs.end;
    }
    assert_eq!((next, records.len()), (300, 4 + 4 + 2));
    let attempts: u32 = records.iter().map(|record| record.attempts).sum();
    assert_eq!(u64::from(attempts), network.asked());
    assert!(found.is_complete() && found.errors().is_empty());
}

#[actix_rt::test]
async fn a_limit_on_tokens_is_kept_in_characters() {
    let network = Network::new(|_, request| {
        let chars: usize = inputs_of(request).iter().map(String::len).sum();
        let tokens = chars * 384_028 / 1_212_000;
        if tokens <= 300_000 {
            return (MS, Answer::Right);
        }
        let text = format!("Requested {tokens} tokens, max 300000 tokens per request");
        let code = "max_tokens_per_request";
        let body = format!(r#"{{"error":{{"message":"{text}","type":"{code}","code":"{code}"}}}}"#);
        (MS, Answer::Told(400, body))
    });
    let long: Vec<String> = (0..101).map(|n| format!("{n:012000}")).collect();
    for requests in [3, 5] {
        let call = Embed::new(long.clone(), "m");
        let found = network.client.embed(call).await.unwrap();
        assert_rows(&found, &long, &[]);
        assert_eq!(network.asked(), requests);
    }
}

/// Refuses bodies above so many bytes, and says nothing else.
fn of_bytes(most: usize, words: &'static str) -> Network {
    Network::new(move |_, request| {
        let fits = request.body.as_ref().is_some_and(|body| body.len() <= most);
        let refusal = Answer::Told(413, words.to_owned());
        (MS, if fits { Answer::Right } else { refusal })
    })
}

#[actix_rt::test]
async fn a_limit_that_is_not_named_is_found_by_halves() {
    for words in [
        "",
        "<html><h1>413 Request Entity Too Large</h1></html>",
        "length limit exceeded",
    ] {
        let network = of_bytes(30_000, words);
        let long: Vec<String> = (0..100).map(|n| format!("{n:01000}")).collect();
        for requests in [1 + 2 + 4, 4] {
            let before = network.asked();
            let call = Embed::new(long.clone(), "m");
            assert_rows(&network.client.embed(call).await.unwrap(), &long, &[]);
            assert_eq!(network.asked() - before, requests, "{words}");
        }
    }
}

#[actix_rt::test]
async fn a_single_input_that_is_too_large_ends_in_its_own_error() {
    let network = of_bytes(30_000, "");
    let mut all = texts(50);
    all[7] = "x".repeat(40_000);
    let call = Embed::new(all.clone(), "m").preference(Preference {
        on_error: OnError::Return,
        ..Preference::default()
    });
    let found = network.client.embed(call).await.unwrap();
    assert_rows(&found, &all, &[7]);
    let [failed] = found.errors() else {
        panic!("one input is too large: {:?}", found.errors());
    };
    assert_eq!(
        (failed.inputs.clone(), failed.error.status()),
        (7..8, Some(413))
    );
}

#[actix_rt::test]
async fn a_refusal_of_base64_cuts_nothing_and_one_of_the_shape_is_not_about_base64() {
    let network = Network::new(|_, request| {
        let body =
            String::from_utf8_lossy(request.body.as_deref().unwrap_or_default()).into_owned();
        let inputs = inputs_of(request).len();
        if inputs > 32 {
            let (status, words) = in_the_words_of_tei(inputs);
            (MS, Answer::Told(status, words))
        } else if body.contains("base64") {
            (MS, Answer::Says(400, "unknown field"))
        } else {
            (MS, Answer::Right)
        }
    });
    let preference = Preference {
        max_concurrent_requests: 1,
        ..Preference::default()
    };
    let all = texts(64);
    let found = network.embed(64, preference.clone()).await.unwrap();
    assert_rows(&found, &all, &[]);
    // Once too large, once in base64, and then two that fit.
    assert_eq!(network.asked(), 4);
    network.embed(64, preference).await.unwrap();
    assert_eq!(network.asked(), 6);
}

#[actix_rt::test]
async fn bytes_and_tokens_of_a_request_can_be_bounded() {
    let seen: Arc<Mutex<Vec<(usize, usize)>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let network = Network::new(move |_, request| {
        let body = request.body.as_ref().map_or(0, bytes::Bytes::len);
        keep.lock().unwrap().push((body, inputs_of(request).len()));
        (MS, Answer::Right)
    });
    let all: Vec<String> = (0..200).map(|n| "\"\u{1}é\n".repeat(n % 37)).collect();
    let bounded = Preference {
        max_bytes_per_request: Some(2000),
        ..Preference::default()
    };
    let call = Embed::new(all.clone(), "m").preference(bounded.clone());
    assert_rows(
        &network.client.embed(call.clone()).await.unwrap(),
        &all,
        &[],
    );
    let bodies = std::mem::take(&mut *seen.lock().unwrap());
    assert!(bodies.iter().all(|(bytes, _)| *bytes <= 2000), "{bodies:?}");
    // They are filled: two in a row would not have fitted into one.
    assert!(
        bodies.windows(2).all(|two| two[0].0 + two[1].0 > 2000),
        "{bodies:?}"
    );
    let stream = network
        .client
        .embed_stream(futures_util::stream::iter(all.clone()), call);
    assert!(stream.all(async |batch| batch.is_ok()).await);
    let batches = std::mem::take(&mut *seen.lock().unwrap());
    assert!(
        batches.iter().all(|(bytes, _)| *bytes <= 2000),
        "{batches:?}"
    );
    let bounded = Preference {
        max_tokens_per_request: Some(100),
        ..Preference::default()
    };
    let short = Embed::new(texts(100), "m").preference(bounded);
    network.client.embed(short).await.unwrap();
    let requests = seen.lock().unwrap().len();
    assert!((3..=25).contains(&requests), "{requests} requests");
}

#[actix_rt::test]
async fn batches_of_a_stream_are_cut_to_fit_as_well() {
    let network = taking(32, in_the_words_of_tei);
    let all = texts(1000);
    let call = Embed::template("m").preference(Preference {
        max_concurrent_requests: 2,
        ..Preference::default()
    });
    let inputs = futures_util::stream::iter(all.clone());
    let mut batches = network.client.embed_stream(inputs, call);
    let mut rows = 0;
    while let Some(batch) = batches.next().await {
        let batch = batch.unwrap();
        rows += batch.inputs.len();
        assert_rows(&batch.embeddings, &all[batch.inputs], &[]);
    }
    assert_eq!(rows, 1000);
    // The one that went first was refused; 1,000 texts are 31 times 32, and 8.
    assert_eq!(network.asked(), 1 + 32);
}

#[test]
fn the_mock_server_s_limits_are_kept_after_one_refusal() {
    for (style, operations) in [
        (LimitStyle::Tei, 3),
        (LimitStyle::DashScope, 1),
        (LimitStyle::OpenAi, 1),
    ] {
        let server = MockServer::start_with(MockConfig {
            limits: Limits {
                max_batch_items: Some(10),
                style,
                ..Limits::default()
            },
            ..MockConfig::default()
        })
        .unwrap();
        let client = client_of(&server.url());
        let all = texts(100);
        for _ in 0..2 {
            assert_rows(
                &client.embed(Embed::new(all.clone(), "m")).unwrap(),
                &all,
                &[],
            );
            if operations == 3 {
                let ranking = client.rerank(Rerank::new(QUERY, all.clone())).unwrap();
                assert_ranks(&ranking, &all, &[]);
                let classes = client.classify(Classify::new(all.clone())).unwrap();
                assert_classes(&classes, &all, &[]);
            }
        }
        let stats = server.stats();
        assert_eq!(stats.requests, operations * (1 + 2 * 10), "{style}");
    }
}

#[test]
fn the_mock_server_s_limit_on_tokens_is_kept_after_one_refusal() {
    for style in [LimitStyle::OpenAi, LimitStyle::Tei] {
        let server = MockServer::start().unwrap();
        let limits = Limits {
            max_batch_tokens: Some(100),
            style,
            ..Limits::default()
        };
        server.limit(limits).unwrap();
        let client = client_of(&server.url());
        let all: Vec<String> = (0..128).map(|n| format!("{n:04} and some words")).collect();
        for _ in 0..2 {
            let call = Embed::new(all.clone(), "m").preference(batches_of(64));
            assert_rows(&client.embed(call).unwrap(), &all, &[]);
        }
        let refused =
            server.stats().per_status.values().sum::<u64>() - server.stats().per_status[&200];
        // The two batches of the first call were under way together.
        assert!(refused <= 2, "{style}: {refused} refused");
    }
}
