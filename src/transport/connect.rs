//! Opening connections: names resolved once and remembered, addresses raced, no delay, TLS.
//!
//! The library's own connector tries addresses one by one, asks DNS for each connection and
//! leaves Nagle's algorithm on. TLS is made here and not by the library, since a [`Stream`] must
//! see what it carries.

use super::stream::Stream;
use actix_rt::net::TcpStream;
use actix_service::Service;
use actix_tls::connect::rustls_0_23::TlsConnector;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Host};
use awc::http::Uri;
use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::future::{LocalBoxFuture, Shared};
use futures_util::stream::FuturesUnordered;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// How long the addresses of a name are remembered. `getaddrinfo` does not tell their own span.
const REMEMBERED: Duration = Duration::from_secs(30);
/// The head start of one address over the next: "Connection Attempt Delay" of RFC 8305.
const STAGGER: Duration = Duration::from_millis(250);

/// What is known of each name, and until when.
type Names = HashMap<Box<str>, (Instant, Lookup)>;

type Lookup = Shared<LocalBoxFuture<'static, Result<Rc<[IpAddr]>, Rc<io::Error>>>>;

/// Connects for one Worker.
#[derive(Clone, Default)]
pub(super) struct Connector {
    names: Rc<RefCell<Names>>,
    tls: Option<Arc<rustls::ClientConfig>>,
    /// Whether a connection from here was found dead after it had been idle.
    stale: Rc<Cell<bool>>,
}

impl Connector {
    /// One that speaks TLS, whatever the scheme of the URL, and shares all else with this one.
    pub(super) fn secure(&self, tls: Arc<rustls::ClientConfig>) -> Self {
        Self {
            tls: Some(tls),
            ..self.clone()
        }
    }

    /// Whether one of the connections made here, or by [`secure`](Self::secure), was found to
    /// have died while it was idle.
    pub(super) fn met_stale(&self) -> bool {
        self.stale.get()
    }

    /// One that has not met any such, and knows the same names.
    pub(super) fn renewed(&self) -> Self {
        Self {
            stale: Rc::default(),
            ..self.clone()
        }
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
        let entry = (Instant::now() + REMEMBERED, lookup.clone());
        self.names.borrow_mut().insert(host.into(), entry);
        lookup
    }

    /// A TCP connection to one of the addresses of `host`.
    async fn open(&self, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
        let addresses: Rc<[IpAddr]> = match host.parse() {
            Ok(address) => Rc::new([address]),
            Err(_) => self.resolve(host).await.map_err(|cause| {
                ConnectError::Resolver(format!("{host} has no address: {cause}").into())
            })?,
        };
        let socket = race(&addresses, port).await?;
        socket.set_nodelay(true).map_err(ConnectError::Io)?;
        Ok(socket)
    }

    /// The library is given `http` for both schemes, so that a missing port is filled in here.
    fn port(&self, uri: &Uri) -> u16 {
        let default = if self.tls.is_some() { 443 } else { 80 };
        uri.port_u16().unwrap_or(default)
    }

    async fn connect(self, uri: Uri) -> Result<Connection<Uri, Stream>, ConnectError> {
        // A URI writes an IPv6 address in brackets.
        let host = uri.hostname().trim_matches(['[', ']']);
        let socket = self.open(host, self.port(&uri)).await?;
        let Some(tls) = self.tls else {
            return Ok(Connection::new(uri, Stream::new(socket, self.stale)));
        };
        let plain = Connection::new(ServerName(host.into()), socket);
        let secured = TlsConnector::service(tls).call(plain).await;
        let (socket, _) = secured.map_err(ConnectError::Io)?.into_parts();
        Ok(Connection::new(uri, Stream::new(socket, self.stale)))
    }
}

/// The name that a certificate is to be for: the host, without brackets and without a port.
struct ServerName(Box<str>);

impl Host for ServerName {
    fn hostname(&self) -> &str {
        &self.0
    }
}

impl Service<ConnectInfo<Uri>> for Connector {
    type Response = Connection<Uri, Stream>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, request: ConnectInfo<Uri>) -> Self::Future {
        self.clone()
            .connect(request.request().clone())
            .boxed_local()
    }
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
async fn race(addresses: &[IpAddr], port: u16) -> Result<TcpStream, ConnectError> {
    let mut waiting = addresses.iter();
    let mut racing = FuturesUnordered::new();
    let mut failure = None;
    loop {
        if let Some(address) = waiting.next() {
            racing.push(TcpStream::connect(SocketAddr::new(*address, port)));
        } else if racing.is_empty() {
            return Err(failure.map_or(ConnectError::NoRecords, ConnectError::Io));
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
        let connector = Connector::default();
        let addresses: Rc<[IpAddr]> = Rc::new([[127, 0, 0, 2].into(), [127, 0, 0, 1].into()]);
        let known = futures_util::future::ready(Ok(addresses)).boxed_local();
        let entry = (Instant::now() + REMEMBERED, known.shared());
        connector
            .names
            .borrow_mut()
            .insert("two.test".into(), entry);
        let socket = connector.open("two.test", port).await.unwrap();
        assert_eq!(
            socket.peer_addr().unwrap().to_string(),
            format!("127.0.0.1:{port}")
        );
        assert!(socket.nodelay().unwrap(), "Nagle's algorithm is on");
    }

    #[actix_rt::test]
    async fn a_name_that_was_not_found_is_looked_up_again() {
        let connector = Connector::default();
        // Too long for a name, so that no name server is asked.
        let name = "x".repeat(64);
        let failed = connector.resolve(&name);
        assert!(failed.clone().await.is_err());
        let again = connector.resolve(&name);
        assert!(!failed.ptr_eq(&again));
    }

    #[actix_rt::test]
    async fn the_schemes_share_names_and_differ_in_their_port() {
        let plain = Connector::default();
        let tls = crate::transport::TlsSettings::default().build().unwrap();
        let secure = plain.secure(tls);
        let (one, other) = (plain.resolve("localhost"), secure.resolve("localhost"));
        assert!(one.ptr_eq(&other));
        let (bare, given) = (
            Uri::from_static("http://h/"),
            Uri::from_static("http://h:8/"),
        );
        assert_eq!((plain.port(&bare), secure.port(&bare)), (80, 443));
        assert_eq!((plain.port(&given), secure.port(&given)), (8, 8));
    }

    #[actix_rt::test]
    async fn a_name_is_looked_up_once_and_remembered() {
        let connector = Connector::default();
        let (first, second) = (
            connector.resolve("localhost"),
            connector.resolve("localhost"),
        );
        assert!(first.ptr_eq(&second));
        assert!(!first.await.unwrap().is_empty());
    }
}
