//! HTTP/2: many requests over one connection, by prior knowledge and by ALPN.

mod endings;
mod streams;
mod troubles;
mod windows;

use crate::support::expected::assert_rows;
use crate::support::h2_server::{H2Server, Visit, attempts};
use crate::support::hostile::{Hostile, assert_right};
use crate::support::tls_front::{Identity, TlsFront};
use crate::support::{client_on, eventually, one_each, texts};
use hedgerow::transport::{HttpSettings, HttpVersion, Proxy, TlsSettings};
use hedgerow::{BatchPost, BlockingClient, Embed, Embeddings, Error, Method, Preference, System};
use http::HeaderName;
use serde_json::json;
use std::collections::HashSet;
use std::time::Duration;

fn settings() -> HttpSettings {
    HttpSettings {
        version: HttpVersion::Http2,
        proxy: Proxy::Direct,
        ..HttpSettings::default()
    }
}

fn client_with(url: &str, http: HttpSettings) -> BlockingClient {
    let system = System::builder().workers(1).http(http).start();
    client_on(url, system.expect("a system"))
}

/// A client of `url`, which it knows to speak HTTP/2, on a system with one Worker.
fn client(url: &str) -> BlockingClient {
    client_with(url, settings())
}

fn trusting(url: &str, identity: &Identity) -> BlockingClient {
    let tls = TlsSettings {
        ca_certificates: Some(identity.pem.clone().into()),
    };
    client_with(url, HttpSettings { tls, ..settings() })
}

/// So many requests at once, each of which may be made again once.
fn window_of(requests: usize) -> Preference {
    Preference {
        max_concurrent_requests: requests,
        timeout: Duration::from_secs(20),
        max_retries: 1,
        ..one_each()
    }
}

/// So many requests, all at once.
fn embed(client: &BlockingClient, requests: usize) -> Result<Embeddings, Error> {
    client.embed(Embed::new(texts(requests), "m").preference(window_of(requests)))
}

/// The same, each of which must succeed at its first attempt.
fn is_right(client: &BlockingClient, requests: usize) {
    let found = embed(client, requests).expect("an honest server");
    assert_rows(&found, &texts(requests), &[]);
    assert_eq!(attempts(&found), requests);
}

#[test]
fn hundreds_of_requests_share_one_connection_a_worker() {
    const REQUESTS: usize = 400;
    const WORKERS: usize = 2;
    let server = H2Server::honest();
    let system = System::builder().workers(WORKERS).http(settings()).start();
    let client = client_on(&server.url(), system.expect("a system"));
    is_right(&client, REQUESTS);
    is_right(&client, REQUESTS);
    // The first Worker's thread has them all while it keeps up.
    assert!((1..=WORKERS).contains(&server.connections()));
    assert_eq!(server.requests(), 2 * REQUESTS);
}

#[test]
fn a_cold_start_opens_one_connection() {
    const REQUESTS: usize = 64;
    // None is answered before all are there.
    let server = H2Server::start(async |visit| {
        visit.wait_for_requests(REQUESTS).await;
        visit.right().await;
    });
    is_right(&client(&server.url()), REQUESTS);
    assert_eq!((server.connections(), server.requests()), (1, REQUESTS));
    assert_eq!(server.most_open(), REQUESTS);
}

#[test]
fn a_request_has_the_headers_that_it_should_have_and_no_others() {
    let server = H2Server::honest();
    let headers = [
        ("X-Mine", "Yes"),
        ("Connection", "X-Mine, keep-alive"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "1"),
        ("Upgrade", "h2c"),
        ("TE", "gzip"),
        // For a proxy, or a server that is one: no header of a connection.
        ("Proxy-Authorization", "Basic eDp5"),
        ("Proxy-Authenticate", "Basic"),
    ];
    let client = client(&server.url());
    // The first request of a connection writes its headers in another way than those that follow.
    for _ in 0..3 {
        let call = Embed::new(texts(1), "m").preference(Preference {
            extra_headers: headers.into(),
            ..window_of(1)
        });
        client.embed(call).expect("an honest server");
    }
    let heads = server.heads();
    assert_eq!((heads.len(), server.connections()), (3, 1));
    let expected = [
        "accept",
        "accept-encoding",
        "authorization",
        "content-length",
        "content-type",
        "proxy-authenticate",
        "proxy-authorization",
        "request-deadline-ms",
        "request-timeout-ms",
        "user-agent",
        "x-baseten-customer-request-id",
        "x-mine",
    ];
    for head in &heads {
        assert_eq!(head.method, "POST");
        assert_eq!(head.uri, &*format!("{}/v1/embeddings", server.url()));
        assert_eq!(
            head.uri.authority().map(|name| name.as_str().to_owned()),
            Some(server.address().to_string())
        );
        let mut names: Vec<&str> = head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, expected);
        assert_eq!(head.headers["authorization"], "Bearer sk-test-key");
        for name in [
            "content-length",
            "request-deadline-ms",
            "request-timeout-ms",
        ] {
            let value = head.headers[name].to_str().expect("digits");
            assert!(
                value.parse::<u64>().is_ok_and(|value| value > 0),
                "{name}: {value}"
            );
        }
    }
    let ids = heads
        .iter()
        .map(|head| &head.headers["x-baseten-customer-request-id"]);
    assert_eq!(ids.collect::<HashSet<_>>().len(), 3);
    let call = Embed::new(texts(1), "m").preference(Preference {
        extra_headers: [("TE", "trailers")].into(),
        ..window_of(1)
    });
    client.embed(call).expect("an honest server");
    assert_eq!(server.heads()[3].headers["te"], "trailers");
}

#[test]
fn a_host_of_the_caller_s_is_the_authority() {
    let server = H2Server::honest();
    let call = Embed::new(texts(1), "m").preference(Preference {
        extra_headers: [("Host", "model.internal:81")].into(),
        ..window_of(1)
    });
    client(&server.url()).embed(call).expect("an honest server");
    let head = server.heads().remove(0);
    assert_eq!(head.uri, "http://model.internal:81/v1/embeddings");
    assert!(!head.headers.contains_key("host"));
}

#[test]
fn each_method_is_sent_with_or_without_a_body() {
    let server = H2Server::start(async |mut visit| {
        let length = visit.read().await.len();
        visit.answer(200, &[], json!({"length": length}).to_string());
    });
    let client = client(&server.url());
    for (method, length) in [
        (Method::Get, None),
        (Method::Post, Some("7")),
        (Method::Put, Some("7")),
        (Method::Delete, None),
    ] {
        let call = BatchPost::new("/x?a=b%20c", [json!({"n": 1})]).method(method);
        client.post(call).expect("answered");
        let head = server.heads().pop().expect("a request");
        assert_eq!(head.method.as_str(), method.to_string());
        assert_eq!(head.uri, &*format!("{}/x?a=b%20c", server.url()));
        let sent = head.headers.get("content-length");
        assert_eq!(sent.map(|length| length.to_str().unwrap()), length);
    }
    assert_eq!((server.connections(), server.requests()), (1, 4));
}

#[test]
fn over_tls_both_sides_agree_on_http2() {
    let server = H2Server::honest();
    let identity = Identity::local();
    for protocols in [&[b"h2".as_slice()][..], &[b"h2", b"http/1.1"]] {
        let front = TlsFront::of(server.address(), &identity, protocols);
        let client = trusting(&front.url("localhost"), &identity);
        is_right(&client, 50);
        is_right(&client, 50);
        assert_eq!(front.agreed(), ["h2"]);
        let head = server.heads().pop().expect("a request");
        let authority = format!("localhost:{}", front.port);
        assert_eq!(head.uri, &*format!("https://{authority}/v1/embeddings"));
    }
    assert_eq!((server.connections(), server.requests()), (2, 200));
}

#[test]
fn a_server_that_does_not_agree_to_http2_is_spoken_to_in_http1() {
    const WINDOW: usize = 8;
    let identity = Identity::local();
    for protocols in [&[b"http/1.1".as_slice()][..], &[]] {
        let server = Hostile::honest();
        let front = TlsFront::of(server.address(), &identity, protocols);
        let client = trusting(&front.url("localhost"), &identity);
        for _ in 0..3 {
            let call = Embed::new(texts(100), "m").preference(window_of(WINDOW));
            let found = client.embed(call).expect("an honest server");
            assert_right(&found, 0, 100);
            assert_eq!(attempts(&found), 100);
        }
        assert_eq!(server.requests(), 300);
        // The one that was to be HTTP/2, and a few that were late to be given back.
        let made = server.connections();
        assert!(made <= WINDOW + 1 + 4, "{made} connections");
        assert!(server.heads()[0].starts_with("POST /v1/embeddings HTTP/1.1\r\n"));
    }
}

#[test]
fn without_http2_none_is_offered() {
    let server = Hostile::honest();
    let identity = Identity::local();
    let front = TlsFront::of(server.address(), &identity, &[b"h2", b"http/1.1"]);
    let tls = TlsSettings {
        ca_certificates: Some(identity.pem.clone().into()),
    };
    let http = HttpSettings {
        version: HttpVersion::Http1,
        tls,
        ..settings()
    };
    let found = embed(&client_with(&front.url("localhost"), http), 1);
    assert_right(&found.expect("an honest server"), 0, 1);
    assert_eq!(front.agreed(), ["http/1.1"]);
}

/// Behind one address may be several servers, of which the first has decided.
#[test]
fn a_server_that_is_spoken_to_in_http1_is_offered_nothing_else() {
    let server = Hostile::honest();
    let identity = Identity::local();
    let old: &[&[u8]] = &[b"http/1.1"];
    let new: &[&[u8]] = &[b"h2", b"http/1.1"];
    let front = TlsFront::in_turn(server.address(), &identity, &[old, new]);
    let client = trusting(&front.url("localhost"), &identity);
    for _ in 0..3 {
        assert_right(&embed(&client, 1).expect("an honest server"), 0, 1);
    }
    assert_eq!(front.agreed(), ["http/1.1"; 2]);
}

#[test]
fn a_server_s_pings_are_answered() {
    let server = H2Server::start(async |mut visit| {
        let answered = visit.ping().await;
        visit.read().await;
        let status = if answered { 418 } else { 500 };
        visit.answer(status, &[], "");
    });
    let error = embed(&client(&server.url()), 1).expect_err("no embeddings");
    assert_eq!(error.status(), Some(418), "{error}");
}

#[test]
fn an_informational_head_is_passed_over() {
    let server = H2Server::start(async |mut visit| {
        visit.inform(103);
        visit.right().await;
    });
    is_right(&client(&server.url()), 1);
}

#[test]
fn shutting_the_system_down_closes_the_connection() {
    let server = H2Server::honest();
    let client = client(&server.url());
    is_right(&client, 10);
    assert_eq!((server.connections(), server.closed()), (1, 0));
    client.as_async().system().shutdown_blocking().unwrap();
    eventually("it is closed", || server.closed() == 1);

    let hanging = H2Server::start(Visit::until_reset);
    let client = client_with(&hanging.url(), settings());
    let system = client.as_async().system().clone();
    let caller = std::thread::spawn(move || embed(&client, 10));
    eventually("all are there", || hanging.requests() == 10);
    system.shutdown_blocking().unwrap();
    assert!(caller.join().unwrap().unwrap_err().is_closed());
    eventually("it is closed", || hanging.closed() == 1);
}
