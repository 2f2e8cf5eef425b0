//! Opening connections: names resolved once and remembered, addresses raced, no delay; through a
//! proxy where there is one; TLS.

use super::TransportError;
use super::addresses::{Addresses, is_own_limit};
use super::http1::head::{HeadReader, write_header};
use super::proxy::ProxyServer;
use super::socket::Socket;
use super::target::Target;
use super::tls::{self, TlsConfigs};
use super::way::Way;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared};
use http::StatusCode;
use http::header::PROXY_AUTHORIZATION;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long the addresses of a name are remembered. `getaddrinfo` does not tell their own span.
const REMEMBERED: Duration = Duration::from_secs(30);
/// Beyond so many names, those that are no longer valid are forgotten.
const MOST_NAMES: usize = 64;

/// What is known of each name.
type Names = HashMap<Box<str>, Name>;

struct Name {
    lookup: Lookup,
    valid_until: Instant,
    /// Which of its addresses comes first the next time.
    turn: usize,
}

type Lookup = Shared<LocalBoxFuture<'static, Result<Rc<[IpAddr]>, Rc<io::Error>>>>;

/// Connects for one Worker.
#[derive(Clone)]
pub(super) struct Connector {
    names: Rc<RefCell<Names>>,
    addresses: Rc<Addresses>,
    timeout: Duration,
    tls: TlsConfigs,
}

/// A connection that has been opened.
pub(super) struct Opened {
    pub(super) socket: Socket,
    /// Whether the server agreed, over TLS, to speak HTTP/2.
    pub(super) speaks_http2: bool,
}

impl Connector {
    pub(super) fn new(timeout: Duration, tls: TlsConfigs) -> Self {
        Self {
            names: Rc::default(),
            addresses: Rc::default(),
            timeout,
            tls,
        }
    }

    /// The longest that opening a connection takes.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Opens a connection over which a request can be sent.
    pub(super) async fn open(&self, way: &Way) -> Result<Opened, TransportError> {
        // HTTP/1.1 alone is offered, as to proxies: a server that is several may choose anew.
        let opening = self.connect(way, way.target.secure, &self.tls.http1);
        self.in_time(way, opening).await
    }

    /// The same for HTTP/2, of which a proxy passes on nothing: it is always asked for a tunnel.
    /// What is begun over the connection is given as much time as is left.
    pub(super) async fn open_for_http2<T>(
        &self,
        way: &Way,
        begin: impl AsyncFnOnce(Opened) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let opening = async {
            let opened = self.connect(way, true, &self.tls.http2).await?;
            begin(opened).await
        };
        self.in_time(way, opening).await
    }

    async fn in_time<T>(
        &self,
        way: &Way,
        opening: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
        let opened = tokio::time::timeout(self.timeout, opening).await;
        opened.unwrap_or_else(|_| {
            let through = way.proxy.as_ref().map_or("", |_| " through the proxy");
            let late = format!("connecting{through} took too long (connect_timeout)");
            Err(TransportError::Connect(late))
        })
    }

    async fn connect(
        &self,
        way: &Way,
        needs_tunnel: bool,
        tls: &Arc<ClientConfig>,
    ) -> Result<Opened, TransportError> {
        let target = &way.target;
        let socket = match &way.proxy {
            None => Socket::Plain(self.dial(target).await?),
            Some(proxy) => {
                let mut socket = self.reach(proxy).await?;
                if needs_tunnel {
                    tunnel(&mut socket, proxy, target).await?;
                }
                socket
            }
        };
        if !target.secure {
            return Ok(Opened {
                socket,
                speaks_http2: false,
            });
        }
        let stream = secured(socket, target, tls).await?;
        let agreed = stream.get_ref().1.alpn_protocol();
        Ok(Opened {
            speaks_http2: agreed == Some(b"h2"),
            socket: Socket::Layered(Box::new(stream)),
        })
    }

    /// A connection to a proxy.
    async fn reach(&self, proxy: &ProxyServer) -> Result<Socket, TransportError> {
        let through = |cause| match cause {
            TransportError::Connect(cause) => {
                TransportError::Connect(format!("the proxy cannot be reached: {cause}"))
            }
            TransportError::Untrusted(cause) => {
                TransportError::Untrusted(format!("the proxy cannot be reached: {cause}"))
            }
            other => other,
        };
        let socket = self.dial(&proxy.target).await.map_err(through)?;
        let socket = Socket::Plain(socket);
        if !proxy.target.secure {
            return Ok(socket);
        }
        let stream = secured(socket, &proxy.target, &self.tls.http1).await;
        Ok(Socket::Layered(Box::new(stream.map_err(through)?)))
    }

    /// A TCP connection to one of the addresses of the target's host.
    async fn dial(&self, target: &Target) -> Result<TcpStream, TransportError> {
        let host = &*target.host;
        let (lookup, turn) = if let Ok(address) = host.parse::<IpAddr>() {
            (Ok(Rc::from([address])), 0)
        } else {
            let (lookup, turn) = self.resolve(host);
            (lookup.await, turn)
        };
        let addresses = lookup.map_err(|cause| match failed(&cause) {
            TransportError::Connect(cause) => {
                TransportError::Connect(format!("{host} has no address: {cause}"))
            }
            other => other,
        })?;
        let socket = self.addresses.connect(&addresses, target.port, turn);
        let socket = socket.await.map_err(|cause| failed(&cause))?;
        let undelayed = socket.set_nodelay(true);
        undelayed.map_err(|cause| failed(&cause))?;
        Ok(socket)
    }

    /// The addresses of `host`, and which of them comes first this time. Connections that open side
    /// by side share one look-up.
    fn resolve(&self, host: &str) -> (Lookup, usize) {
        let now = Instant::now();
        let mut names = self.names.borrow_mut();
        let known = names.get_mut(host);
        // Each Worker begins with another.
        let mut turn = rand::random_range(0..usize::from(u16::MAX));
        if let Some(name) = known {
            name.turn += 1;
            turn = name.turn;
            let was_not_found = matches!(name.lookup.peek(), Some(Err(_)));
            if name.valid_until > now && !was_not_found {
                return (name.lookup.clone(), turn);
            }
        }
        let asked_for = host.to_owned();
        let lookup = async move {
            let found = tokio::net::lookup_host((asked_for.as_str(), 0)).await;
            Ok(found.map_err(Rc::new)?.map(|found| found.ip()).collect())
        }
        .boxed_local()
        .shared();
        if names.len() >= MOST_NAMES {
            names.retain(|_, name| name.valid_until > now);
        }
        let name = Name {
            lookup: lookup.clone(),
            valid_until: now + REMEMBERED,
            turn,
        };
        names.insert(host.into(), name);
        (lookup, turn)
    }
}

/// Asks a proxy for a tunnel to `target` (RFC 9110, section 9.3.6).
async fn tunnel(
    socket: &mut Socket,
    proxy: &ProxyServer,
    target: &Target,
) -> Result<(), TransportError> {
    let refused =
        |why: String| TransportError::Connect(format!("the proxy opened no tunnel: {why}"));
    let failed = |cause: io::Error| refused(cause.to_string());
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n").into_bytes();
    if let Some(value) = &proxy.authorization {
        write_header(&mut request, &PROXY_AUTHORIZATION, value);
    }
    request.extend_from_slice(b"\r\n");
    socket.write_all(&request).await.map_err(failed)?;
    socket.flush().await.map_err(failed)?;
    let mut reader = HeadReader::default();
    let mut answer = Vec::with_capacity(512);
    let status = loop {
        // Byte by byte: what follows the head is the server's, which may speak first.
        answer.push(socket.read_u8().await.map_err(failed)?);
        let read = reader.read(&answer);
        if let Some((head, _)) = read.map_err(|cause| refused(cause.to_string()))? {
            break head.status;
        }
    };
    if (200..300).contains(&status) {
        return Ok(());
    }
    let status = StatusCode::from_u16(status).map_or(status.to_string(), |code| code.to_string());
    Err(refused(format!("it answered {status}")))
}

async fn secured(
    socket: Socket,
    target: &Target,
    config: &Arc<ClientConfig>,
) -> Result<TlsStream<Socket>, TransportError> {
    let failed = |cause: String| TransportError::Connect(cause);
    let name = ServerName::try_from(target.host.to_string())
        .map_err(|_| failed(format!("{} is no name that a certificate has", target.host)))?;
    let handshake = TlsConnector::from(Arc::clone(config)).connect(name, socket);
    handshake.await.map_err(|cause| {
        if tls::is_distrust(&cause) {
            TransportError::Untrusted(cause.to_string())
        } else {
            failed(cause.to_string())
        }
    })
}

fn failed(cause: &io::Error) -> TransportError {
    if is_own_limit(cause) {
        TransportError::Exhausted(cause.to_string())
    } else {
        TransportError::Connect(cause.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::TlsSettings;

    fn connector() -> Connector {
        let tls = TlsSettings::default().build().unwrap();
        Connector::new(Duration::from_secs(1), tls)
    }

    /// The name of `two` is known to have two addresses.
    fn know_two(connector: &Connector) {
        let addresses: Rc<[IpAddr]> = Rc::new([[127, 0, 0, 2].into(), [127, 0, 0, 1].into()]);
        let known = futures_util::future::ready(Ok(addresses)).boxed_local();
        let name = Name {
            lookup: known.shared(),
            valid_until: Instant::now() + REMEMBERED,
            turn: 0,
        };
        connector.names.borrow_mut().insert("two.test".into(), name);
    }

    fn two(port: u16) -> Target {
        Target {
            secure: false,
            host: "two.test".into(),
            port,
        }
    }

    #[actix_rt::test]
    async fn a_name_with_an_address_that_refuses_is_connected_to_without_delay() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connector = connector();
        know_two(&connector);
        for _ in 0..4 {
            let socket = connector.dial(&two(port)).await.unwrap();
            assert_eq!(
                socket.peer_addr().unwrap().to_string(),
                format!("127.0.0.1:{port}")
            );
            assert!(socket.nodelay().unwrap(), "Nagle's algorithm is on");
        }
    }

    #[actix_rt::test]
    async fn the_addresses_of_a_name_share_its_connections() {
        let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let _second = std::net::TcpListener::bind(("127.0.0.2", port)).unwrap();
        let connector = connector();
        know_two(&connector);
        let mut connected = HashMap::new();
        for _ in 0..10 {
            let socket = connector.dial(&two(port)).await.unwrap();
            *connected.entry(socket.peer_addr().unwrap()).or_insert(0) += 1;
        }
        let counts: Vec<_> = connected.into_values().collect();
        assert_eq!(counts, [5, 5]);
    }

    #[actix_rt::test]
    async fn a_name_that_was_not_found_is_looked_up_again() {
        let connector = connector();
        // Too long for a name, so that no name server is asked.
        let name = "x".repeat(64);
        let (failed, _) = connector.resolve(&name);
        assert!(failed.clone().await.is_err());
        let (again, _) = connector.resolve(&name);
        assert!(!failed.ptr_eq(&again));
    }

    #[actix_rt::test]
    async fn a_name_is_looked_up_once_and_remembered() {
        let connector = connector();
        let (first, turn) = connector.resolve("localhost");
        let (second, next) = connector.resolve("localhost");
        assert!(first.ptr_eq(&second));
        assert_eq!(next, turn + 1);
        assert!(!first.await.unwrap().is_empty());
    }
}
