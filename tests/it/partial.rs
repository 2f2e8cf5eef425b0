//! What had finished is never lost.

use crate::support::expected::assert_rows;
use crate::support::{
    async_client_of, eventually, mock_and_client, one_by_one, one_each, refusing, texts,
};
use futures_executor::block_on;
use hedgerow::mock::{Fault, MockServer, Rule};
use hedgerow::{CancellationToken, Embed, Embeddings, OnError, Preference};
use std::time::Duration;

/// Never answers the third of [`texts`].
fn hanging_at_two() -> Rule {
    Rule::on("/v1/embeddings", Fault::Hang).when_body_contains("number 2\"")
}

fn returning() -> Preference {
    Preference {
        on_error: OnError::Return,
        ..one_each()
    }
}

#[test]
fn an_error_carries_what_had_finished() {
    let (server, client) = mock_and_client();
    server.inject(refusing(5));
    let call = Embed::new(texts(10), "m").preference(one_by_one());
    let error = client.embed(call).unwrap_err();
    assert_eq!(error.status(), Some(422));
    let partial: &Embeddings = error.partial().expect("what had finished");
    assert_rows(partial, &texts(10), &[5, 6, 7, 8, 9]);
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
    server.inject(refusing(3));
    server.inject(refusing(7));
    let call = Embed::new(texts(10), "m").preference(returning());
    let embeddings = client.embed(call).unwrap();
    let mut failed: Vec<_> = embeddings
        .errors()
        .iter()
        .map(|failed| (failed.inputs.start, failed.error.status()))
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, [(3, Some(422)), (7, Some(422))]);
    assert_rows(&embeddings, &texts(10), &[3, 7]);
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
    server.inject(hanging_at_two());
    let preference = Preference {
        total_timeout: Some(Duration::from_secs(1)),
        ..one_each()
    };
    let call = Embed::new(texts(4), "m").preference(preference.clone());
    let error = client.embed(call.clone()).unwrap_err();
    assert!(error.is_timeout());
    let partial: &Embeddings = error.partial().expect("what had finished");
    assert_rows(partial, &texts(4), &[2]);

    let returned = client.embed(call.preference(Preference {
        on_error: OnError::Return,
        ..preference
    }));
    let embeddings = returned.unwrap();
    let [failed] = embeddings.errors() else {
        panic!("one request hung: {:?}", embeddings.errors());
    };
    assert!(failed.inputs == (2..3) && failed.error.is_timeout());
    assert_rows(&embeddings, &texts(4), &[2]);
}

#[test]
fn a_cancelled_call_carries_what_had_finished() {
    let server = MockServer::start().unwrap();
    server.inject(hanging_at_two());
    let token = CancellationToken::new();
    let call = Embed::new(texts(3), "m").preference(Preference {
        cancel_token: Some(token.clone()),
        ..returning()
    });
    let pending = async_client_of(&server.url()).embed(call);
    eventually("two of three are done", || {
        block_on(pending.progress()).is_some_and(|progress| progress.done == 2)
    });
    token.cancel();
    let error = block_on(pending).unwrap_err();
    assert!(error.is_cancelled());
    let partial: &Embeddings = error.partial().expect("what had finished");
    assert_rows(partial, &texts(3), &[2]);
}

#[test]
fn an_error_before_the_start_carries_nothing() {
    let (_server, client) = mock_and_client();
    let error = client
        .embed(Embed::new(Vec::<String>::new(), "m"))
        .unwrap_err();
    assert!(error.partial::<Embeddings>().is_none());
}
