//! Control requests: what is asked, what an answer may do, and that no wrong answer passes for one.

use crate::support::eventually;
use crate::support::hostile::{Hostile, Next, Visit, header};
use crate::support::tinyproxy::Tinyproxy;
use crate::support::tls_front::{Identity, TlsFront};
use hedgerow::Headers;
use hedgerow::internals::ask;
use hedgerow::transport::{Account, Head, HttpSettings, Proxy, TlsSettings, TransportError};
use http::{HeaderName, HeaderValue, Method};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(10);
const LONGEST: usize = 64 << 10;
const KEY: &str = "Bearer sk-control-7d1e";

type Answered = Result<(u16, Headers, Option<Vec<u8>>), TransportError>;

/// A request with the headers that the harness gives it.
fn head(method: Method, url: &str) -> Head {
    let authority = url.split('/').nth(2).unwrap_or_default();
    let pair = |name: &'static str, value: &str| {
        let value = HeaderValue::from_str(value).expect("a value");
        (HeaderName::from_static(name), value)
    };
    let mut headers = vec![
        pair("host", authority),
        pair("accept-encoding", "identity"),
        pair("authorization", KEY),
    ];
    headers[2].1.set_sensitive(true);
    Head::new(method, url, Arc::new(Account::new(url, &[])), headers)
}

fn direct() -> HttpSettings {
    HttpSettings {
        proxy: Proxy::Direct,
        ..HttpSettings::default()
    }
}

fn through(proxy: String) -> HttpSettings {
    HttpSettings {
        proxy: Proxy::At(proxy),
        ..HttpSettings::default()
    }
}

fn trusting(identity: &Identity, settings: HttpSettings) -> HttpSettings {
    HttpSettings {
        tls: TlsSettings {
            ca_certificates: Some(identity.pem.clone().into()),
        },
        ..settings
    }
}

fn get_with(settings: &HttpSettings, url: &str) -> Answered {
    ask(settings, &head(Method::GET, url), WITHIN, LONGEST)
}

fn get(url: &str) -> Answered {
    get_with(&direct(), url)
}

/// Asks a server that writes these bytes, and closes.
fn answered_with(bytes: &'static str) -> Answered {
    let server = Hostile::start(move |visit| visit.end_with(bytes));
    get(&server.url())
}

fn ok(visit: &mut Visit<'_>) -> Next {
    visit.answer("200 OK", "x-mine: 1\r\n", "{\"status\":\"ok\"}")
}

fn is_ok(answered: Answered) {
    let (status, headers, body) = answered.expect("an answer");
    assert_eq!(status, 200);
    assert_eq!(headers.get("x-mine"), Some("1"));
    assert_eq!(body.as_deref(), Some(&b"{\"status\":\"ok\"}"[..]));
}

#[test]
fn each_request_has_a_connection_of_its_own_and_what_was_given_is_sent() {
    let server = Hostile::start(ok);
    let url = format!("{}/health?a=b%20c", server.url());
    is_ok(get(&url));
    is_ok(get(&url));
    assert_eq!(server.connections(), 2);
    for head in server.heads() {
        assert!(
            head.starts_with("GET /health?a=b%20c HTTP/1.1\r\n"),
            "{head}"
        );
        assert_eq!(header(&head, "host"), Some(&*server.address().to_string()));
        assert_eq!(header(&head, "authorization"), Some(KEY));
        assert_eq!(header(&head, "connection"), Some("close"));
        assert_eq!(header(&head, "accept-encoding"), Some("identity"));
        assert_eq!(header(&head, "content-length"), None);
        // awc cannot leave this one out.
        assert!(header(&head, "date").is_some(), "{head}");
        assert_eq!(head.lines().count(), 7, "nothing else is sent: {head}");
    }
}

#[test]
fn a_method_that_may_have_a_body_says_that_it_has_none() {
    let server = Hostile::start(ok);
    let url = format!("{}/reset", server.url());
    let asked = head(Method::POST, &url);
    is_ok(ask(&direct(), &asked, WITHIN, LONGEST));
    let heads = server.heads();
    assert!(
        heads[0].starts_with("POST /reset HTTP/1.1\r\n"),
        "{heads:?}"
    );
    assert_eq!(header(&heads[0], "content-length"), Some("0"));
}

#[test]
fn a_server_that_hangs_is_left_in_time_wherever_it_hangs() {
    let pieces = ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbeg"];
    for piece in pieces {
        let server = Hostile::start(move |visit| visit.stall_after(piece));
        let began = Instant::now();
        let asked = head(Method::GET, &server.url());
        let within = Duration::from_millis(300);
        let error = ask(&direct(), &asked, within, LONGEST).unwrap_err();
        let took = began.elapsed();
        assert!(took >= within && took < 10 * within, "{took:?}");
        assert!(error.to_string().contains("0.300 s"), "{error}");
        eventually("it is closed", || server.closed_by_client() == 1);
    }
}

#[test]
fn a_body_over_the_bound_is_refused_announced_or_not() {
    let large = "x".repeat(LONGEST + 1);
    let chunked = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let announced = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", large.len());
    for answer in [
        announced + &large,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned() + &chunked,
        "HTTP/1.0 200 OK\r\n\r\n".to_owned() + &large,
    ] {
        let server = Hostile::start(move |visit| visit.end_with(&answer));
        let error = get(&server.url()).unwrap_err();
        assert_eq!(error, TransportError::TooLarge { limit: LONGEST });
    }
    let exact = "x".repeat(LONGEST);
    let server = Hostile::start(move |visit| visit.answer("200 OK", "", &exact));
    let (_, _, body) = get(&server.url()).unwrap();
    assert_eq!(body.map(|body| body.len()), Some(LONGEST));
}

#[test]
fn a_body_that_was_cut_is_an_error() {
    let error = answered_with("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbegin").unwrap_err();
    let expected = TransportError::Truncated {
        received: 5,
        expected: 9,
    };
    assert_eq!(error, expected);
    for chunks in [
        "",
        "5\r\nbegin\r\n",
        "5\r\nbeg",
        "5\r\nbegin\r\n0\r\n",
        "5\r\nbegin\r\n3",
    ] {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let server = Hostile::start(move |visit| visit.end_with(format!("{head}{chunks}")));
        let error = get(&server.url()).unwrap_err();
        assert!(
            matches!(error, TransportError::Broken(_)),
            "{chunks:?}: {error:?}"
        );
    }
}

#[test]
fn a_body_ends_as_its_head_says() {
    for (answer, expected) in [
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            Some("abcde"),
        ),
        (
            "HTTP/1.0 200 OK\r\n\r\nuntil the end",
            Some("until the end"),
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", Some("")),
        (
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
            Some(""),
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Some("")),
        // awc does not read it: it is not told to be empty.
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", None),
    ] {
        let (_, _, body) =
            answered_with(answer).unwrap_or_else(|cause| panic!("{answer}: {cause}"));
        assert_eq!(body.as_deref(), expected.map(str::as_bytes), "{answer}");
    }
}

#[test]
fn what_is_no_answer_is_an_error() {
    for answer in [
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
    ] {
        let error = answered_with(answer).unwrap_err();
        assert!(
            matches!(error, TransportError::Malformed(_)),
            "{answer}: {error:?}"
        );
    }
    for answer in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-len"] {
        let error = answered_with(answer).unwrap_err();
        assert!(
            matches!(error, TransportError::Broken(_)),
            "{answer}: {error:?}"
        );
    }
    let server = Hostile::start(|_| Next::Reset);
    let error = get(&server.url()).unwrap_err();
    assert!(matches!(error, TransportError::Broken(_)), "{error:?}");
}

#[test]
fn no_redirect_is_followed() {
    let other = Hostile::start(ok);
    let location = format!("location: {}/health\r\n", other.url());
    let server = Hostile::start(move |visit| visit.answer("302 Found", &location, ""));
    let (status, headers, _) = get(&server.url()).unwrap();
    assert_eq!(status, 302);
    assert_eq!(
        headers.get("location"),
        Some(&*format!("{}/health", other.url()))
    );
    assert_eq!(server.requests(), 1);
    assert_eq!(other.connections(), 0);
}

#[test]
fn a_connection_that_is_refused_is_told_as_that() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let error = get(&format!("http://{}/health", free.unwrap())).unwrap_err();
    assert!(matches!(error, TransportError::Connect(_)), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn a_bad_url_is_a_bad_request() {
    for url in ["", "/health", "ftp://127.0.0.1/", "http://"] {
        let error = get(url).unwrap_err();
        assert!(
            matches!(error, TransportError::BadRequest(_)),
            "{url}: {error:?}"
        );
    }
}

#[test]
fn an_address_of_ipv6_is_asked_at_its_port() {
    let listener = TcpListener::bind("[::1]:0").expect("this machine has IPv6");
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1024];
        let length = stream.read(&mut head).unwrap();
        let answer =
            "HTTP/1.1 200 OK\r\nx-mine: 1\r\ncontent-length: 15\r\n\r\n{\"status\":\"ok\"}";
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&head[..length]).into_owned()
    });
    is_ok(get(&format!("http://{address}/health")));
    let head = server.join().unwrap();
    assert_eq!(header(&head, "host"), Some(&*address.to_string()));
}

#[test]
fn tls_is_that_of_the_data_path() {
    let server = Hostile::start(ok);
    let identity = Identity::local();
    let front = TlsFront::of(server.address(), &identity, &[b"h2", b"http/1.1"]);
    for host in ["localhost", "127.0.0.1"] {
        let url = front.url(host) + "/health";
        is_ok(get_with(&trusting(&identity, direct()), &url));
        let head = server.heads().pop().unwrap();
        assert_eq!(
            header(&head, "host"),
            Some(&*format!("{host}:{}", front.port))
        );
    }
    assert_eq!(front.agreed(), ["http/1.1", "http/1.1"]);
    let other = Identity::local();
    let url = front.url("localhost");
    let error = get_with(&trusting(&other, direct()), &url).unwrap_err();
    assert!(matches!(error, TransportError::Untrusted(_)), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
    let misnamed = Identity::of(&["other.test"]);
    let front = TlsFront::of(server.address(), &misnamed, &[]);
    let url = front.url("localhost");
    let error = get_with(&trusting(&misnamed, direct()), &url).unwrap_err();
    assert!(matches!(error, TransportError::Untrusted(_)), "{error:?}");
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_proxy_is_asked_for_the_whole_url_with_its_own_key() {
    let server = Hostile::start(ok);
    let proxy = Tinyproxy::start("BasicAuth tester pass-2c6ab01e");
    let url = format!("{}/health?a=b", server.url());
    let settings = through(proxy.url_with("tester:pass-2c6ab01e"));
    is_ok(get_with(&settings, &url));
    assert_eq!(proxy.requests(), [format!("GET {url} HTTP/1.1")]);
    let head = server.heads().remove(0);
    assert_eq!(header(&head, "host"), Some(&*server.address().to_string()));
    assert_eq!(header(&head, "authorization"), Some(KEY));
    assert_eq!(header(&head, "proxy-authorization"), None);
    let (status, _, _) = get_with(&through(proxy.url()), &url).unwrap();
    assert_eq!(status, 407);
    assert_eq!(server.requests(), 1);
}

#[test]
fn through_tls_a_proxy_opens_a_tunnel_and_sees_no_key() {
    let server = Hostile::start(ok);
    let identity = Identity::local();
    let front = TlsFront::of(server.address(), &identity, &[]);
    let proxy = Tinyproxy::start("BasicAuth tester pass-2c6ab01e");
    let settings = through(proxy.url_with("tester:pass-2c6ab01e"));
    let url = front.url("localhost") + "/health";
    is_ok(get_with(&trusting(&identity, settings), &url));
    let line = format!("CONNECT localhost:{} HTTP/1.1", front.port);
    assert_eq!(proxy.requests(), [line]);
    let head = server.heads().remove(0);
    assert!(head.starts_with("GET /health HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "proxy-authorization"), None);
    let settings = trusting(&identity, through(proxy.url()));
    let error = get_with(&settings, &url).unwrap_err();
    assert!(
        matches!(&error, TransportError::Connect(why) if why.contains("407")),
        "{error:?}"
    );
}
