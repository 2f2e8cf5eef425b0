//! TLS by rustls, with the system's root certificates or one that the caller names.

use crate::error::{Error, Result};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::sync::Arc;

/// Which servers are trusted over `https`.
#[derive(Debug, Clone, Default)]
pub struct TlsSettings {
    /// Certificates (PEM) of authorities that are trusted in place of the system's. Default:
    /// none, which means the system's roots, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR` where
    /// these are set.
    pub ca_certificates: Option<Vec<u8>>,
}

impl TlsSettings {
    /// Builds the configurations that all connections share.
    ///
    /// # Errors
    ///
    /// When the given PEM holds no certificate, or one that cannot be read.
    pub(super) fn build(&self) -> Result<TlsConfigs> {
        let roots = match &self.ca_certificates {
            Some(pem) => given_roots(pem)?,
            None => system_roots(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|cause| Error::config("TLS cannot be set up").with_source(cause))?
            .with_root_certificates(roots)
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

/// What is offered in a handshake.
#[derive(Debug, Clone)]
pub(super) struct TlsConfigs {
    /// HTTP/1.1 alone.
    pub(super) http1: Arc<ClientConfig>,
    /// HTTP/2, or else HTTP/1.1.
    pub(super) http2: Arc<ClientConfig>,
}

fn given_roots(pem: &[u8]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let refused = |cause: String| {
            Error::config(format!("ca_certificates holds an unreadable one: {cause}"))
        };
        let certificate = certificate.map_err(|cause| refused(cause.to_string()))?;
        roots
            .add(certificate)
            .map_err(|cause| refused(cause.to_string()))?;
    }
    if roots.is_empty() {
        return Err(Error::config(
            "ca_certificates holds no certificate (PEM, -----BEGIN CERTIFICATE-----)",
        ));
    }
    Ok(roots)
}

/// A system without roots can still speak plain http, so their lack is told and no error.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for cause in &found.errors {
        log::debug!("a root certificate of the system's cannot be read: {cause}");
    }
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    log::debug!("TLS trusts {added} root certificates ({ignored} not usable)");
    if added == 0 {
        log::warn!(
            "no root certificates were found, so that https will fail; \
             install ca-certificates or set SSL_CERT_FILE"
        );
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

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
