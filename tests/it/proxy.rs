//! Proxies: a real one, and some that misbehave.

mod hostile;

use crate::support::expected::assert_rows;
use crate::support::h2_server::{H2Server, attempts};
use crate::support::hostile::{Hostile, assert_right, header};
use crate::support::tinyproxy::Tinyproxy;
use crate::support::tls_front::{Identity, TlsFront};
use crate::support::{client_of, client_on, one_each, texts};
use crate::tls::in_a_process_of_its_own;
use hedgerow::transport::{HttpSettings, HttpVersion, Proxy, TlsSettings};
use hedgerow::{BlockingClient, Embed, Embeddings, Error, Preference, System};
use std::path::Path;
use std::time::Duration;

/// What the real proxy asks of its users.
const BASIC_AUTH: &str = "BasicAuth tester pass-2c6ab01e";
const CREDENTIALS: &str = "tester:pass-2c6ab01e";
const REQUESTS: usize = 12;

fn through(proxy: impl Into<String>) -> HttpSettings {
    HttpSettings {
        proxy: Proxy::At(proxy.into()),
        ..HttpSettings::default()
    }
}

/// The same, where the servers of `identity` are trusted.
fn trusting(proxy: impl Into<String>, identity: &Identity) -> HttpSettings {
    HttpSettings {
        tls: TlsSettings {
            ca_certificates: Some(identity.pem.clone().into()),
        },
        ..through(proxy)
    }
}

fn over_http2(http: HttpSettings) -> HttpSettings {
    HttpSettings {
        version: HttpVersion::Http2,
        ..http
    }
}

fn client(url: &str, http: HttpSettings) -> BlockingClient {
    let system = System::builder().workers(1).http(http).start();
    client_on(url, system.expect("a system"))
}

/// Four requests at once, without any retry.
fn preference() -> Preference {
    Preference {
        max_concurrent_requests: 4,
        timeout: Duration::from_secs(20),
        max_retries: 0,
        ..one_each()
    }
}

fn embed(client: &BlockingClient, requests: usize) -> Result<Embeddings, Error> {
    client.embed(Embed::new(texts(requests), "m").preference(preference()))
}

/// What a server answers comes through a proxy that passes requests on, and closes connections as it
/// likes.
fn is_passed_on(client: &BlockingClient) {
    let call = Embed::new(texts(REQUESTS), "m").preference(Preference {
        max_retries: 3,
        ..preference()
    });
    let found = client.embed(call).expect("answered");
    assert_right(&found, 0, REQUESTS);
}

/// What a server answers comes through a tunnel, each answer at the first attempt.
fn is_right(client: &BlockingClient) {
    let found = embed(client, REQUESTS).expect("answered");
    assert_right(&found, 0, REQUESTS);
    assert_eq!(attempts(&found), REQUESTS);
}

/// The same of an HTTP/2 server.
fn is_right_over_http2(client: &BlockingClient) {
    let found = embed(client, REQUESTS).expect("answered");
    assert_rows(&found, &texts(REQUESTS), &[]);
    assert_eq!(attempts(&found), REQUESTS);
}

/// The keys and passwords that these tests send are in no text of an error.
fn assert_discreet(error: &Error) {
    let text = format!("{error} {error:?} {error:#?}");
    for secret in ["sk-test", "pass-", "cGFzcy", "dGVzdGVy"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn plain_requests_are_passed_on_by_a_proxy_that_asks_for_a_password() {
    let server = Hostile::honest();
    let proxy = Tinyproxy::start(BASIC_AUTH);
    let client = client(&server.url(), through(proxy.url_with(CREDENTIALS)));
    is_passed_on(&client);
    assert_eq!(server.requests(), REQUESTS);
    let line = format!("POST {}/v1/embeddings HTTP/1.1", server.url());
    assert_eq!(proxy.requests(), vec![line; REQUESTS]);
    for head in server.heads() {
        assert!(head.starts_with("POST /v1/embeddings HTTP/1."), "{head}");
        assert!(header(&head, "via").is_some_and(|via| via.contains("tinyproxy")));
        assert_eq!(header(&head, "proxy-authorization"), None);
        assert_eq!(header(&head, "authorization"), Some("Bearer sk-test-key"));
        assert_eq!(header(&head, "host"), Some(&*server.address().to_string()));
    }
}

/// This proxy closes each connection after an answer without having said so: a sixth of all requests
/// are sent just then.
#[test]
fn connections_that_a_proxy_closes_quietly_cost_no_attempts() {
    const MANY: usize = 200;
    let server = Hostile::honest();
    let proxy = Tinyproxy::start("");
    let client = client(&server.url(), through(proxy.url()));
    let found = embed(&client, MANY).expect("answered");
    assert_right(&found, 0, MANY);
    for head in server.heads() {
        let id = header(&head, "x-baseten-customer-request-id");
        assert!(id.is_some_and(|id| id.ends_with("-0")), "{head}");
    }
    assert_eq!((server.requests(), proxy.requests().len()), (MANY, MANY));
    assert_eq!(attempts(&found), MANY);
}

#[test]
fn https_goes_through_a_tunnel_to_the_server_whose_certificate_is_checked() {
    let server = Hostile::honest();
    let identity = Identity::of(&["localhost"]);
    let front = TlsFront::of(server.address(), &identity, &[]);
    let settings = format!("{BASIC_AUTH}\nConnectPort {}", front.port);
    let proxy = Tinyproxy::start(&settings);
    let http = trusting(proxy.url_with(CREDENTIALS), &identity);
    let right = client(&front.url("localhost"), http.clone());
    is_right(&right);
    is_right(&right);
    assert_eq!(server.requests(), 2 * REQUESTS);
    // A tunnel a connection, which is kept for the next request.
    let tunnel = format!("CONNECT localhost:{} HTTP/1.1", front.port);
    assert_eq!(proxy.requests(), vec![tunnel; server.connections()]);
    assert!(server.connections() <= 4 + 2, "{}", server.connections());
    let heads = server.heads().concat();
    assert!(!heads.contains("proxy-authorization"), "{heads}");
    assert_eq!(
        heads.matches("authorization: Bearer sk-test-key").count(),
        2 * REQUESTS
    );

    // A certificate for that name is none for this one.
    let error = embed(&client(&front.url("127.0.0.1"), http), 1).expect_err("another name");
    assert!(error.is_connect(), "{error}");
    assert!(error.to_string().contains("not valid for name"), "{error}");
    assert_eq!(server.requests(), 2 * REQUESTS);
}

#[test]
fn http2_goes_through_a_tunnel_with_tls_and_in_clear_text() {
    let server = H2Server::honest();
    let identity = Identity::local();
    let front = TlsFront::of(server.address(), &identity, &[b"h2"]);
    let ports = [front.port, server.address().port()];
    let settings = ports.map(|port| format!("ConnectPort {port}\n")).concat();
    let proxy = Tinyproxy::start(&format!("{settings}{BASIC_AUTH}"));
    for (count, url) in [front.url("127.0.0.1"), server.url()].iter().enumerate() {
        let http = trusting(proxy.url_with(CREDENTIALS), &identity);
        let client = client(url, over_http2(http));
        is_right_over_http2(&client);
        is_right_over_http2(&client);
        let tunnels = server.connections();
        assert_eq!((tunnels, proxy.requests().len()), (count + 1, count + 1));
    }
    let tunnels = ports.map(|port| format!("CONNECT 127.0.0.1:{port} HTTP/1.1"));
    assert_eq!(proxy.requests(), tunnels);
    assert_eq!(server.requests(), 4 * REQUESTS);
    for head in server.heads() {
        assert!(!head.headers.contains_key("proxy-authorization"));
        assert_eq!(head.headers["authorization"], "Bearer sk-test-key");
    }
}

#[test]
fn a_proxy_may_speak_tls_itself() {
    let identity = Identity::local();
    let plain = Hostile::honest();
    let secure = TlsFront::of(plain.address(), &identity, &[]);
    let http2 = H2Server::honest();
    let ports = [secure.port, http2.address().port()];
    let settings = ports.map(|port| format!("ConnectPort {port}\n")).concat();
    let proxy = Tinyproxy::start(&format!("{settings}{BASIC_AUTH}"));
    // What it offers in ALPN is what it speaks, and none of HTTP/2.
    let front = TlsFront::of(proxy.address(), &identity, &[b"h2", b"http/1.1"]);
    let url = format!("https://{CREDENTIALS}@localhost:{}", front.port);
    is_passed_on(&client(&plain.url(), trusting(&*url, &identity)));
    is_right(&client(
        &secure.url("localhost"),
        trusting(&*url, &identity),
    ));
    assert_eq!(plain.requests(), 2 * REQUESTS);
    is_right_over_http2(&client(
        &http2.url(),
        over_http2(trusting(&*url, &identity)),
    ));
    assert_eq!((http2.connections(), http2.requests()), (1, REQUESTS));

    let error = embed(&client(&plain.url(), through(url)), 1).expect_err("an unknown proxy");
    assert!(error.is_connect(), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("proxy") && text.contains("certificate"),
        "{text}"
    );
    assert_discreet(&error);
}

#[test]
fn a_proxy_that_refuses_is_told_of_with_its_status() {
    let server = Hostile::honest();
    let identity = Identity::local();
    let front = TlsFront::of(server.address(), &identity, &[]);
    let proxy = Tinyproxy::start(&format!("{BASIC_AUTH}\nConnectPort 1"));
    let plain = client(&server.url(), through(proxy.url()));
    let error = embed(&plain, 1).expect_err("no password");
    assert_eq!(error.status(), Some(407), "{error}");
    assert_discreet(&error);
    for (url, status) in [
        (proxy.url(), "407 Proxy Authentication Required"),
        // So this proxy says it when the password is wrong.
        (proxy.url_with("tester:pass-wrong"), "401 Unauthorized"),
        (proxy.url_with(CREDENTIALS), "403 Forbidden"),
    ] {
        for http in [trusting(&*url, &identity), over_http2(through(&*url))] {
            let target = match http.version {
                HttpVersion::Http1 => front.url("localhost"),
                HttpVersion::Http2 => server.url(),
            };
            let error = embed(&client(&target, http), 1).expect_err("no tunnel");
            assert!(error.is_connect(), "{error}");
            let told = format!("the proxy opened no tunnel: it answered {status}");
            assert!(error.to_string().contains(&told), "{error}");
            assert_discreet(&error);
        }
    }
    assert_eq!(server.connections(), 0);
}

/// What the caller says to a proxy in a header stands in place of what its URL says, and reaches no
/// server at the end of a tunnel.
#[test]
fn a_caller_s_header_for_the_proxy_is_for_the_proxy_alone() {
    let call = || {
        Embed::new(texts(1), "m").preference(Preference {
            extra_headers: [("Proxy-Authorization", "Basic pass-own")].into(),
            ..preference()
        })
    };
    let plain = Hostile::honest();
    let url = format!("http://{CREDENTIALS}@{}", plain.address());
    let passing = client("http://model.internal", through(url));
    passing.embed(call()).expect("passed on");
    let head = plain.heads().remove(0);
    assert_eq!(head.matches("proxy-authorization").count(), 1, "{head}");
    let sent = header(&head, "proxy-authorization");
    assert_eq!(sent, Some("Basic pass-own"));

    let server = Hostile::honest();
    let http2 = H2Server::honest();
    let identity = Identity::local();
    let front = TlsFront::of(server.address(), &identity, &[]);
    let ports = [front.port, http2.address().port()];
    let proxy = Tinyproxy::start(&ports.map(|port| format!("ConnectPort {port}\n")).concat());
    let http = trusting(proxy.url(), &identity);
    let tunnelled = client(&front.url("localhost"), http.clone());
    tunnelled.embed(call()).expect("answered");
    let tunnelled = client(&http2.url(), over_http2(http));
    tunnelled.embed(call()).expect("answered");
    let head = server.heads().remove(0);
    assert_eq!(header(&head, "proxy-authorization"), None);
    let heads = http2.heads();
    assert!(!heads[0].headers.contains_key("proxy-authorization"));
}

/// Asks as the environment says; in a process of its own, which alone has that environment.
#[test]
fn the_environment_names_the_proxy_and_whom_it_is_not_for() {
    const URL: &str = "HEDGEROW_TEST_PROXY_URL";
    if let Ok(url) = std::env::var(URL) {
        is_passed_on(&client_of(&url));
        return;
    }
    let test = concat!(
        module_path!(),
        "::the_environment_names_the_proxy_and_whom_it_is_not_for"
    );
    let server = Hostile::honest();
    let identity = Identity::local();
    let front = TlsFront::of(server.address(), &identity, &[]);
    let proxy = Tinyproxy::start(&format!("{BASIC_AUTH}\nConnectPort {}", front.port));
    let name = format!("hedgerow-test-proxy-{}.pem", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, &identity.pem).expect("a temporary file");
    let proxy_url = proxy.url_with(CREDENTIALS);
    let ask = |url: &str, http: &str, https: &str, direct: &str| {
        let before = proxy.requests().len();
        // Those in lower case, which are looked at first.
        let variables = [
            ("http_proxy", Path::new(http)),
            ("https_proxy", Path::new(https)),
            ("all_proxy", Path::new("")),
            ("no_proxy", Path::new(direct)),
            ("SSL_CERT_FILE", &file),
        ];
        in_a_process_of_its_own(test, (URL, url), &variables);
        proxy.requests().len() > before
    };
    let (plain, secure) = (server.url(), front.url("localhost"));
    let elsewhere = "http://127.0.0.1:1";
    assert!(ask(&plain, &proxy_url, elsewhere, ""));
    assert!(ask(&secure, elsewhere, &proxy_url, "127.0.0.1"));
    assert!(!ask(
        &plain,
        elsewhere,
        elsewhere,
        "10.0.0.0/8, 127.0.0.0/8"
    ));
    assert!(!ask(&secure, elsewhere, elsewhere, "localhost"));
    assert_eq!(server.requests(), 4 * REQUESTS);
    std::fs::remove_file(&file).expect("the temporary file");
}

/// Asks as the environment says; in a process of its own, which alone has that environment.
#[test]
fn a_proxy_that_cannot_be_used_fails_only_what_would_go_through_it() {
    const URL: &str = "HEDGEROW_TEST_SOCKS_URL";
    if let Ok(url) = std::env::var(URL) {
        let asked = client_of(&url).embed(Embed::new(texts(1), "m"));
        if url.starts_with("https:") {
            let error = asked.expect_err("it would go through the proxy");
            assert!(error.is_config(), "{error}");
            let text = format!("{error} {error:?}");
            assert!(
                text.contains("https_proxy") && !text.contains("pass-"),
                "{text}"
            );
        } else {
            asked.expect("it goes through no proxy");
        }
        return;
    }
    let test = concat!(
        module_path!(),
        "::a_proxy_that_cannot_be_used_fails_only_what_would_go_through_it"
    );
    let server = Hostile::honest();
    let socks = format!("socks5h://{CREDENTIALS}@127.0.0.1:1");
    let ask = |url: &str, http: &str, direct: &str| {
        let variables = [
            ("http_proxy", Path::new(http)),
            ("https_proxy", Path::new(&socks)),
            ("all_proxy", Path::new("")),
            ("no_proxy", Path::new(direct)),
        ];
        in_a_process_of_its_own(test, (URL, url), &variables);
    };
    ask(&server.url(), "", "");
    ask(&server.url(), &socks, "127.0.0.0/8");
    assert_eq!(server.requests(), 2);
    ask("https://localhost:1", "", "");
}

#[test]
fn no_password_of_a_proxy_is_shown() {
    for url in [
        format!("http://{CREDENTIALS}@localhost:3128"),
        format!("{CREDENTIALS}@localhost:3128"),
        format!("socks5://{CREDENTIALS}@localhost:3128"),
        format!("http://{CREDENTIALS}@:3128"),
    ] {
        let http = through(&*url);
        let builder = System::builder().workers(1).http(http.clone());
        let settings = format!("{http:?} {http:#?} {builder:?} {builder:#?}");
        let started = match builder.start() {
            Ok(system) => format!("{system:?}"),
            Err(error) => {
                assert!(error.is_config(), "{error}");
                format!("{error} {error:?}")
            }
        };
        let shown = settings + &started;
        assert!(!shown.contains("pass-"), "{shown}");
    }
}
