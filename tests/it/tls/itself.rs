//! Certificates that stand for themselves, and the variables that name who is trusted.

use super::{ask, assert_refused, front_of, in_a_process_of_its_own, preference, with_settings};
use crate::support::hostile::{Hostile, assert_right};
use crate::support::tls_front::{TlsFront, presenting};
use crate::support::{client_of, texts};
use hedgerow::transport::{HttpSettings, TlsSettings};
use hedgerow::{BlockingClient, Embed, Preference};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair, date_time_ymd};
use std::path::{Path, PathBuf};

/// A certificate as `openssl req -x509` makes one: signed by itself, and an authority's. It ends with
/// this year.
fn made_by_openssl(names: &[&str], year: i32) -> (Certificate, KeyPair) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(year, 12, 31);
    let key = KeyPair::generate().expect("a key");
    (params.self_signed(&key).expect("a certificate"), key)
}

const FAR: i32 = 2200;

fn front(server: &Hostile, (certificate, key): &(Certificate, KeyPair)) -> TlsFront {
    let config = presenting(certificate.der().clone(), key);
    TlsFront::configured(server.address(), std::iter::once(config))
}

fn trusting(url: &str, (certificate, _): &(Certificate, KeyPair)) -> BlockingClient {
    let http = HttpSettings {
        tls: TlsSettings {
            ca_certificates: Some(certificate.pem().into()),
        },
        ..HttpSettings::default()
    };
    with_settings(url, http)
}

#[test]
fn a_certificate_that_signed_itself_is_trusted_where_it_is_named() {
    let server = Hostile::honest();
    let own = made_by_openssl(&["localhost"], FAR);
    let front = front(&server, &own);
    let found = ask(&trusting(&front.url("localhost"), &own)).expect("trusted as itself");
    assert_right(&found, 0, 1);
    // For its name alone.
    let elsewhere = ask(&trusting(&front.url("127.0.0.1"), &own));
    assert_refused(elsewhere, "not valid for");
    // It alone: another of the same name is another.
    let other = made_by_openssl(&["localhost"], FAR);
    assert_refused(
        ask(&trusting(&front.url("localhost"), &other)),
        "certificate",
    );
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_certificate_that_signed_itself_is_trusted_for_as_long_as_it_says() {
    let server = Hostile::honest();
    let old = made_by_openssl(&["localhost"], 2021);
    let front = front(&server, &old);
    assert_refused(ask(&trusting(&front.url("localhost"), &old)), "expired");
    assert_eq!(server.requests(), 0);
}

/// Asks in a process of its own, which alone has that environment.
#[test]
fn variables_name_who_is_trusted_in_their_order() {
    const URL: &str = "HEDGEROW_TEST_BUNDLE_URL";
    if let Ok(url) = std::env::var(URL) {
        assert_right(&ask(&client_of(&url)).expect("trusted"), 0, 1);
        return;
    }
    let test = concat!(
        module_path!(),
        "::variables_name_who_is_trusted_in_their_order"
    );
    let server = Hostile::honest();
    let own = made_by_openssl(&["localhost"], FAR);
    let front = front(&server, &own);
    let url = front.url("localhost");
    let written = |name: &str, text: &str| -> PathBuf {
        let name = format!("hedgerow-test-{}-{name}.pem", std::process::id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, text).expect("a temporary file");
        file
    };
    let good = written("good", &own.0.pem());
    let other = written("other", &made_by_openssl(&["localhost"], FAR).0.pem());
    let mut asked = 0;
    let unset = Path::new("");
    for [openssl, requests, curl] in [
        [&*good, &other, &other],
        [unset, &good, &other],
        [unset, unset, &good],
    ] {
        let variables = [
            ("SSL_CERT_FILE", openssl),
            ("REQUESTS_CA_BUNDLE", requests),
            ("CURL_CA_BUNDLE", curl),
            ("SSL_CERT_DIR", unset),
        ];
        in_a_process_of_its_own(test, (URL, &url), &variables);
        asked += 1;
        assert_eq!(server.requests(), asked, "{variables:?}");
    }
    for file in [good, other] {
        std::fs::remove_file(file).expect("the temporary file");
    }
}

#[test]
fn a_certificate_that_is_refused_is_looked_at_once() {
    let server = Hostile::honest();
    let (front, _) = front_of(&server, &["localhost"]);
    let patient = Preference {
        max_retries: 5,
        ..preference()
    };
    let url = front.url("localhost");
    let call = Embed::new(texts(1), "m").preference(patient);
    let error = client_of(&url).embed(call).expect_err("nobody trusts it");
    assert!(error.is_connect(), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(server.connections(), 0, "a key may have been sent");
    assert_eq!(front.connections(), 1, "{error}");
}
