//! Kept connections that end under the next request: what the server did not read is sent again within
//! its attempt, and what it may have read is a retry.

use super::{ask, no_retries, preference, retries};
use crate::support::hostile::{Hostile, Next, Visit, assert_right, header};
use crate::support::tls_front::{Identity, TlsFront};
use crate::support::{client_of, client_on, texts};
use hedgerow::transport::{HttpSettings, Proxy, TlsSettings};
use hedgerow::{BatchPost, BlockingClient, Embed, Embeddings, Method, Preference, System};
use serde_json::json;
use std::time::{Duration, Instant};

const ROUNDS: usize = 8;

/// A server that answers the first request of a connection, and does `later` with the second.
fn then(later: impl Fn(&mut Visit<'_>) -> Next + Send + Sync + 'static) -> Hostile {
    Hostile::start(move |visit| match visit.on_connection {
        0 => visit.right(),
        _ => later(visit),
    })
}

/// A client of `server` that has kept a connection.
fn with_a_kept_connection(server: &Hostile) -> BlockingClient {
    let client = client_of(&server.url());
    ask(&client, &no_retries()).expect("the first is answered");
    client
}

/// The ids of the requests that `server` saw, less the first.
fn ids(server: &Hostile) -> Vec<String> {
    let heads = server.heads().into_iter().skip(1);
    heads
        .map(|head| header(&head, "x-baseten-customer-request-id").map(str::to_owned))
        .map(|id| id.expect("an id"))
        .collect()
}

/// What the client counted.
fn attempts(client: &BlockingClient) -> u64 {
    client.metrics().expect("a running system").attempts
}

#[test]
fn what_a_server_may_have_read_is_a_retry() {
    for end in [Next::Close, Next::Reset] {
        let server = then(move |_| end);
        let client = with_a_kept_connection(&server);
        for round in 1..ROUNDS {
            let found = ask(&client, &retries(1)).expect("retried");
            assert_right(&found, 0, 1);
            assert_eq!(found.requests()[0].attempts, 2);
            let ids = ids(&server);
            let [.., first, second] = ids.as_slice() else {
                panic!("round {round}: {ids:?}");
            };
            assert!(
                first.ends_with("-0") && second.ends_with("-1"),
                "{first} {second}"
            );
        }
        // Each round but the first met a connection that died under it.
        let expected = (ROUNDS, 2 * ROUNDS - 1);
        let seen = (server.connections(), server.requests());
        assert_eq!(seen, expected, "{end:?}");
        assert_eq!(attempts(&client), server.requests() as u64);
    }
}

/// Whatever is read may be processed, and billed.
#[test]
fn a_server_never_reads_a_payload_more_often_than_is_allowed() {
    for end in [Next::Close, Next::Reset] {
        for kept in [false, true] {
            for max_retries in [0, 1, 3] {
                let server = Hostile::start(move |visit| match visit.number {
                    0 if kept => visit.right(),
                    _ => end,
                });
                let client = client_of(&server.url());
                if kept {
                    ask(&client, &no_retries()).expect("the first is answered");
                }
                let error = ask(&client, &retries(max_retries)).expect_err("never answered");
                assert!(error.is_network(), "{error}");
                let read = server.requests() - usize::from(kept);
                let allowed = usize::try_from(1 + max_retries).expect("a few");
                assert_eq!(read, allowed, "{end:?} {kept} {max_retries}");
                assert_eq!(attempts(&client), server.requests() as u64);
            }
        }
    }
}

#[test]
fn a_request_that_the_server_did_not_read_is_no_attempt() {
    let server = Hostile::start(|visit| {
        visit.right();
        visit.refuse_the_next()
    });
    let client = with_a_kept_connection(&server);
    for _ in 1..ROUNDS {
        let found = ask(&client, &no_retries()).expect("sent again");
        assert_right(&found, 0, 1);
        assert_eq!(found.requests()[0].attempts, 1);
    }
    assert_eq!((server.connections(), server.requests()), (ROUNDS, ROUNDS));
    assert_eq!(attempts(&client), ROUNDS as u64);
}

#[test]
fn a_refusal_that_comes_late_is_waited_for_by_a_last_try() {
    let late = Duration::from_millis(400);
    let server = Hostile::start(move |visit| {
        visit.right();
        visit.refuse_the_next_after(late)
    });
    let client = with_a_kept_connection(&server);
    for (max_retries, sent) in [(0, 1), (1, 2)] {
        let found = ask(&client, &retries(max_retries)).expect("sent again, or retried");
        assert_eq!(found.requests()[0].attempts, sent);
    }
    assert_eq!((server.connections(), server.requests()), (3, 3));
}

/// So many requests at once, and how long they took.
fn burst(client: &BlockingClient, count: usize, max_retries: u32) -> (Embeddings, Duration) {
    let call = Embed::new(texts(count), "m").preference(Preference {
        max_concurrent_requests: count,
        batch_size: 1,
        ..retries(max_retries)
    });
    let start = Instant::now();
    let found = client.embed(call).expect("answered");
    assert_right(&found, 0, count);
    (found, start.elapsed())
}

/// The endpoint is not held to be away, which would cost a pause of a second.
#[test]
fn a_burst_over_idle_connections_that_are_being_closed_is_not_held_up() {
    const BURST: usize = 48;
    let closes: [fn(&mut Visit<'_>) -> Next; 2] = [
        // The next request comes, and is not read.
        |visit| visit.refuse_the_next(),
        // It is read, and dropped.
        |_| Next::Keep,
    ];
    for (reads, close) in closes.into_iter().enumerate() {
        let server = Hostile::start(move |visit| match visit.on_connection {
            0 => {
                if visit.number < BURST {
                    visit.wait_for_requests(BURST);
                }
                visit.right();
                if visit.number < BURST {
                    close(visit)
                } else {
                    Next::Keep
                }
            }
            _ if visit.connection < BURST => Next::Close,
            _ => visit.right(),
        });
        let client = client_of(&server.url());
        burst(&client, BURST, 0);
        std::thread::sleep(Duration::from_millis(600));
        let max_retries = u32::try_from(reads).expect("one or two");
        let (found, took) = burst(&client, BURST, max_retries);
        assert!(took < Duration::from_millis(900), "{took:?}");
        let sent: u32 = found.requests().iter().map(|it| it.attempts).sum();
        assert_eq!(sent as usize, (1 + reads) * BURST);
    }
}

#[test]
fn a_large_request_is_sent_again_whole() {
    let server = Hostile::start(|visit| {
        visit.right();
        visit.refuse_the_next()
    });
    let client = with_a_kept_connection(&server);
    let text = format!("{} 7", "x".repeat(3 << 20));
    for _ in 1..ROUNDS {
        let call = Embed::new([&*text], "m").preference(no_retries());
        assert_right(&client.embed(call).expect("sent again"), 7, 1);
    }
    assert_eq!((server.connections(), server.requests()), (ROUNDS, ROUNDS));
}

#[test]
fn a_connection_that_ends_within_a_head_costs_an_attempt() {
    for (piece, end) in [
        ("H", Next::Close),
        ("H", Next::Reset),
        ("HTTP/1.1 200 OK\r\ncontent-le", Next::Close),
        ("HTTP/1.1 200 OK\r\ncontent-le", Next::Reset),
        ("HTTP/1.1 100 Continue\r\n\r\n", Next::Close),
    ] {
        let server = then(move |visit| {
            visit.write(piece);
            // An RST would overtake it.
            visit.pause(Duration::from_millis(50));
            end
        });
        let client = with_a_kept_connection(&server);
        let found = ask(&client, &retries(1)).expect("retried");
        assert_eq!(found.requests()[0].attempts, 2, "{piece:?} {end:?}");
        let ids = ids(&server);
        assert!(ids[0].ends_with("-0") && ids[1].ends_with("-1"), "{ids:?}");
    }
}

#[test]
fn a_connection_reset_after_half_a_head_is_not_noticed() {
    let half = |visit: &mut Visit<'_>| {
        visit.write("HTTP/1.1 200 OK\r\ncontent-le");
        Next::Reset
    };
    super::is_retried(half);
    super::is_a_network_error(half);
}

#[test]
fn what_is_sent_again_keeps_the_deadline_of_its_attempt() {
    let slow = Duration::from_secs(1);
    let server = Hostile::start(move |visit| match visit.number {
        0 => {
            visit.right();
            visit.peek();
            visit.pause(slow);
            visit.refuse_the_next()
        }
        _ => visit.stall_after(""),
    });
    let client = with_a_kept_connection(&server);
    let timeout = Duration::from_secs(2);
    let start = Instant::now();
    let error = ask(
        &client,
        &Preference {
            timeout,
            ..no_retries()
        },
    );
    let error = error.expect_err("too late");
    assert!(error.is_timeout(), "{error}");
    assert!(start.elapsed() < timeout + slow, "{:?}", start.elapsed());
    let left = |head: &String| {
        let left = header(head, "request-timeout-ms").map(str::parse::<u64>);
        left.expect("a header").expect("milliseconds")
    };
    let left: Vec<u64> = server.heads().iter().map(left).collect();
    assert!(left.len() == 2 && left[1] <= 1000, "{left:?}");
    assert_eq!(attempts(&client), 2);
}

#[test]
fn every_method_is_retried() {
    for method in [Method::Get, Method::Post, Method::Patch, Method::Delete] {
        let server = Hostile::start(|visit| match visit.on_connection {
            0 => visit.answer("200 OK", "", "{}"),
            _ => Next::Close,
        });
        let client = client_of(&server.url());
        for _ in 0..2 {
            let call = BatchPost::new("/x", [json!({"n": 1})])
                .method(method)
                .preference(preference());
            client.post(call).expect("retried");
        }
        let line = |head: String| head.lines().next().map(str::to_owned);
        let lines: Vec<_> = server.heads().into_iter().filter_map(line).collect();
        assert_eq!(lines, vec![format!("{method} /x HTTP/1.1"); 3]);
        assert_eq!(attempts(&client), 3);
    }
}

#[test]
fn over_tls_it_is_retried_as_well() {
    for end in [Next::Close, Next::Reset] {
        let server = then(move |_| end);
        let identity = Identity::local();
        let front = TlsFront::of(server.address(), &identity, &[]);
        let http = HttpSettings {
            proxy: Proxy::Direct,
            tls: TlsSettings {
                ca_certificates: Some(identity.pem.clone().into()),
            },
            ..HttpSettings::default()
        };
        let system = System::builder().workers(1).http(http).start();
        let client = client_on(&front.url("localhost"), system.expect("a system"));
        for round in 0..ROUNDS {
            let found = ask(&client, &retries(1)).expect("retried");
            assert_right(&found, 0, 1);
            let sent = if round == 0 { 1 } else { 2 };
            assert_eq!(found.requests()[0].attempts, sent);
        }
        assert_eq!(server.requests(), 2 * ROUNDS - 1);
        assert_eq!(attempts(&client), server.requests() as u64);
    }
}
