//! Control requests, which are few and beside the data path: whether a service is ready, and what
//! else is asked of it now and then. awc writes and reads them, over HTTP/1.1.
//!
//! Connections are our own, so that names, proxies, TLS and the time to connect are those of the
//! data path; awc is told `http` whatever it is, and sees what goes through TLS. Each request has
//! one of its own: a kept one would say nothing of a server that was restarted. No redirect is
//! followed, since a key never travels to another host.
//!
//! awc takes an informational answer for the answer, reads a body that was cut as if it were whole,
//! and one that ends with its connection, over HTTP/1.1, as empty. The first two are errors here,
//! and of the last [`ControlAnswer::body`] says that it is not known.

mod answer;

pub(crate) use answer::ControlAnswer;

use super::connect::Connector;
use super::proxy::Rules;
use super::socket::Socket;
use super::target::Target;
use super::way::Way;
use super::{Head, HttpSettings, TransportError};
use crate::error;
use actix_rt::net::{ActixStream, Ready};
use actix_service::fn_service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::http::Uri;
use awc::http::header::{HeaderMap, HeaderName, HeaderValue};
use awc::http::uri::{Parts, PathAndQuery, Scheme};
use http::Method;
use http::header::{CONNECTION, PROXY_AUTHORIZATION};
use std::cell::Cell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use url::Url;

/// Makes control requests. It stays on the thread that made it.
pub(crate) struct Control {
    connector: Connector,
    rules: Rules,
}

impl HttpSettings {
    /// A client for control requests, with these settings. Those are made over HTTP/1.1 whatever
    /// the version is.
    ///
    /// # Errors
    ///
    /// When the TLS or proxy settings cannot be used.
    pub(crate) fn control(&self) -> error::Result<Control> {
        Ok(Control {
            connector: Connector::new(self.connect_timeout, self.tls.build()?),
            rules: self.proxy.rules()?,
        })
    }
}

impl Control {
    /// Makes the request that `head` is, without a body. All of it, from the connection to the last
    /// byte of the answer, takes no longer than `within`; of the answer's body no more is read than
    /// `longest` bytes. Dropping the future closes the connection.
    pub(crate) async fn ask(
        &self,
        head: &Head,
        within: Duration,
        longest: usize,
    ) -> Result<ControlAnswer, TransportError> {
        let asked = tokio::time::timeout(within, self.exchange(head, within, longest)).await;
        asked.unwrap_or_else(|_| Err(answer::late(within)))
    }

    async fn exchange(
        &self,
        head: &Head,
        within: Duration,
        longest: usize,
    ) -> Result<ControlAnswer, TransportError> {
        let bad = |cause: String| TransportError::BadRequest(cause);
        let url = Url::parse(&head.url).map_err(|cause| bad(cause.to_string()))?;
        let target = Target::of(&url)?;
        let proxy = self.rules.server_for(&target)?;
        let way = Rc::new(Way { target, proxy });
        let uri = uri(&way, &url).ok_or_else(|| bad("the URL cannot be asked for".to_owned()))?;
        let method = head.method.as_str().parse();
        let method = method.map_err(|_| bad("the method cannot be written".to_owned()))?;
        let ended = Rc::new(Cell::new(false));
        let mut request = self
            .client(&way, &ended, within)
            .request(method, uri)
            .no_decompress()
            .force_close();
        *request.headers_mut() = headers(&way, head)?;
        let sent = match head.method {
            // Whoever may send a body says that it has none.
            Method::POST | Method::PUT | Method::PATCH => request.send(),
            _ => request.send_body(awc::body::None::new()),
        };
        let sent = sent.await;
        let answer = sent.map_err(|cause| answer::not_sent(cause, &ended, within))?;
        let mut answer = answer::read(answer, &head.method, &ended, longest).await?;
        let secret = way.proxy.as_ref();
        answer.secret = secret.and_then(|proxy| proxy.authorization.clone());
        Ok(answer)
    }

    /// A client of one server, for one request.
    fn client(&self, way: &Rc<Way>, ended: &Rc<Cell<bool>>, within: Duration) -> awc::Client {
        let (connector, way, ended) = (self.connector.clone(), Rc::clone(way), Rc::clone(ended));
        let open = move |asked: ConnectInfo<Uri>| {
            let (connector, way, ended) = (connector.clone(), Rc::clone(&way), Rc::clone(&ended));
            async move {
                let opened = connector.open(&way).await;
                let opened = opened.map_err(|cause| ConnectError::Io(io::Error::other(cause)))?;
                let wire = Wire {
                    socket: opened.socket,
                    ended,
                };
                Ok(Connection::new(asked.request().clone(), wire))
            }
        };
        let connector = awc::Connector::new().connector(fn_service(open));
        awc::Client::builder()
            // Ours has a bound of its own, and the whole has one.
            .connector(connector.timeout(within))
            .disable_timeout()
            .disable_redirects()
            .no_default_headers()
            .finish()
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

/// What awc asks for. It writes the last part of a URI as it is, also where that is a whole URL.
fn uri(way: &Way, url: &Url) -> Option<Uri> {
    let mut parts = Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = way.target.to_string().parse().ok();
    parts.path_and_query = way.asked_for(url).parse::<PathAndQuery>().ok();
    Uri::from_parts(parts).ok()
}

/// The headers that are sent, as awc takes them.
fn headers(way: &Way, head: &Head) -> Result<HeaderMap, TransportError> {
    let own = way.proxy_authorization(head);
    let own = own.map(|value| (&PROXY_AUTHORIZATION, value));
    let given = head.sent_headers(way.is_tunnelled());
    let mut headers = HeaderMap::new();
    for (name, value) in given.map(|pair| (&pair.0, &pair.1)).chain(own) {
        // Whether the connection is kept, awc says.
        if *name == CONNECTION {
            continue;
        }
        let pair = (
            HeaderName::from_bytes(name.as_ref()),
            HeaderValue::from_bytes(value.as_bytes()),
        );
        let (Ok(name), Ok(mut sent)) = pair else {
            let cause = format!("the header {name} cannot be written");
            return Err(TransportError::BadRequest(cause));
        };
        sent.set_sensitive(value.is_sensitive());
        headers.append(name, sent);
    }
    Ok(headers)
}

/// A connection as awc has it. It tells when the server has ended it, of which awc makes nothing.
#[derive(Debug)]
struct Wire {
    socket: Socket,
    ended: Rc<Cell<bool>>,
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.remaining();
        ready!(Pin::new(&mut this.socket).poll_read(cx, into))?;
        if before > 0 && into.remaining() == before {
            this.ended.set(true);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

/// awc asks for a stream that has these, and calls neither. Ready is the answer that is never wrong:
/// whoever then reads or writes is told to wait.
impl ActixStream for Wire {
    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::READABLE))
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::WRITABLE))
    }
}
