//! Opening connections: names resolved once and remembered, addresses raced, no delay; through a
//! proxy where there is one; TLS.

use super::TransportError;
use super::http1::head::{HeadReader, write_header};
use super::proxy::ProxyServer;
use super::socket::Socket;
use super::target::Target;
use super::tls::{self, TlsConfigs};
use super::way::Way;
use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::future::{LocalBoxFuture, Shared};
use futures_util::stream::FuturesUnordered;
use http::StatusCode;
use http::header::PROXY_AUTHORIZATION;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
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
/// The head start of one address over the next: "Connection Attempt Delay" of RFC 8305.
const STAGGER: Duration = Duration::from_millis(250);

/// What is known of each name, and until when.
type Names = HashMap<Box<str>, (Instant, Lookup)>;

type Lookup = Shared<LocalBoxFuture<'static, Result<Rc<[IpAddr]>, Rc<io::Error>>>>;

/// Connects for one Worker.
#[derive(Clone)]
pub(super) struct Connector {
    names: Rc<RefCell<Names>>,
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
        let addresses: Rc<[IpAddr]> = match host.parse() {
            Ok(address) => Rc::new([address]),
            Err(_) => self.resolve(host).await.map_err(|cause| {
                TransportError::Connect(format!("{host} has no address: {cause}"))
            })?,
        };
        let failed = |cause: io::Error| TransportError::Connect(cause.to_string());
        let socket = race(&addresses, target.port).await.map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        Ok(socket)
    }

    /// The addresses of `host`. Connections that open side by side share one look-up.
    fn resolve(&self, host: &str) -> Lookup {
        if let Some((until, lookup)) = self.names.borrow().get(host)
            && *until > Instant::now()
            && !matches!(lookup.peek(), Some(Err(_)))
        {
            return lookup.clone();
        }
        let name = host.to_owned();
        let lookup = async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let addresses: Vec<IpAddr> = found.map_err(Rc::new)?.map(|found| found.ip()).collect();
            Ok(interleaved(addresses).into())
        }
        .boxed_local()
        .shared();
        let now = Instant::now();
        let mut names = self.names.borrow_mut();
        if names.len() >= MOST_NAMES {
            names.retain(|_, (until, _)| *until > now);
        }
        names.insert(host.into(), (now + REMEMBERED, lookup.clone()));
        lookup
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

/// Families by turns, the resolver's first choice first (RFC 8305, section 4).
fn interleaved(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let first_is_v6 = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (mut first, mut second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut ordered = Vec::with_capacity(first.len() + second.len());
    first.reverse();
    second.reverse();
    while !first.is_empty() || !second.is_empty() {
        ordered.extend(first.pop());
        ordered.extend(second.pop());
    }
    ordered
}

/// Connects to whichever address answers first; each gets a short head start over the next, and
/// none when the one before it failed.
async fn race(addresses: &[IpAddr], port: u16) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter();
    let mut racing = FuturesUnordered::new();
    let mut failure = None;
    loop {
        if let Some(address) = waiting.next() {
            racing.push(TcpStream::connect(SocketAddr::new(*address, port)));
        } else if racing.is_empty() {
            let none = || io::Error::new(ErrorKind::NotFound, "the host has no address");
            return Err(failure.unwrap_or_else(none));
        }
        let ended = if waiting.as_slice().is_empty() {
            racing.next().await
        } else {
            let ended = tokio::time::timeout(STAGGER, racing.next()).await;
            ended.unwrap_or(None)
        };
        match ended {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(cause)) => failure = Some(cause),
            None => {}
        }
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

    #[test]
    fn families_take_turns_and_the_first_stays_first() {
        let v4 = |last| IpAddr::from([10, 0, 0, last]);
        let v6 = |last| IpAddr::from([0, 0, 0, 0, 0, 0, 0, last]);
        let mixed = vec![v6(1), v6(2), v4(1), v4(2), v4(3)];
        let expected = [v6(1), v4(1), v6(2), v4(2), v4(3)];
        assert_eq!(interleaved(mixed), expected);
        assert_eq!(interleaved(vec![v4(1), v6(1)]), [v4(1), v6(1)]);
    }

    #[actix_rt::test]
    async fn an_address_that_refuses_costs_nothing_but_its_turn() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // Nothing listens on 127.0.0.2 at that port.
        let addresses = [IpAddr::from([127, 0, 0, 2]), IpAddr::from([127, 0, 0, 1])];
        let stream = race(&addresses, port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), addresses[1]);
        assert!(race(&addresses[..1], port).await.is_err());
    }

    #[actix_rt::test]
    async fn a_name_with_an_address_that_refuses_is_connected_to_without_delay() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connector = connector();
        let addresses: Rc<[IpAddr]> = Rc::new([[127, 0, 0, 2].into(), [127, 0, 0, 1].into()]);
        let known = futures_util::future::ready(Ok(addresses)).boxed_local();
        let entry = (Instant::now() + REMEMBERED, known.shared());
        connector
            .names
            .borrow_mut()
            .insert("two.test".into(), entry);
        let target = Target {
            secure: false,
            host: "two.test".into(),
            port,
        };
        let socket = connector.dial(&target).await.unwrap();
        assert_eq!(
            socket.peer_addr().unwrap().to_string(),
            format!("127.0.0.1:{port}")
        );
        assert!(socket.nodelay().unwrap(), "Nagle's algorithm is on");
    }

    #[actix_rt::test]
    async fn a_name_that_was_not_found_is_looked_up_again() {
        let connector = connector();
        // Too long for a name, so that no name server is asked.
        let name = "x".repeat(64);
        let failed = connector.resolve(&name);
        assert!(failed.clone().await.is_err());
        let again = connector.resolve(&name);
        assert!(!failed.ptr_eq(&again));
    }

    #[actix_rt::test]
    async fn a_name_is_looked_up_once_and_remembered() {
        let connector = connector();
        let (first, second) = (
            connector.resolve("localhost"),
            connector.resolve("localhost"),
        );
        assert!(first.ptr_eq(&second));
        assert!(!first.await.unwrap().is_empty());
    }
}
