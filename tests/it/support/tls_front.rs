//! TLS in front of any server: what a client and it agree on, and what comes through.

use super::h2_server::{listen, one_thread};
use rcgen::{CertifiedKey, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// A server's key, with a certificate that stands for itself.
pub(crate) struct Identity {
    /// The certificate, to be trusted by clients.
    pub(crate) pem: String,
    config: ServerConfig,
}

impl Identity {
    /// A certificate for these names.
    pub(crate) fn of(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("names");
        let CertifiedKey { cert, signing_key } = made;
        let config = presenting(cert.der().clone(), &signing_key);
        Self {
            pem: cert.pem(),
            config,
        }
    }

    /// A certificate for all that tests call this machine.
    pub(crate) fn local() -> Self {
        Self::of(&["localhost", "127.0.0.1"])
    }
}

/// What a server does that presents this certificate.
pub(crate) fn presenting(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .expect("a key that fits")
}

/// Speaks TLS for a plain server, and passes on what comes through.
pub(crate) struct TlsFront {
    pub(crate) port: u16,
    agreed: Arc<Mutex<Vec<String>>>,
    accepted: Arc<AtomicUsize>,
    // Dropping it ends the front's tasks.
    _runtime: Runtime,
}

impl TlsFront {
    /// In front of the server at `behind`; it agrees to speak the first of `protocols` that the
    /// client offers.
    pub(crate) fn of(behind: SocketAddr, identity: &Identity, protocols: &[&[u8]]) -> Self {
        Self::in_turn(behind, identity, &[protocols])
    }

    /// The same with other protocols each connection; the last repeat.
    pub(crate) fn in_turn(behind: SocketAddr, identity: &Identity, protocols: &[&[&[u8]]]) -> Self {
        let config = |protocols: &&[&[u8]]| {
            let mut config = identity.config.clone();
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            config
        };
        Self::configured(behind, protocols.iter().map(config))
    }

    /// The same with configurations of the caller's own.
    pub(crate) fn configured(
        behind: SocketAddr,
        configs: impl Iterator<Item = ServerConfig>,
    ) -> Self {
        let acceptors: Vec<TlsAcceptor> = configs
            .map(|config| TlsAcceptor::from(Arc::new(config)))
            .collect();
        let runtime = one_thread();
        let (listener, address) = listen(&runtime);
        let agreed = Arc::<Mutex<Vec<String>>>::default();
        let told = Arc::clone(&agreed);
        let accepted = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&accepted);
        runtime.spawn(async move {
            let last = acceptors.len() - 1;
            for number in 0.. {
                let (socket, _) = listener.accept().await?;
                counted.fetch_add(1, SeqCst);
                let acceptor = acceptors[last.min(number)].clone();
                tokio::spawn(pass_on(acceptor, socket, behind, Arc::clone(&told)));
            }
            std::io::Result::Ok(())
        });
        Self {
            port: address.port(),
            agreed,
            accepted,
            _runtime: runtime,
        }
    }

    /// Its base URL, where it is called `host`.
    pub(crate) fn url(&self, host: &str) -> String {
        format!("https://{host}:{}", self.port)
    }

    /// Connections that were accepted so far, whether or not anything was agreed.
    pub(crate) fn connections(&self) -> usize {
        self.accepted.load(SeqCst)
    }

    /// What was agreed to be spoken on each connection; empty where nothing was.
    pub(crate) fn agreed(&self) -> Vec<String> {
        self.agreed.lock().expect("no panic with the lock").clone()
    }
}

async fn pass_on(
    acceptor: TlsAcceptor,
    socket: TcpStream,
    behind: SocketAddr,
    agreed: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<(u64, u64)> {
    socket.set_nodelay(true)?;
    let mut client = acceptor.accept(socket).await?;
    let name = client.get_ref().1.alpn_protocol().unwrap_or_default();
    let name = String::from_utf8_lossy(name).into_owned();
    agreed.lock().expect("no panic with the lock").push(name);
    let mut server = TcpStream::connect(behind).await?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut server).await
}
