//! Flow control: answers far beyond the windows, slow readers, slow senders, and windows that
//! cancelled answers had used up.

use super::{client, client_with, embed, settings, window_of};
use crate::support::h2_server::{H2Server, Visit, attempts, rows};
use crate::support::{batches_of, client_on, eventually, texts};
use bytes::Bytes;
use hedgerow::{BatchPost, BlockingClient, Embed, EncodingFormat, Preference, System};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// More than one stream's window holds.
const LARGE: usize = 6 << 20;

fn large() -> Bytes {
    let pattern: Vec<u8> = (0..=255).collect();
    pattern.repeat(LARGE / pattern.len()).into()
}

/// So many posts at once, each of which must get `expected`.
fn all_get(client: &BlockingClient, posts: usize, expected: &Bytes) {
    let call = BatchPost::new("/x", vec![json!(1); posts]).preference(window_of(posts));
    let found = client.post(call).expect("answered");
    assert_eq!(found.len(), posts);
    for answer in found.iter() {
        let bytes = answer.as_ref().expect("answered").bytes();
        assert!(bytes == expected, "{} bytes that differ", bytes.len());
    }
    assert!(found.requests().iter().all(|request| request.attempts == 1));
}

fn answering(body: Bytes, with_length: bool) -> H2Server {
    H2Server::start(move |mut visit| {
        let body = body.clone();
        async move {
            let length = body.len().to_string();
            let headers = [
                ("content-type", "application/octet-stream"),
                ("content-length", &*length),
            ];
            let sent = if with_length { 2 } else { 1 };
            visit.answer(200, &headers[..sent], body);
        }
    })
}

#[test]
fn answers_far_beyond_the_windows_are_read_whole_several_at_once() {
    // Together more than the connection's window, too.
    const POSTS: usize = 14;
    for with_length in [true, false] {
        let server = answering(large(), with_length);
        let client = client(&server.url());
        for _ in 0..2 {
            all_get(&client, POSTS, &large());
        }
        assert_eq!((server.connections(), server.requests()), (1, 2 * POSTS));
    }
}

#[test]
fn large_embeddings_are_right_as_floats_and_as_base64() {
    const DIMENSIONS: usize = 1024;
    const ROWS: usize = 128;
    const REQUESTS: usize = 6;
    for format in [EncodingFormat::Float, EncodingFormat::Base64] {
        // All requests are the same, so that one answer does.
        let made = Arc::new(OnceLock::new());
        let server = H2Server::start(move |mut visit| {
            let made = Arc::clone(&made);
            async move {
                let request = visit.read().await;
                let body: &Bytes = made.get_or_init(|| rows(&request, DIMENSIONS));
                visit.answer(200, &[], body.clone());
            }
        });
        let texts = vec!["text"; ROWS * REQUESTS];
        let call = Embed::new(texts, "m").encoding_format(format);
        let found = client(&server.url()).embed(call).expect("answered");
        assert_eq!(
            (found.dimensions(), attempts(&found)),
            (DIMENSIONS, REQUESTS)
        );
        let expected = hedgerow::mock::embedding_of("text", DIMENSIONS);
        assert!(found.iter().all(|row| row == expected));
        assert_eq!((server.connections(), server.requests()), (1, REQUESTS));
    }
}

#[test]
fn an_answer_in_many_small_pieces_is_read_whole() {
    let server = H2Server::start(async |mut visit| {
        let body = rows(&visit.read().await, 64);
        let mut sending = visit.begin(200, &[]).expect("the client is there");
        // Without data, which is no end.
        sending.send_data(Bytes::new(), false).unwrap();
        for piece in body.chunks(7) {
            sending
                .send_data(Bytes::copy_from_slice(piece), false)
                .unwrap();
            tokio::task::yield_now().await;
        }
        sending.send_data(Bytes::new(), true).unwrap();
    });
    let client = client(&server.url());
    let call = Embed::new(texts(16), "m")
        .encoding_format(EncodingFormat::Float)
        .preference(batches_of(4));
    let found = client.embed(call).expect("answered");
    crate::support::expected::assert_rows(&found, &texts(16), &[]);
    assert_eq!((server.connections(), server.requests()), (1, 4));
}

#[test]
fn a_large_request_arrives_whole_through_small_windows() {
    const SIZE: usize = 6 << 20;
    let server = H2Server::start(async |mut visit| {
        // More than the window fills, before anything is read.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let body = visit.read().await;
        assert!((SIZE..SIZE + 100).contains(&body.len()), "{}", body.len());
        visit.answer(200, &[], rows(&body, 2));
    });
    let client = client(&server.url());
    let call = Embed::new(vec!["x".repeat(SIZE); 3], "m").preference(window_of(3));
    let found = client.embed(call).expect("answered");
    assert_eq!((attempts(&found), server.connections()), (3, 1));
}

#[test]
fn what_cancelled_answers_had_of_the_window_is_given_back() {
    const POSTS: usize = 14;
    // Each answer is sent as far as the window lets it, and never ended.
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&begun);
    let server = H2Server::start(move |mut visit| {
        let begun = Arc::clone(&counted);
        async move {
            let headers = [("content-type", "application/octet-stream")];
            if visit.number < 2 * POSTS {
                let mut sending = visit.begin(200, &headers).expect("the client is there");
                sending.send_data(large(), false).unwrap();
                begun.fetch_add(1, SeqCst);
                visit.until_reset_of(sending).await;
            } else {
                visit.answer(200, &headers, large());
            }
        }
    });
    let client = client(&server.url());
    for rounds in 1..=2 {
        let call = BatchPost::new("/x", vec![json!(1); POSTS]).preference(window_of(POSTS));
        let pending = client.as_async().post(call);
        eventually("all have begun", || begun.load(SeqCst) == rounds * POSTS);
        std::thread::sleep(Duration::from_millis(50));
        drop(pending);
        eventually("all are reset", || server.resets().len() == rounds * POSTS);
    }
    all_get(&client, POSTS, &large());
    assert_eq!((server.connections(), server.requests()), (1, 3 * POSTS));
}

#[test]
fn a_thousand_cancelled_answers_leave_the_connection_as_it_was() {
    const POSTS: usize = 100;
    const ROUNDS: usize = 15;
    // They are on their way when they are given up, and some come after that.
    let piece = Bytes::from(vec![b' '; 64 << 10]);
    let server = answering(piece.clone(), false);
    let client = client(&server.url());
    for round in 1..=ROUNDS {
        let call = BatchPost::new("/x", vec![json!(1); POSTS]).preference(window_of(POSTS));
        let pending = client.as_async().post(call);
        eventually("some are there", || server.requests() > (round - 1) * POSTS);
        drop(pending);
    }
    all_get(&client, POSTS, &piece);
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_answer_larger_than_the_limit_is_refused_and_its_stream_reset() {
    const LIMIT: usize = 1 << 20;
    for announced in [true, false] {
        let server = H2Server::start(move |mut visit| async move {
            let length = (LIMIT + 1).to_string();
            let headers = [("content-length", &*length)];
            let sending = visit.begin(200, &headers[..usize::from(announced)]);
            let mut sending = sending.expect("the client is there");
            sending
                .send_data(vec![b' '; LIMIT + 1].into(), false)
                .unwrap();
            visit.until_reset_of(sending).await;
        });
        let system = System::builder().workers(1).http(settings());
        let system = system.max_response_bytes(LIMIT).start();
        let client = client_on(&server.url(), system.expect("a system"));
        let error = embed(&client, 1).expect_err("too large");
        assert!(error.is_answer(), "{error}");
        assert!(error.to_string().contains("max_response_bytes"), "{error}");
        eventually("it is reset", || server.resets().len() == 1);
        assert_eq!((server.connections(), server.requests()), (1, 1));
    }
}

#[test]
fn a_slow_answer_holds_no_other_up() {
    let server = H2Server::start(|mut visit: Visit| async move {
        if visit.number == 0 {
            let sending = visit.begin(200, &[]).expect("the client is there");
            visit.until_reset_of(sending).await;
        } else {
            visit.answer(200, &[("content-type", "x/y")], large());
        }
    });
    let client = client_with(&server.url(), settings());
    let slow = BatchPost::new("/x", [json!(1)]).preference(Preference::default());
    let pending = client.as_async().post(slow);
    eventually("it is there", || server.requests() == 1);
    all_get(&client, 4, &large());
    drop(pending);
    assert_eq!(server.connections(), 1);
}
