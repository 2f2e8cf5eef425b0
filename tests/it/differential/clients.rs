//! The three clients: ours, hyper and awc. Each is asked in its own way and tells the same of it.

use super::outcome::Outcome;
use super::server::{FIRST_PATH, SECOND_PATH, Server};
use futures_util::StreamExt;
use hedgerow::transport::{
    Account, Head, Request, Response, Transport, TransportError, TransportFactory,
};
use http::Method;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Which of the two requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    First { is_head: bool },
    Second,
}

impl Which {
    fn method(self) -> Method {
        match self {
            Self::First { is_head: true } => Method::HEAD,
            _ => Method::GET,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::First { .. } => FIRST_PATH,
            Self::Second => SECOND_PATH,
        }
    }
}

/// A client with the connections that it keeps.
pub(super) trait Ask {
    /// Makes a request of the server.
    async fn ask(&self, server: &Server, which: Which) -> Outcome;
}

/// Ours.
pub(super) struct Ours(Rc<dyn Transport>);

impl Ours {
    pub(super) fn new(factory: &TransportFactory) -> Self {
        Self(factory())
    }

    async fn send(
        &self,
        server: &Server,
        which: Which,
        fresh: bool,
    ) -> Result<Response, TransportError> {
        let url = format!("{}{}", server.url, which.path());
        let account = Arc::new(Account::new(&server.url, &[]));
        let host = server.address.parse().expect("an address is a value");
        let headers = vec![(http::header::HOST, host)];
        let head = Head::new(which.method(), url, account, headers);
        let request = Request {
            head: Arc::new(head),
            own: None,
            body: None,
            fresh,
            last_try: false,
        };
        self.0.send(request).await
    }
}

impl Ask for Ours {
    async fn ask(&self, server: &Server, which: Which) -> Outcome {
        let answer = match self.send(server, which, false).await {
            // As a Worker does, with a retry where the server may have read it.
            Err(TransportError::Stale { .. }) => self.send(server, which, true).await,
            other => other,
        };
        let Ok(mut answer) = answer else {
            return Outcome::Refused;
        };
        let (status, mut body) = (answer.status, Vec::new());
        loop {
            match poll_fn(|cx| answer.body.poll_read(cx, &mut body)).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) => return Outcome::BrokeOff { status },
            }
        }
        let headers = answer.headers.iter();
        Outcome::answer(
            status,
            headers.map(|(name, value)| (name, value.as_bytes())),
            body,
        )
    }
}

/// hyper, over a connection that is kept while hyper says that it can be.
#[derive(Default)]
pub(super) struct Hyper {
    kept: RefCell<Option<SendRequest<Empty<Bytes>>>>,
    /// The tasks of its connections.
    tasks: RefCell<JoinSet<()>>,
}

impl Hyper {
    async fn connection(&self, server: &Server) -> SendRequest<Empty<Bytes>> {
        let kept = self.kept.take();
        if let Some(mut kept) = kept
            && kept.ready().await.is_ok()
        {
            return kept;
        }
        let stream = TcpStream::connect(&server.address)
            .await
            .expect("connected");
        // As ours: so many headers, and what httparse calls lenient that ours is.
        let (sender, connection) = Builder::new()
            .max_headers(1024)
            .allow_spaces_after_header_name_in_responses(true)
            .handshake(TokioIo::new(stream))
            .await
            .expect("a handshake is nothing yet");
        self.tasks.borrow_mut().spawn_local(async move {
            let _ = connection.await;
        });
        sender
    }
}

impl Ask for Hyper {
    async fn ask(&self, server: &Server, which: Which) -> Outcome {
        let mut sender = self.connection(server).await;
        let request = http::Request::builder()
            .method(which.method())
            .uri(which.path())
            .header(http::header::HOST, &server.address)
            .body(Empty::new())
            .expect("a request");
        let Ok(answer) = sender.send_request(request).await else {
            return Outcome::Refused;
        };
        let (head, mut body) = answer.into_parts();
        let (status, mut bytes) = (head.status.as_u16(), Vec::new());
        while let Some(frame) = body.frame().await {
            match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(data)) => bytes.extend_from_slice(&data),
                // Trailers, which ours leaves out.
                Ok(Err(_)) => {}
                Err(_) => return Outcome::BrokeOff { status },
            }
        }
        self.kept.replace(Some(sender));
        let headers = head.headers.iter();
        Outcome::answer(
            status,
            headers.map(|(name, value)| (name.as_str(), value.as_bytes())),
            bytes,
        )
    }
}

/// awc as it comes, but that it neither follows redirects nor ends by itself.
pub(super) struct Awc(awc::Client);

impl Default for Awc {
    fn default() -> Self {
        let builder = awc::Client::builder();
        Self(builder.disable_redirects().disable_timeout().finish())
    }
}

impl Ask for Awc {
    async fn ask(&self, server: &Server, which: Which) -> Outcome {
        let url = format!("{}{}", server.url, which.path());
        let method = awc::http::Method::from_bytes(which.method().as_str().as_bytes());
        let request = self.0.request(method.expect("a method"), url);
        let Ok(mut answer) = request.no_decompress().send().await else {
            return Outcome::Refused;
        };
        let (status, mut body) = (answer.status().as_u16(), Vec::new());
        while let Some(piece) = answer.next().await {
            match piece {
                Ok(piece) => body.extend_from_slice(&piece),
                Err(_) => return Outcome::BrokeOff { status },
            }
        }
        let headers = answer.headers().iter();
        Outcome::answer(
            status,
            headers.map(|(name, value)| (name.as_str(), value.as_bytes())),
            body,
        )
    }
}
