//! Long jobs: a window of batches at a time, progress, and a handle to cancel by.

use crate::support::expected::assert_rows;
use crate::support::fake::{Answer, MS, Network};
use crate::support::{
    async_client_of, client_of, eventually_closed, eventually_in_flight, hanging_mock,
    mock_and_client, one_each, refusing, slow_mock, texts,
};
use futures_executor::block_on;
use futures_util::{FutureExt, StreamExt};
use hedgerow::mock::{Latency, MockServer};
use hedgerow::{Batch, Embed, HedgeDelay, OnError, OnProgress, Preference, Progress};
use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn in_batches(batch_size: usize, window: usize) -> Embed {
    Embed::template("m").preference(Preference {
        batch_size,
        max_concurrent_requests: window,
        ..Preference::default()
    })
}

fn assert_batch(batch: &Batch) {
    let texts = &texts(batch.inputs.end)[batch.inputs.start..];
    assert_rows(&batch.embeddings, texts, &[]);
}

/// A server whose answers take anything between one and twenty milliseconds.
fn uneven() -> MockServer {
    slow_mock(Latency::LogNormal {
        median: Duration::from_millis(3),
        sigma: 1.0,
    })
}

#[test]
fn batches_come_as_they_finish_and_each_input_once() {
    let server = uneven();
    let client = client_of(&server.url());
    let batches: Vec<Batch> = client
        .embed_iter(texts(1000), in_batches(8, 16))
        .collect::<Result<_, _>>()
        .unwrap();
    batches.iter().for_each(assert_batch);
    let mut ranges: Vec<_> = batches.iter().map(|batch| batch.inputs.clone()).collect();
    assert!(
        !ranges.is_sorted_by_key(|range| range.start),
        "by chance, in order"
    );
    ranges.sort_unstable_by_key(|range| range.start);
    let ends: Vec<usize> = ranges.iter().map(|range| range.end).collect();
    assert_eq!(ends, (1..=125).map(|batch| batch * 8).collect::<Vec<_>>());
    assert!((2..=16).contains(&server.stats().peak_in_flight));
}

#[test]
fn batches_come_in_order_where_that_is_asked() {
    let server = uneven();
    let client = client_of(&server.url());
    let mut next = 0;
    for batch in client.embed_iter(texts(500), in_batches(3, 16)).in_order() {
        let batch = batch.unwrap();
        assert_eq!(batch.inputs.start, next);
        assert_batch(&batch);
        next = batch.inputs.end;
    }
    assert_eq!(next, 500);
}

#[test]
fn no_more_inputs_are_taken_than_the_window_holds() {
    let (_server, client) = mock_and_client();
    let taken = Cell::new(0);
    let endless = (0..).map(|number| {
        taken.set(taken.get() + 1);
        format!("text number {number}")
    });
    let mut given = 0;
    for batch in client.embed_iter(endless, in_batches(10, 4)).take(200) {
        let batch = batch.unwrap();
        assert_batch(&batch);
        given += batch.inputs.len();
        // Those in flight, those that were given, and the one that is being filled.
        assert!(
            taken.get() <= given + 4 * 10 + 1,
            "{} of {given}",
            taken.get()
        );
    }
    assert_eq!(given, 2000);
}

#[test]
fn a_stream_is_cut_by_characters_as_a_call_is() {
    let (server, client) = mock_and_client();
    let call = Embed::template("m").preference(Preference {
        max_chars_per_request: Some(50),
        ..Preference::default()
    });
    let inputs: Vec<String> = (0..9).map(|_| "ü".repeat(25)).collect();
    let batches: Vec<_> = client.embed_iter(inputs, call).collect();
    assert_eq!(batches.len(), 5);
    assert_eq!(server.stats().requests, 5);
}

#[test]
fn the_first_error_is_the_end() {
    let (server, client) = mock_and_client();
    server.inject(refusing(5));
    let results: Vec<_> = client.embed_iter(texts(100), in_batches(1, 1)).collect();
    assert_eq!(results.len(), 6);
    assert_eq!(results[5].as_ref().unwrap_err().status(), Some(422));
}

#[test]
fn a_stream_that_returns_errors_goes_on() {
    let (server, client) = mock_and_client();
    server.inject(refusing(5));
    let call = Embed::template("m").preference(Preference {
        on_error: OnError::Return,
        ..one_each()
    });
    let batches: Vec<Batch> = client
        .embed_iter(texts(20), call)
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(batches.len(), 20);
    let failed: Vec<_> = batches
        .iter()
        .filter(|batch| !batch.embeddings.errors().is_empty())
        .map(|batch| (batch.inputs.start, batch.inputs.end))
        .collect();
    assert_eq!(failed, [(5, 6)]);
}

#[test]
fn the_total_timeout_is_that_of_the_whole_job() {
    let server = slow_mock(Latency::Fixed(Duration::from_millis(50)));
    let client = client_of(&server.url());
    let call = Embed::template("m").preference(Preference {
        max_concurrent_requests: 1,
        total_timeout: Some(Duration::from_millis(300)),
        ..one_each()
    });
    let start = Instant::now();
    let results: Vec<_> = client.embed_iter(texts(1000), call).collect();
    let (last, before) = results.split_last().unwrap();
    let error = last.as_ref().unwrap_err();
    assert!(
        error.is_timeout() && error.to_string().contains("0.3 s"),
        "{error}"
    );
    assert!(before.len() < 7 && before.iter().all(Result::is_ok));
    assert!(start.elapsed() >= Duration::from_millis(299));
}

#[test]
fn a_bad_template_is_told_at_once() {
    let (server, client) = mock_and_client();
    let results: Vec<_> = client.embed_iter(texts(5), in_batches(0, 4)).collect();
    assert_eq!(results.len(), 1);
    assert!(results[0].as_ref().unwrap_err().is_config());
    let none = client.embed_iter(Vec::<String>::new(), in_batches(4, 4));
    assert_eq!(none.count(), 0);
    assert_eq!(server.stats().requests, 0);
}

#[test]
fn dropping_a_stream_aborts_what_is_in_flight() {
    let server = hanging_mock();
    let client = async_client_of(&server.url());
    let mut batches = client.embed_stream(futures_util::stream::iter(texts(100)), in_batches(1, 8));
    assert!(batches.next().now_or_never().is_none());
    // A window of them.
    eventually_in_flight(&server, 8);
    drop(batches);
    eventually_closed(&server);
}

#[test]
fn progress_is_told_to_a_function() {
    let server = slow_mock(Latency::Fixed(Duration::from_millis(5)));
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let call = Embed::new(texts(200), "m").preference(Preference {
        max_concurrent_requests: 2,
        on_progress: Some(OnProgress::new(move |progress| {
            keep.lock().unwrap().push(progress);
        })),
        ..one_each()
    });
    let check = || {
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        assert!(seen.len() >= 3, "{seen:?}");
        assert!(seen.is_sorted_by_key(|progress| progress.done));
        let last = seen.last().unwrap();
        assert_eq!((last.done, last.total), (200, 200));
        assert!(last.rate() > 0.0);
    };
    let client = client_of(&server.url());
    client.embed(call.clone()).unwrap();
    check();
    block_on(client.as_async().embed(call)).unwrap();
    check();
}

#[test]
fn a_call_is_cancelled_by_its_handle() {
    let server = hanging_mock();
    let client = async_client_of(&server.url());
    let pending = client.embed(Embed::new(texts(5), "m").preference(one_each()));
    eventually_in_flight(&server, 5);
    pending.cancel();
    eventually_closed(&server);
    assert!(block_on(pending).unwrap_err().is_cancelled());
}

#[test]
fn a_full_batch_does_not_wait_for_the_next_input() {
    let (_server, client) = mock_and_client();
    let inputs = futures_util::stream::iter(texts(8)).chain(futures_util::stream::pending());
    let mut batches = client.as_async().embed_stream(inputs, in_batches(8, 4));
    let batch = block_on(batches.next()).expect("a batch").unwrap();
    assert_eq!(batch.inputs, 0..8);
}

#[test]
fn a_stream_ends_at_its_deadline_and_starts_nothing_after_it() {
    for on_error in [OnError::Return, OnError::Raise] {
        let server = slow_mock(Latency::Fixed(Duration::from_millis(20)));
        let client = client_of(&server.url());
        let total = Duration::from_millis(500);
        let call = Embed::template("m").preference(Preference {
            batch_size: 1,
            max_concurrent_requests: 4,
            timeout: total,
            total_timeout: Some(total),
            on_error,
            ..Preference::default()
        });
        let endless = (0..).map(|number| format!("text number {number}"));
        let start = Instant::now();
        let batches: Vec<_> = client.embed_iter(endless, call).collect();
        assert!(start.elapsed() < 4 * total, "{:?}", start.elapsed());
        let (last, before) = batches.split_last().unwrap();
        let error = last.as_ref().unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert!(before.iter().all(Result::is_ok) && before.len() > 4);
        // The last of a window may have been cut off.
        let asked = server.stats().requests;
        assert!(
            asked <= before.len() as u64 + 4,
            "{asked}, {}",
            before.len()
        );
    }
}

#[actix_rt::test]
async fn a_call_whose_deadline_has_passed_sends_nothing() {
    let network = Network::new(|_, _| (MS, Answer::Right));
    let call = Embed::template("m").preference(Preference {
        batch_size: 1,
        max_concurrent_requests: 4,
        timeout: 1000 * MS,
        total_timeout: Some(1000 * MS),
        on_error: OnError::Return,
        ..Preference::default()
    });
    let endless = futures_util::stream::iter((0..).map(|number| number.to_string()));
    let mut batches = network.client.embed_stream(endless, call);
    // Whoever takes them is slow.
    assert!(batches.next().await.unwrap().is_ok());
    tokio::time::sleep(1100 * MS).await;
    let rest: Vec<_> = batches.collect().await;
    let (last, before) = rest.split_last().unwrap();
    assert!(last.as_ref().unwrap_err().is_timeout());
    assert!(
        before
            .iter()
            .all(|batch| batch.as_ref().unwrap().embeddings.errors().is_empty())
    );
    assert_eq!(network.asked(), 1 + before.len() as u64);
}

#[actix_rt::test]
async fn a_stream_hedges_by_what_all_its_batches_took() {
    // One of 50 hangs.
    let network = Network::new(|number, _| match number % 50 {
        49 => (60_000 * MS, Answer::Right),
        _ => (20 * MS, Answer::Right),
    });
    let call = Embed::template("m").preference(Preference {
        batch_size: 1,
        max_concurrent_requests: 8,
        hedge_delay: Some(HedgeDelay::Quantile(0.9)),
        ..Preference::default()
    });
    let start = Instant::now();
    let inputs = futures_util::stream::iter((0..1000).map(|number| number.to_string()));
    let batches: Vec<_> = network.client.embed_stream(inputs, call).collect().await;
    assert!(batches.len() == 1000 && batches.iter().all(Result::is_ok));
    let metrics = network.client.metrics().await.unwrap();
    // At most as many as the budget of the whole stream: a tenth, and one.
    assert!((10..=101).contains(&metrics.hedges), "{metrics:?}");
    assert!(start.elapsed() < 8000 * MS, "{:?}", start.elapsed());
}
