//! Certificates: who is trusted, for which name, and what happens where there is no TLS.

mod itself;

use crate::support::hostile::{Hostile, Next, assert_right};
use crate::support::tls_front::{TlsFront, presenting};
use crate::support::{client_of, client_on, texts};
use hedgerow::transport::{HttpSettings, TlsSettings};
use hedgerow::{BlockingClient, Embed, Embeddings, Error, Preference, System};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// An authority of our own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// What a server of these names presents.
    fn server_config(&self, names: &[&str]) -> ServerConfig {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names).expect("names");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        presenting(certificate.der().clone(), &key)
    }
}

/// A TLS front of a plain server, which presents a certificate for `names`, by an authority of its
/// own.
fn front_of(server: &Hostile, names: &[&str]) -> (TlsFront, Authority) {
    let authority = Authority::new();
    let config = authority.server_config(names);
    let front = TlsFront::configured(server.address(), std::iter::once(config));
    (front, authority)
}

fn preference() -> Preference {
    Preference {
        timeout: Duration::from_secs(20),
        max_retries: 1,
        ..Preference::default()
    }
}

fn ask(client: &BlockingClient) -> Result<Embeddings, Error> {
    client.embed(Embed::new(texts(1), "m").preference(preference()))
}

/// A client that trusts `authority` and no other.
fn trusting(url: &str, authority: &Authority) -> BlockingClient {
    let http = HttpSettings {
        tls: TlsSettings {
            ca_certificates: Some(authority.pem().into()),
        },
        ..HttpSettings::default()
    };
    with_settings(url, http)
}

fn with_settings(url: &str, http: HttpSettings) -> BlockingClient {
    let system = System::builder().workers(1).http(http).start();
    client_on(url, system.expect("a system"))
}

fn assert_refused(result: Result<Embeddings, Error>, why: &str) {
    let error = result.expect_err(why);
    assert!(error.is_connect(), "{error}");
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn a_server_of_a_trusted_authority_is_spoken_to_by_name_and_by_address() {
    let server = Hostile::honest();
    let (front, authority) = front_of(&server, &["localhost", "127.0.0.1"]);
    for host in ["localhost", "127.0.0.1"] {
        let client = trusting(&front.url(host), &authority);
        for _ in 0..3 {
            assert_right(&ask(&client).expect("trusted"), 0, 1);
        }
    }
    // One connection a client, kept for its next request.
    assert_eq!((server.connections(), server.requests()), (2, 6));
    let head = &server.heads()[0];
    assert!(
        head.starts_with("POST /v1/embeddings HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains(&format!("host: localhost:{}\r\n", front.port)),
        "{head}"
    );
}

#[test]
fn the_same_traps_are_closed_over_tls() {
    let server = Hostile::start(|visit| match visit.number {
        // Informational, and without a length.
        0 => {
            let body = visit.rows();
            visit.end_with(format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{body}"
            ))
        }
        // Cut, and the connection aborted.
        1 => {
            visit.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{");
            Next::Reset
        }
        _ => visit.right(),
    });
    let (front, authority) = front_of(&server, &["localhost"]);
    let client = trusting(&front.url("localhost"), &authority);
    let first = ask(&client).expect("read to its end");
    assert_right(&first, 0, 1);
    assert_eq!(first.requests()[0].attempts, 1);
    let second = ask(&client).expect("retried");
    assert_right(&second, 0, 1);
    assert_eq!(second.requests()[0].attempts, 2);
    assert_eq!((server.connections(), server.requests()), (3, 3));
}

#[test]
fn a_server_of_an_unknown_authority_is_refused() {
    let server = Hostile::honest();
    let (front, _) = front_of(&server, &["localhost"]);
    let url = front.url("localhost");
    assert_refused(ask(&client_of(&url)), "certificate");
    assert_refused(ask(&trusting(&url, &Authority::new())), "certificate");
    assert_eq!(server.requests(), 0, "a key may have been sent");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let server = Hostile::honest();
    let (front, authority) = front_of(&server, &["other.test"]);
    for host in ["localhost", "127.0.0.1"] {
        let client = trusting(&front.url(host), &authority);
        assert_refused(ask(&client), "not valid for name");
    }
    assert_eq!(server.requests(), 0, "a key may have been sent");
}

#[test]
fn one_client_speaks_to_both_schemes_of_one_port_number() {
    let server = Hostile::honest();
    let (front, authority) = front_of(&server, &["localhost"]);
    let secure = trusting(&front.url("localhost"), &authority);
    assert_right(&ask(&secure).expect("trusted"), 0, 1);
    // Over the kept connection of the other scheme this would be answered.
    let system = secure.as_async().system().clone();
    let plain = client_on(&format!("http://localhost:{}", front.port), system);
    let error = ask(&plain).expect_err("not plain");
    assert!(error.is_network(), "{error}");
    assert_eq!(server.requests(), 1);
}

/// The server has heard of no TLS: it answers a hello as what it is, no HTTP.
#[test]
fn https_to_a_plain_server_is_a_connect_error_at_once() {
    let plain = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = plain.local_addr().expect("a bound listener");
    let answering = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut socket, _) = plain.accept()?;
        let _ = socket.read(&mut [0; 4096])?;
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
    });
    let start = Instant::now();
    let error = ask(&client_of(&format!("https://{address}"))).expect_err("no TLS there");
    assert!(error.is_connect(), "{error}");
    let quickly = HttpSettings::default().connect_timeout;
    assert!(start.elapsed() < quickly, "{:?}", start.elapsed());
    answering.join().expect("no panic").expect("a client came");
}

#[test]
fn a_handshake_that_stalls_is_a_connect_error_after_connect_timeout() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("a bound listener");
    let connect_timeout = Duration::from_millis(300);
    let http = HttpSettings {
        connect_timeout,
        ..HttpSettings::default()
    };
    let start = Instant::now();
    let result = ask(&with_settings(&format!("https://{address}"), http));
    assert_refused(result, "connect_timeout");
    let took = start.elapsed();
    let default = HttpSettings::default().connect_timeout;
    assert!(took >= connect_timeout && took < default, "{took:?}");
}

/// Runs a test of this binary once more, in a process of its own: the environment and the logger
/// belong to a process. `mark` is set there, by which the test knows its second run.
pub(crate) fn in_a_process_of_its_own(test: &str, mark: (&str, &str), more: &[(&str, &Path)]) {
    // The names of tests do not begin with that of the binary.
    let (_, test) = test.split_once("::").expect("the path of a test");
    let output = Command::new(std::env::current_exe().expect("this binary"))
        .args([test, "--exact", "--nocapture"])
        .env(mark.0, mark.1)
        .envs(more.iter().copied())
        .output()
        .expect("a child");
    let told = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{complained}");
    // No test of that name would be a success as well.
    assert!(told.contains("1 passed"), "{told}");
}

#[test]
fn ssl_cert_file_names_who_is_trusted() {
    const URL: &str = "HEDGEROW_TEST_TLS_URL";
    if let Ok(url) = std::env::var(URL) {
        let found = ask(&client_of(&url)).expect("trusted by SSL_CERT_FILE");
        assert_right(&found, 0, 1);
        return;
    }
    let server = Hostile::honest();
    let (front, authority) = front_of(&server, &["localhost"]);
    let url = front.url("localhost");
    assert_refused(ask(&client_of(&url)), "certificate");

    let name = format!("hedgerow-test-{}.pem", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, authority.pem()).expect("a temporary file");
    let test = concat!(module_path!(), "::ssl_cert_file_names_who_is_trusted");
    in_a_process_of_its_own(test, (URL, &url), &[("SSL_CERT_FILE", &file)]);
    std::fs::remove_file(&file).expect("the temporary file");
    assert_eq!(server.requests(), 1);
}
