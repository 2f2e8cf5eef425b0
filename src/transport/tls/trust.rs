//! Who is trusted: servers with a certificate by an authority, and servers whose own certificate is
//! among those that are trusted.
//!
//! `openssl req -x509` makes a certificate that is signed by itself, and marks it as an authority's:
//! webpki takes none of these for a server's, also where it was said to be trusted. Here that one is,
//! byte by byte; its name and its time are looked at as any other's.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// The certificates that are trusted.
#[derive(Debug)]
pub(super) struct Trust {
    roots: RootCertStore,
    /// The same as they came.
    certificates: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Trust {
    pub(super) fn new(provider: &CryptoProvider) -> Self {
        Self {
            roots: RootCertStore::empty(),
            certificates: Vec::new(),
            algorithms: provider.signature_verification_algorithms,
        }
    }

    pub(super) fn add(&mut self, certificate: CertificateDer<'static>) -> Result<(), Error> {
        self.roots.add(certificate.clone())?;
        self.certificates.push(certificate);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }
}

/// Whether a certificate is refused because it is an authority's. Its time has been looked at before.
fn is_an_authority(refused: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) = refused else {
        return false;
    };
    cause.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity)
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let signed = verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        );
        if let Err(refused) = signed {
            let mut trusted = self.certificates.iter();
            if !is_an_authority(&refused) || !trusted.any(|it| **it == **end_entity) {
                return Err(refused);
            }
        }
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
