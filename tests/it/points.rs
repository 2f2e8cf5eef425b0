//! The points in which the client that this one replaces was known to be wrong, by their number.
//!
//! Points 3 (Ctrl-C) and 13 (fork) are of the bindings. What a test counts, the server counted.

use crate::support::expected::{QUERY, assert_ranks, assert_rows};
use crate::support::{
    batches_of, best_of_five, client_of, eventually, eventually_closed, eventually_in_flight,
    hanging_mock, mock_and_client, one_by_one, one_each, refusing, texts,
};
use hedgerow::mock::{Fault, Rule};
use hedgerow::{
    ApiKey, CancellationToken, Embed, Embeddings, EncodingFormat, OnError, Preference, Rerank,
};
use std::time::{Duration, Instant, SystemTime};

const EMBEDDINGS: &str = "/v1/embeddings";

fn with_token(token: &CancellationToken) -> Preference {
    Preference {
        cancel_token: Some(token.clone()),
        ..one_each()
    }
}

fn assert_right(embeddings: &Embeddings, count: usize) {
    assert_rows(embeddings, &texts(count), &[]);
}

#[test]
fn point_1_cancel_closes_the_sockets_of_every_operation_with_the_token_within_50_ms() {
    let took = best_of_five(|| {
        let server = hanging_mock();
        let client = client_of(&server.url());
        let token = CancellationToken::new();
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let call = Embed::new(texts(10), "m").preference(with_token(&token));
                let client = client.clone();
                std::thread::spawn(move || client.embed(call))
            })
            .collect();
        eventually_in_flight(&server, 20);
        token.cancel();
        let took = eventually_closed(&server);
        for caller in callers {
            let error = caller.join().unwrap().unwrap_err();
            assert!(error.is_cancelled() && error.to_string().contains("cancelled"));
        }
        assert_eq!(server.stats().aborted, 20);
        took
    });
    assert!(took < Duration::from_millis(50), "{took:?}");
}

#[test]
fn point_2_a_success_leaves_the_token_as_it_was() {
    let (_server, client) = mock_and_client();
    let token = CancellationToken::new();
    for _ in 0..2 {
        let call = Embed::new(texts(3), "m").preference(with_token(&token));
        client.embed(call).unwrap();
        assert!(!token.is_cancelled());
    }
}

#[test]
fn point_4_an_outage_is_not_met_with_many_times_the_load() {
    let (server, client) = mock_and_client();
    server.inject(Rule::on(EMBEDDINGS, Fault::status(500)));
    let call = Embed::new(texts(2000), "m").preference(Preference {
        on_error: OnError::Return,
        max_retries: 6,
        initial_backoff: Duration::from_millis(50),
        max_concurrent_requests: 512,
        ..one_each()
    });
    let start = Instant::now();
    let embeddings = client.embed(call).unwrap();
    assert_eq!(embeddings.errors().len(), 2000);
    // 20 % of the requests, 100 in reserve, and what ten seconds and more give back.
    let seconds = start.elapsed().as_secs();
    let allowed = 2000 + 400 + 100 + 100 * (seconds / 10);
    let asked = server.stats().requests;
    assert!((2400..=allowed).contains(&asked), "{asked} in {seconds} s");
}

#[test]
fn point_4_timeouts_and_network_failures_are_charged_to_the_operation() {
    // One free retry for each whose connection broke, and 1 + 5 % of 100 from the budget; one that
    // breaks all is not asked so often.
    for (fault, free, at_least) in [(Fault::Hang, 0, 100 + 6), (Fault::Reset, 100, 2)] {
        let (server, client) = mock_and_client();
        server.inject(Rule::on(EMBEDDINGS, fault));
        let call = Embed::new(texts(100), "m").preference(Preference {
            on_error: OnError::Return,
            initial_backoff: Duration::from_millis(50),
            timeout: Duration::from_secs(1),
            ..one_each()
        });
        let embeddings = client.embed(call).unwrap();
        assert_eq!(embeddings.errors().len(), 100);
        let asked = server.stats().requests;
        assert!((at_least..=100 + 6 + free).contains(&asked), "{asked}");
    }
}

#[test]
fn point_5_the_first_success_of_a_hedged_pair_wins_and_the_loser_is_closed() {
    let (server, client) = mock_and_client();
    // The first attempt is slow, and its twin is refused.
    let slow = Rule::on(EMBEDDINGS, Fault::Delay(Duration::from_millis(400)));
    server.inject(slow.times(1));
    server.inject(Rule::on(EMBEDDINGS, Fault::status(500)).times(1));
    let call = Embed::new(texts(1), "m").preference(Preference {
        hedge_delay: Some(Duration::from_millis(100).into()),
        max_retries: 0,
        ..one_each()
    });
    assert_right(&client.embed(call.clone()).unwrap(), 1);
    assert_eq!(server.stats().requests, 2);

    // The first attempt hangs in its body, which is covered too.
    server.clear();
    server.inject(Rule::on(EMBEDDINGS, Fault::HangBody).times(1));
    assert_right(&client.embed(call).unwrap(), 1);
    assert_eq!(server.stats().requests, 2);
    eventually("the loser is closed", || server.stats().aborted == 1);
}

#[test]
fn point_6_an_operation_may_have_a_key_of_its_own() {
    let (server, client) = mock_and_client();
    client.embed(Embed::new(texts(1), "m")).unwrap();
    let call = Embed::new(texts(2), "m").preference(Preference {
        api_key: Some(ApiKey::new("sk-other").unwrap()),
        ..one_each()
    });
    client.embed(call).unwrap();
    let keys: Vec<_> = server.stats().per_key.into_iter().collect();
    let expected = [("sk-other".to_owned(), 2), ("sk-test-key".to_owned(), 1)];
    assert_eq!(keys, expected);
}

#[test]
fn point_7_one_failed_batch_does_not_throw_away_the_others() {
    let (server, client) = mock_and_client();
    server.inject(refusing(7));
    let call = Embed::new(texts(10), "m").preference(one_by_one());
    let error = client.embed(call.clone()).unwrap_err();
    let partial: &Embeddings = error.partial().expect("what had finished");
    let done = |embeddings: &Embeddings| {
        let done = embeddings.requests().iter().filter(|it| it.attempts > 0);
        done.count()
    };
    assert_eq!((done(partial), error.status()), (7, Some(422)));

    let returned = client.embed(call.preference(Preference {
        on_error: OnError::Return,
        ..one_by_one()
    }));
    let embeddings = returned.unwrap();
    assert_eq!((done(&embeddings), embeddings.errors().len()), (9, 1));
}

#[test]
fn point_8_a_body_that_breaks_off_is_asked_for_again() {
    for framing in [None, Some(Fault::Chunked)] {
        let (server, client) = mock_and_client();
        let cut = Rule::on(EMBEDDINGS, Fault::CutBody { after: None }).times(1);
        server.inject(framing.into_iter().fold(cut, Rule::with));
        assert_right(&client.embed(Embed::new(texts(5), "m")).unwrap(), 5);
        assert_eq!(server.stats().requests, 2);
    }
}

#[test]
fn point_9_wrong_rows_are_asked_for_once_more_and_then_an_error() {
    for fault in [
        Fault::ShortRows,
        Fault::ExtraRows,
        Fault::RepeatedIndex,
        Fault::MixedDimensions,
    ] {
        let (server, client) = mock_and_client();
        let call = Embed::new(texts(3), "m").encoding_format(EncodingFormat::Float);
        server.inject(Rule::on(EMBEDDINGS, fault.clone()).times(1));
        assert_right(&client.embed(call.clone()).unwrap(), 3);
        assert_eq!(server.stats().requests, 2, "{fault:?}");

        server.clear();
        server.inject(Rule::on(EMBEDDINGS, fault.clone()));
        let error = client.embed(call).expect_err("wrong twice");
        assert!(error.is_answer() && error.request_id().is_some(), "{error}");
        assert_eq!(server.stats().requests, 2, "{fault:?}");
    }
}

#[test]
fn point_10_base64_embeddings_are_decoded() {
    let (server, client) = mock_and_client();
    let only_base64 = Rule::on(EMBEDDINGS, Fault::Delay(Duration::ZERO));
    server.inject(only_base64.when_body_contains("\"encoding_format\":\"base64\""));
    server.inject(Rule::on(EMBEDDINGS, Fault::status(418)));
    let call = Embed::new(texts(9), "m").encoding_format(EncodingFormat::Base64);
    assert_right(&client.embed(call).unwrap(), 9);
}

#[test]
fn point_11_a_row_is_a_view_and_no_copy() {
    let (_server, client) = mock_and_client();
    let embeddings = client.embed(Embed::new(texts(300), "m")).unwrap();
    let matrix = embeddings.as_slice();
    for index in [0, 17, 299] {
        let start = index * embeddings.dimensions();
        assert!(std::ptr::eq(
            embeddings.row(index).as_ptr(),
            &raw const matrix[start]
        ));
    }
}

#[test]
fn point_12_retry_after_is_kept_in_each_of_its_forms() {
    // A date has whole seconds: between one and two are left of it when it is made.
    let date = || httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
    let forms: [(&str, &dyn Fn() -> String, u64); 3] = [
        ("retry-after", &|| "1".to_owned(), 1000),
        ("retry-after-ms", &|| "300".to_owned(), 300),
        ("retry-after", &date, 1000),
    ];
    for (header, value, least) in forms {
        let start = Instant::now();
        let (value, least) = (value(), Duration::from_millis(least));
        let (server, client) = mock_and_client();
        let refuse = Rule::on(EMBEDDINGS, Fault::status(429)).times(1);
        let name = header.to_owned();
        server.inject(refuse.with(Fault::Header { name, value }));
        assert_right(&client.embed(Embed::new(texts(1), "m")).unwrap(), 1);
        let took = start.elapsed();
        assert!(
            took >= least && took < least + Duration::from_secs(5),
            "{took:?}"
        );
        assert_eq!(server.stats().requests, 2);
    }
}

#[test]
fn point_12_a_sleeping_retry_holds_no_slot() {
    let (server, client) = mock_and_client();
    let fault = Fault::Status {
        code: 500,
        retry_after: Some("1".into()),
        body: None,
    };
    server.inject(Rule::on(EMBEDDINGS, fault).times(1));
    let call = Embed::new(texts(50), "m").preference(one_by_one());
    let embeddings = client.embed(call).unwrap();
    assert_right(&embeddings, 50);
    // The others did not wait for the one that slept.
    let mut times: Vec<_> = embeddings.requests().iter().map(|it| it.time).collect();
    times.sort_unstable();
    assert!(times[49] >= Duration::from_secs(1) && times[48] < Duration::from_millis(900));
}

#[test]
fn point_14_a_ranking_over_many_batches_stays_in_input_order_and_sorts_best_first() {
    let (server, client) = mock_and_client();
    let call = Rerank::new(QUERY, texts(50)).preference(batches_of(7));
    let ranking = client.rerank(call).unwrap();
    assert_eq!(server.stats().requests, 8);
    assert_ranks(&ranking, &texts(50), &[]);
    let sorted = ranking.sorted();
    assert!(sorted.len() == 50 && sorted.is_sorted_by(|one, other| one.score >= other.score));
}
