//! Proxies that misbehave, and what a proxy is told.

use super::{assert_discreet, client, embed, is_right_over_http2, over_http2, through};
use crate::support::eventually;
use crate::support::h2_server::H2Server;
use crate::support::hostile::{Hostile, Next, Visit, header};
use hedgerow::Error;
use hedgerow::transport::HttpSettings;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Nobody is asked by this name but by a proxy.
const SECURE: &str = "https://model.test";
const PLAIN: &str = "http://model.test:81";

/// The proxy's URL, with the password of whoever asks it.
fn url_of(proxy: &Hostile) -> String {
    format!("http://us%40er:pass-%3A1@{}", proxy.address())
}

/// `us@er:pass-:1`.
const AUTHORIZATION: &str = "Basic dXNAZXI6cGFzcy06MQ==";

#[test]
fn of_a_plain_request_a_proxy_is_told_the_whole_url_and_its_own_password() {
    let proxy = Hostile::honest();
    let client = client(PLAIN, through(url_of(&proxy)));
    for _ in 0..3 {
        embed(&client, 1).expect("the proxy answers in the server's name");
    }
    // Connections to a proxy are kept, too.
    assert_eq!((proxy.connections(), proxy.requests()), (1, 3));
    let head = &proxy.heads()[0];
    let line = format!("POST {PLAIN}/v1/embeddings HTTP/1.1\r\n");
    assert!(head.starts_with(&line), "{head}");
    assert_eq!(header(head, "host"), Some("model.test:81"));
    assert_eq!(header(head, "proxy-authorization"), Some(AUTHORIZATION));
    assert_eq!(header(head, "authorization"), Some("Bearer sk-test-key"));
}

#[test]
fn of_a_tunnel_a_proxy_is_told_no_more_than_it_needs() {
    let proxy = Hostile::start_at_heads(|_| Next::Close);
    let url = url_of(&proxy);
    let http2 = over_http2(through(&*url));
    for (target, http) in [(SECURE, through(&*url)), (PLAIN, http2)] {
        embed(&client(target, http), 1).expect_err("no tunnel");
    }
    for target in ["model.test:443", "model.test:81"] {
        let expected = format!(
            "CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\
             proxy-authorization: {AUTHORIZATION}\r\n\r\n"
        );
        let heads = proxy.heads();
        assert!(heads.contains(&expected), "{heads:?}");
    }
    assert!(!proxy.heads().concat().contains("sk-test"));
}

#[test]
fn a_refusal_of_a_plain_request_is_told_as_it_came_and_at_once() {
    let proxy = Hostile::start(|visit| {
        let headers = "proxy-authenticate: Basic realm=\"x\"\r\n";
        let body = format!("who is {AUTHORIZATION}?");
        visit.answer("407 Proxy Authentication Required", headers, body)
    });
    let error = embed(&client(PLAIN, through(url_of(&proxy))), 1).expect_err("refused");
    let told = (error.status(), error.body());
    assert_eq!(told, (Some(407), Some("who is ***?")));
    assert_eq!(proxy.requests(), 1);
    assert_discreet(&error);
}

fn assert_connect_error(target: &str, http: HttpSettings, parts: &[&str]) -> Error {
    let start = Instant::now();
    let error = embed(&client(target, http), 1).expect_err("no connection");
    assert!(error.is_connect(), "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_discreet(&error);
    assert!(start.elapsed() < Duration::from_secs(5), "{error}");
    error
}

#[test]
fn a_proxy_that_is_down_is_a_connect_error_that_says_so() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let url = format!("http://u:pass-1@{}", free.expect("a free port"));
    for (target, http) in [
        (PLAIN, through(&*url)),
        (SECURE, through(&*url)),
        (PLAIN, over_http2(through(&*url))),
    ] {
        assert_connect_error(target, http, &["the proxy cannot be reached", "refused"]);
    }
}

#[test]
fn a_proxy_that_stalls_is_a_connect_error_after_connect_timeout() {
    for begun in ["", "HTTP/1.1 200 O", "HTTP/1.1 100 Continue\r\n\r\n"] {
        let proxy = Hostile::start(move |visit| visit.stall_after(begun));
        let http = HttpSettings {
            connect_timeout: Duration::from_millis(300),
            ..through(url_of(&proxy))
        };
        for http in [http.clone(), over_http2(http)] {
            assert_connect_error(SECURE, http, &["proxy", "connect_timeout"]);
        }
        eventually("it is let go", || proxy.open() == 0);
        assert_eq!(proxy.closed_by_client(), proxy.requests());
    }
}

#[test]
fn a_proxy_that_answers_anything_but_http_is_a_connect_error() {
    let garbage: [fn(&mut Visit<'_>) -> Next; 5] = [
        |visit| visit.end_with("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        |visit| visit.end_with([0, 255, 22, 3, 1, 10, 13]),
        |visit| visit.end_with("HTTP/1.1 200"),
        |visit| visit.end_with(format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(200 << 10))),
        |_| Next::Reset,
    ];
    for act in garbage {
        let proxy = Hostile::start(act);
        let http = through(url_of(&proxy));
        assert_connect_error(SECURE, http, &["the proxy opened no tunnel"]);
    }
}

#[test]
fn what_a_proxy_says_of_its_refusal_is_not_repeated() {
    let proxy = Hostile::start(|visit| {
        let told = header(&visit.head, "proxy-authorization").map(str::to_owned);
        let told = told.expect("a password");
        visit.end_with(format!("HTTP/1.1 503 {told}\r\nx: {told}\r\n\r\n{told}"))
    });
    let http = through(url_of(&proxy));
    assert_connect_error(SECURE, http, &["503 Service Unavailable"]);
}

/// Opens a tunnel to `server` for its first client, and tells of it together with the first that
/// the server says.
fn hasty_proxy(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept()?;
        let mut piece = [0; 1024];
        let asked = client.read(&mut piece)?;
        assert!(piece[..asked].ends_with(b"\r\n\r\n"), "a whole head");
        let mut server = TcpStream::connect(server)?;
        let mut answer = b"HTTP/1.1 200 OK\r\nx: y\r\n\r\n".to_vec();
        let said = server.read(&mut piece)?;
        answer.extend_from_slice(&piece[..said]);
        client.write_all(&answer)?;
        let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        std::io::copy(&mut server, &mut client)
    });
    address
}

#[test]
fn a_server_behind_a_tunnel_may_speak_first() {
    let server = H2Server::honest();
    let proxy = hasty_proxy(server.address());
    let http = over_http2(through(format!("http://{proxy}")));
    is_right_over_http2(&client(&server.url(), http));
    assert_eq!(server.connections(), 1);
}
