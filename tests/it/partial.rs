//! What had finished is never lost.

use crate::support::{mock_and_client, one_each, texts};
use hedgerow::mock::{Fault, Rule, embedding_of};
use hedgerow::{CancellationToken, Embed, Embeddings, OnError, Preference};
use std::time::Duration;

/// Fails for good on the inputs whose text ends so.
fn refusing(text: &str) -> Rule {
    Rule::on("/v1/embeddings", Fault::status(422)).when_body_contains(format!("{text}\""))
}

fn returning() -> Preference {
    Preference {
        on_error: OnError::Return,
        ..one_each()
    }
}

fn assert_row(embeddings: &Embeddings, index: usize) {
    let expected = embedding_of(&texts(index + 1)[index], embeddings.dimensions());
    assert_eq!(embeddings.row(index), expected, "row {index}");
}

#[test]
fn an_error_carries_what_had_finished() {
    let (server, client) = mock_and_client();
    server.inject(refusing("number 5"));
    let call = Embed::new(texts(10), "m").preference(Preference {
        max_concurrent_requests: 1,
        ..one_each()
    });
    let error = client.embed(call).unwrap_err();
    assert_eq!(error.status(), Some(422));
    let partial: &Embeddings = error.partial().expect("what had finished");
    assert_eq!(partial.len(), 10);
    (0..5).for_each(|index| assert_row(partial, index));
    assert!((5..10).all(|index| partial.row(index).iter().all(|value| value.is_nan())));
    assert!(!partial.is_complete());
    let [failed] = partial.errors() else {
        panic!("one request failed: {:?}", partial.errors());
    };
    assert_eq!(
        (failed.inputs.clone(), failed.error.status()),
        (5..6, Some(422))
    );
    let taken: Embeddings = error.into_partial().unwrap();
    assert_eq!(taken.len(), 10);
}

#[test]
fn a_call_that_returns_errors_gives_all_that_succeeded() {
    let (server, client) = mock_and_client();
    for failing in ["number 3", "number 7"] {
        server.inject(refusing(failing));
    }
    let call = Embed::new(texts(10), "m").preference(returning());
    let embeddings = client.embed(call).unwrap();
    let mut failed: Vec<_> = embeddings
        .errors()
        .iter()
        .map(|failed| (failed.inputs.start, failed.error.status()))
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, [(3, Some(422)), (7, Some(422))]);
    for index in 0..10 {
        if index == 3 || index == 7 {
            assert!(embeddings.row(index).iter().all(|value| value.is_nan()));
        } else {
            assert_row(&embeddings, index);
        }
    }
    let ids: Vec<_> = embeddings
        .errors()
        .iter()
        .filter_map(|failed| failed.error.request_id())
        .collect();
    assert_eq!(ids.len(), 2);
}

#[test]
fn a_call_that_returns_errors_may_have_nothing_else() {
    let (server, client) = mock_and_client();
    server.inject(Rule::on("/v1/embeddings", Fault::status(404)));
    let call = Embed::new(texts(4), "m").preference(returning());
    let embeddings = client.embed(call).unwrap();
    assert_eq!((embeddings.len(), embeddings.dimensions()), (4, 0));
    assert_eq!(embeddings.errors().len(), 4);
    assert!((0..4).all(|index| embeddings.row(index).is_empty()));
}

#[test]
fn the_total_timeout_loses_nothing_either() {
    let (server, client) = mock_and_client();
    let hang = Rule::on("/v1/embeddings", Fault::Hang).when_body_contains("number 2\"");
    server.inject(hang);
    let preference = Preference {
        total_timeout: Some(Duration::from_millis(400)),
        ..one_each()
    };
    let call = Embed::new(texts(4), "m").preference(preference.clone());
    let error = client.embed(call.clone()).unwrap_err();
    assert!(error.is_timeout());
    let partial: &Embeddings = error.partial().expect("what had finished");
    for index in [0, 1, 3] {
        assert_row(partial, index);
    }

    let returned = client.embed(call.preference(Preference {
        on_error: OnError::Return,
        ..preference
    }));
    let embeddings = returned.unwrap();
    let [failed] = embeddings.errors() else {
        panic!("one request hung: {:?}", embeddings.errors());
    };
    assert!(failed.inputs == (2..3) && failed.error.is_timeout());
    for index in [0, 1, 3] {
        assert_row(&embeddings, index);
    }
}

#[test]
fn a_cancelled_call_carries_what_had_finished() {
    let (server, client) = mock_and_client();
    let hang = Rule::on("/v1/embeddings", Fault::Hang).when_body_contains("number 2\"");
    server.inject(hang);
    let token = CancellationToken::new();
    let call = Embed::new(texts(3), "m").preference(Preference {
        cancel_token: Some(token.clone()),
        ..returning()
    });
    let caller = std::thread::spawn(move || client.embed(call));
    crate::support::eventually("two are answered and one hangs", || {
        let stats = server.stats();
        stats.answered == 2 && stats.in_flight == 1
    });
    // The answers are on their way through the client for a moment yet.
    std::thread::sleep(Duration::from_millis(50));
    token.cancel();
    let error = caller.join().unwrap().unwrap_err();
    assert!(error.is_cancelled());
    let partial: &Embeddings = error.partial().expect("what had finished");
    (0..2).for_each(|index| assert_row(partial, index));
}

#[test]
fn an_error_before_the_start_carries_nothing() {
    let (_server, client) = mock_and_client();
    let error = client
        .embed(Embed::new(Vec::<String>::new(), "m"))
        .unwrap_err();
    assert!(error.partial::<Embeddings>().is_none());
}
