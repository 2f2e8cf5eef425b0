//! TLS by rustls, with the system's root certificates or one that the caller names.

mod trust;

use crate::error::{Error, Result};
use rustls::ClientConfig;
use rustls_native_certs::{load_certs_from_paths, load_native_certs};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use trust::Trust;

/// Which servers are trusted over `https`.
#[derive(Debug, Clone, Default)]
pub struct TlsSettings {
    /// Certificates (PEM) of authorities that are trusted in place of the system's; one that a server
    /// signed for itself is trusted for that server. Default: none, which means the system's roots, or
    /// those of `SSL_CERT_FILE` and `SSL_CERT_DIR` where these are set, else of `REQUESTS_CA_BUNDLE`,
    /// else of `CURL_CA_BUNDLE`.
    pub ca_certificates: Option<Vec<u8>>,
}

impl TlsSettings {
    /// Builds the configurations that all connections share.
    ///
    /// # Errors
    ///
    /// When the given PEM holds no certificate, or one that cannot be read.
    pub(super) fn build(&self) -> Result<TlsConfigs> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut trust = Trust::new(&provider);
        match &self.ca_certificates {
            Some(pem) => add_given(pem, &mut trust)?,
            None => add_those_of_the_system(&mut trust),
        }
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|cause| Error::config("TLS cannot be set up").with_source(cause))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(trust))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let http1 = Arc::new(config.clone());
        config.alpn_protocols.insert(0, b"h2".to_vec());
        Ok(TlsConfigs {
            http1,
            http2: Arc::new(config),
        })
    }
}

/// Whether a handshake failed because its server is not trusted.
pub(super) fn is_distrust(cause: &io::Error) -> bool {
    let cause = cause.get_ref().and_then(|cause| cause.downcast_ref());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}

/// What is offered in a handshake.
#[derive(Debug, Clone)]
pub(super) struct TlsConfigs {
    /// HTTP/1.1 alone.
    pub(super) http1: Arc<ClientConfig>,
    /// HTTP/2, or else HTTP/1.1.
    pub(super) http2: Arc<ClientConfig>,
}

fn add_given(pem: &[u8], trust: &mut Trust) -> Result<()> {
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let refused = |cause: String| {
            Error::config(format!("ca_certificates holds an unreadable one: {cause}"))
        };
        let certificate = certificate.map_err(|cause| refused(cause.to_string()))?;
        trust
            .add(certificate)
            .map_err(|cause| refused(cause.to_string()))?;
    }
    if trust.is_empty() {
        return Err(Error::config(
            "ca_certificates holds no certificate (PEM, -----BEGIN CERTIFICATE-----)",
        ));
    }
    Ok(())
}

/// The file or directory of certificates that the environment names as Python's `requests` and `curl`
/// have it, where it does not as OpenSSL has it.
fn bundle(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
    if ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .iter()
        .any(|name| set(name).is_some())
    {
        return None;
    }
    let mut names = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"].iter();
    names.find_map(set).map(PathBuf::from)
}

/// A system without roots can still speak plain http, so their lack is told and no error.
fn add_those_of_the_system(trust: &mut Trust) {
    let found = match bundle(|name| std::env::var_os(name)) {
        None => load_native_certs(),
        Some(path) if path.is_dir() => load_certs_from_paths(None, Some(&path)),
        Some(file) => load_certs_from_paths(Some(&file), None),
    };
    for cause in &found.errors {
        log::debug!("a root certificate of the system's cannot be read: {cause}");
    }
    let all = found.certs.len();
    let added = found
        .certs
        .into_iter()
        .filter_map(|root| trust.add(root).ok());
    let added = added.count();
    log::debug!("TLS trusts {added} root certificates of {all}");
    if added == 0 {
        log::warn!(
            "no root certificates were found, so that https will fail; install ca-certificates or \
             set SSL_CERT_FILE (or REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE) to a file that has some"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openssl_s_variables_go_before_those_of_others() {
        for (set, expected) in [
            (&[][..], None),
            (
                &["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"],
                Some("REQUESTS_CA_BUNDLE"),
            ),
            (&["CURL_CA_BUNDLE"], Some("CURL_CA_BUNDLE")),
            (&["SSL_CERT_FILE", "CURL_CA_BUNDLE"], None),
            (&["SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"], None),
        ] {
            let found = bundle(|name| {
                let is_set = set.contains(&name);
                Some(if is_set { name } else { "" }.into())
            });
            assert_eq!(found, expected.map(PathBuf::from), "{set:?}");
        }
    }

    #[test]
    fn a_pem_without_a_certificate_is_refused() {
        for pem in [
            "",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            let settings = TlsSettings {
                ca_certificates: Some(pem.into()),
            };
            let refused = settings.build().unwrap_err();
            assert!(refused.is_config());
        }
    }
}
