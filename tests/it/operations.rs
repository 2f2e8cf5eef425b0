//! Reranking and classification; and what all four operations have in common: formats, codings,
//! cut answers, what is left of a call that fails. Posts of their own are in `operations/posts.rs`.

mod posts;

use crate::support::expected::{QUERY, assert_classes, assert_echoes, assert_ranks, assert_rows};
use crate::support::hostile::Hostile;
use crate::support::{
    async_client_of, batches_of, client_of, mock_and_client, refusing, slow_mock, texts,
};
use actix::Actor;
use hedgerow::mock::{Encoding, Fault, Latency, MockServer, Rule};
use hedgerow::{
    BatchPost, BlockingClient, Classifications, Classify, Embed, Error, ExtraHeaders, OnError,
    PostAnswers, Preference, Ranking, Rerank, TruncationDirection,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn with_headers(headers: impl Into<ExtraHeaders>) -> Preference {
    Preference {
        extra_headers: headers.into(),
        ..batches_of(2)
    }
}

/// The calls, for `texts(count)`.
fn embed(count: usize, preference: &Preference) -> Embed {
    Embed::new(texts(count), "m").preference(preference.clone())
}

fn rerank(count: usize, preference: &Preference) -> Rerank {
    Rerank::new(QUERY, texts(count)).preference(preference.clone())
}

fn classify(count: usize, preference: &Preference) -> Classify {
    Classify::new(texts(count)).preference(preference.clone())
}

fn post(count: usize, preference: &Preference) -> BatchPost {
    BatchPost::new("/echo", texts(count).into_iter().map(Value::from))
        .preference(preference.clone())
}

/// Carries out each of the four operations, which must succeed.
fn all_succeed(client: &BlockingClient, count: usize, preference: &Preference) {
    let texts = texts(count);
    let embeddings = client.embed(embed(count, preference)).unwrap();
    assert_rows(&embeddings, &texts, &[]);
    let ranking = client.rerank(rerank(count, preference)).unwrap();
    assert_ranks(&ranking, &texts, &[]);
    let classes = client.classify(classify(count, preference)).unwrap();
    assert_classes(&classes, &texts, &[]);
    let echoes = client.post(post(count, preference)).unwrap();
    assert_echoes(&echoes, &texts, &[]);
}

#[test]
fn answers_are_in_input_order_although_they_come_in_any() {
    let server = slow_mock(Latency::LogNormal {
        median: Duration::from_millis(2),
        sigma: 1.0,
    });
    all_succeed(&client_of(&server.url()), 300, &batches_of(7));
    let stats = server.stats();
    for (path, requests) in [("/rerank", 43), ("/predict", 43), ("/echo", 300)] {
        assert_eq!(stats.per_path.get(path), Some(&requests), "{path}");
    }
}

#[test]
fn a_ranking_over_many_requests_sorts_best_first() {
    let (server, client) = mock_and_client();
    let call = rerank(100, &batches_of(9)).return_text(true);
    let ranking = client.rerank(call).unwrap();
    assert_eq!(server.stats().requests, 12);
    let sorted = ranking.sorted();
    assert_eq!(sorted.len(), 100);
    assert!(sorted.is_sorted_by(|one, other| one.score >= other.score));
    for rank in sorted {
        let text = format!("text number {}", rank.index);
        assert_eq!(rank.text.as_deref(), Some(text.as_str()));
    }
    let plain = client.rerank(rerank(2, &batches_of(2))).unwrap();
    assert!(plain.iter().all(|rank| rank.text.is_none()));
}

#[test]
fn raw_scores_are_given_as_they_come() {
    let (_server, client) = mock_and_client();
    let shares = client.rerank(rerank(5, &batches_of(2))).unwrap();
    let raw = rerank(5, &batches_of(2)).raw_scores(true);
    for (raw, share) in client.rerank(raw).unwrap().iter().zip(shares.iter()) {
        let expected = (share.score / (1.0 - share.score)).ln();
        assert!((raw.score - expected).abs() < 1e-4);
    }
    let raw = classify(1, &batches_of(2)).raw_scores(true);
    let classes = client.classify(raw).unwrap();
    assert!((classes[0][0].score + classes[0][1].score).abs() < 1e-4);
}

/// A server that answers always the same, and shows the bodies that it gets.
fn recorder(answer: &'static str) -> (Hostile, Arc<Mutex<Vec<Value>>>) {
    let bodies = Arc::<Mutex<Vec<Value>>>::default();
    let seen = Arc::clone(&bodies);
    let server = Hostile::start(move |visit| {
        let body = serde_json::from_slice(&visit.body).expect("a request in JSON");
        seen.lock().unwrap().push(body);
        visit.answer("200 OK", "content-type: application/json\r\n", answer)
    });
    (server, bodies)
}

#[test]
fn what_a_ranking_asks_is_on_the_wire() {
    let (server, bodies) = recorder(r#"[{"index":1,"score":2},{"index":0,"score":null}]"#);
    let client = client_of(&server.url());
    let ranking = client.rerank(Rerank::new("q\n", ["a", "ü\""])).unwrap();
    assert!(ranking[0].score.is_nan());
    assert_eq!(ranking.sorted()[0].index, 1);
    let call = Rerank::new("q", ["a", "b"])
        .model("m")
        .raw_scores(true)
        .return_text(true)
        .truncate(true)
        .truncation_direction(TruncationDirection::Left);
    client.rerank(call).unwrap();
    let expected = [
        json!({"query": "q\n", "texts": ["a", "ü\""], "raw_scores": false, "return_text": false,
               "truncate": false, "truncation_direction": "Right"}),
        json!({"query": "q", "texts": ["a", "b"], "model": "m", "raw_scores": true,
               "return_text": true, "truncate": true, "truncation_direction": "Left"}),
    ];
    assert_eq!(*bodies.lock().unwrap(), expected);
    assert!(server.heads()[0].starts_with("POST /rerank HTTP/1.1"));
}

#[test]
fn what_a_classification_asks_is_on_the_wire() {
    let (server, bodies) = recorder(r#"[[{"label":"x","score":0.5}],[]]"#);
    let client = client_of(&server.url());
    client.classify(Classify::new(["a", "ü\""])).unwrap();
    let call = Classify::new(["a", "b"])
        .model("m")
        .raw_scores(true)
        .truncate(true)
        .truncation_direction(TruncationDirection::Left);
    client.classify(call).unwrap();
    let expected = [
        json!({"inputs": [["a"], ["ü\""]], "raw_scores": false, "truncate": false,
               "truncation_direction": "Right"}),
        json!({"inputs": [["a"], ["b"]], "model": "m", "raw_scores": true, "truncate": true,
               "truncation_direction": "Left"}),
    ];
    assert_eq!(*bodies.lock().unwrap(), expected);
    assert!(server.heads()[0].starts_with("POST /predict HTTP/1.1"));
}

#[test]
fn wrong_counts_and_indices_are_asked_for_once_more_and_then_an_error() {
    type Carry = fn(&BlockingClient) -> Result<(), Error>;
    let ranking: Carry = |client| {
        let answer = client.rerank(rerank(3, &Preference::default()));
        answer.map(|answer| assert_ranks(&answer, &texts(3), &[]))
    };
    let classification: Carry = |client| {
        let answer = client.classify(classify(3, &Preference::default()));
        answer.map(|answer| assert_classes(&answer, &texts(3), &[]))
    };
    for (path, carry, fault) in [
        ("/rerank", ranking, Fault::ShortRows),
        ("/rerank", ranking, Fault::ExtraRows),
        ("/rerank", ranking, Fault::RepeatedIndex),
        ("/predict", classification, Fault::ShortRows),
        ("/predict", classification, Fault::ExtraRows),
    ] {
        let (server, client) = mock_and_client();
        server.inject(Rule::on(path, fault.clone()).times(1));
        carry(&client).expect("asked for again");
        assert_eq!(server.stats().requests, 2, "{fault:?}");
        server.clear();
        server.inject(Rule::on(path, fault.clone()));
        let error = carry(&client).expect_err("wrong twice");
        assert!(error.is_answer(), "{error}");
        assert_eq!(server.stats().requests, 2, "{fault:?}");
    }
}

#[test]
fn an_answer_that_is_cut_is_asked_for_again() {
    for headers in [vec![], vec![("x-mock-msgpack", "application/msgpack")]] {
        for fault in [Fault::BadJson, Fault::CutBody { after: None }] {
            let (server, client) = mock_and_client();
            for path in ["/v1/embeddings", "/rerank", "/predict", "/echo"] {
                server.inject(Rule::on(path, fault.clone()).times(1));
            }
            let headers: ExtraHeaders = headers.iter().copied().collect();
            all_succeed(&client, 1, &with_headers(headers));
            assert_eq!(server.stats().requests, 8, "{fault:?}");
        }
    }
}

#[test]
fn answers_in_message_pack_are_read_under_each_of_its_names() {
    let (server, client) = mock_and_client();
    for name in ["msgpack", "x-msgpack", "messagepack", "vnd.msgpack"] {
        let name = format!("application/{name}");
        let preference = with_headers([("x-mock-msgpack", name.as_str())]);
        all_succeed(&client, 5, &preference);
        let ranking = client.rerank(rerank(1, &preference)).unwrap();
        let content_type = ranking.requests()[0].headers.get("content-type");
        assert_eq!(content_type, Some(name.as_str()));
    }
    assert_eq!(server.stats().requests, 4 * (3 + 3 + 3 + 5 + 1));
}

#[test]
fn embeddings_may_come_as_binary_and_a_content_type_in_any_case() {
    // {"data": [{"embedding": bin of [1.0, -2.0]}]}
    let body = b"\x81\xa4data\x91\x81\xa9embedding\xc4\x08\0\0\x80\x3f\0\0\0\xc0";
    let server = Hostile::start(move |visit| {
        let head = "Content-Type: Application/MsgPack; version=5\r\n";
        visit.answer("200 OK", head, body)
    });
    let embeddings = client_of(&server.url())
        .embed(Embed::new("a", "m"))
        .unwrap();
    assert_eq!(embeddings.as_slice(), [1.0, -2.0]);
}

#[test]
fn compressed_answers_are_read() {
    for encoding in [
        Encoding::Zstd,
        Encoding::Gzip,
        Encoding::Brotli,
        Encoding::Deflate,
    ] {
        let (server, client) = mock_and_client();
        server.inject(Rule::on("/", Fault::Encoding(encoding)));
        all_succeed(&client, 5, &batches_of(2));
        let packed = with_headers([("x-mock-msgpack", "1")]);
        all_succeed(&client, 5, &packed);
        let ranking = client.rerank(rerank(1, &batches_of(1))).unwrap();
        let coding = ranking.requests()[0].headers.get("content-encoding");
        assert_eq!(coding, Some(encoding.name()));
    }
}

#[test]
fn what_fails_is_left_out_of_an_answer_that_is_returned() {
    let (server, client) = mock_and_client();
    server.inject(refusing(5));
    let preference = Preference {
        on_error: OnError::Return,
        ..batches_of(2)
    };
    let embeddings = client.embed(embed(9, &preference)).unwrap();
    assert_rows(&embeddings, &texts(9), &[5]);
    let ranking = client.rerank(rerank(9, &preference)).unwrap();
    assert_ranks(&ranking, &texts(9), &[5]);
    assert_eq!(ranking.sorted().len(), 8);
    let classes = client.classify(classify(9, &preference)).unwrap();
    assert_classes(&classes, &texts(9), &[5]);
    let echoes = client.post(post(9, &preference)).unwrap();
    assert_echoes(&echoes, &texts(9), &[5]);
    for errors in [
        embeddings.errors(),
        ranking.errors(),
        classes.errors(),
        echoes.errors(),
    ] {
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].inputs, 5..6);
        assert_eq!(errors[0].error.status(), Some(422));
    }
}

#[test]
fn an_error_carries_what_had_finished() {
    let (server, client) = mock_and_client();
    server.inject(refusing(5));
    // One at a time, so that what precedes the failure has finished.
    let preference = Preference {
        max_concurrent_requests: 1,
        ..batches_of(2)
    };
    let error = client.rerank(rerank(9, &preference)).unwrap_err();
    let partial: &Ranking = error.partial().unwrap();
    assert_ranks(partial, &texts(9), &[5, 6, 7, 8]);
    let error = client.classify(classify(9, &preference)).unwrap_err();
    let partial: &Classifications = error.partial().unwrap();
    assert_classes(partial, &texts(9), &[5, 6, 7, 8]);
    let error = client.post(post(9, &preference)).unwrap_err();
    assert_eq!(error.status(), Some(422));
    let partial: PostAnswers = error.into_partial().unwrap();
    assert_echoes(&partial, &texts(9), &[5, 6, 7, 8]);
    assert_eq!(partial.errors()[0].inputs, 5..6);
}

#[test]
fn an_empty_list_is_refused_before_anything_is_sent() {
    let (server, client) = mock_and_client();
    let none = Preference::default();
    let ranking = client.rerank(rerank(0, &none)).unwrap_err();
    let classification = client.classify(classify(0, &none)).unwrap_err();
    let posts = client.post(post(0, &none)).unwrap_err();
    for (error, text) in [
        (ranking, "Texts list cannot be empty"),
        (classification, "Inputs list cannot be empty"),
        (posts, "Payloads list cannot be empty"),
    ] {
        assert!(error.is_config());
        assert_eq!(error.to_string(), text);
    }
    let large = client.rerank(rerank(1, &batches_of(1025)));
    assert!(large.unwrap_err().is_config());
    assert_eq!(server.stats().requests, 0);
}

#[test]
fn a_base_url_that_ends_in_a_version_serves_every_operation() {
    let server = MockServer::start().unwrap();
    let client = client_of(&format!("{}/v1/", server.url()));
    all_succeed(&client, 1, &Preference::default());
    let paths: Vec<_> = server.stats().per_path.into_keys().collect();
    let expected = ["/v1/echo", "/v1/embeddings", "/v1/predict", "/v1/rerank"];
    assert_eq!(paths, expected);
}

#[actix_rt::test]
async fn the_operations_are_messages_and_futures_too() {
    let server = MockServer::start().unwrap();
    let client = async_client_of(&server.url());
    let (texts, preference) = (texts(3), Preference::default());
    let ranking = client.rerank(rerank(3, &preference)).await.unwrap();
    assert_ranks(&ranking, &texts, &[]);
    let classes = client.classify(classify(3, &preference)).await.unwrap();
    assert_classes(&classes, &texts, &[]);
    let echoes = client.post(post(3, &preference)).await.unwrap();
    assert_echoes(&echoes, &texts, &[]);

    let actor = client.start();
    let ranking = actor.send(rerank(3, &preference)).await.unwrap();
    assert_ranks(&ranking.unwrap(), &texts, &[]);
    let classes = actor.send(classify(3, &preference)).await.unwrap();
    assert_classes(&classes.unwrap(), &texts, &[]);
    let recipient: actix::Recipient<BatchPost> = actor.recipient();
    let echoes = recipient.send(post(3, &preference)).await.unwrap();
    assert_echoes(&echoes.unwrap(), &texts, &[]);
}
