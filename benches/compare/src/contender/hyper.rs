//! hedgerow with hyper's HTTP/1.1 in place of its own: the same actors, the same call.
//!
//! It decides whether our own HTTP/1.1 earns its keep, so hyper is used as cheaply as it can be: the
//! attempt that uses a connection drives it, without a task between; what requests share is made
//! once; an answer's head that equals the one before is not written out again; idle connections are
//! a plain stack, with no regard to their age.

use super::batch::Call;
use super::{Contender, Session, Task};
use anyhow::Result;
use bytes::Bytes;
use hedgerow::transport::{Head, ReadBody, Request, Response, Transport, TransportError};
use hedgerow::{Headers, System};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::Write;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, SystemTime};
use tokio::net::TcpStream;

/// What a transport gives; ours is boxed as well.
type Exchange = Pin<Box<dyn Future<Output = Result<Response, TransportError>>>>;

/// The contender.
pub(super) struct Hyper;

impl Contender for Hyper {
    fn name(&self) -> &'static str {
        "hedgerow-hyper"
    }

    fn about(&self) -> &'static str {
        "the same actors, one worker; hyper's HTTP/1.1 in place of our own"
    }

    fn start(&self, task: &Task) -> Result<Box<dyn Session>> {
        let factory = || -> Rc<dyn Transport> { Rc::new(Http::default()) };
        let system = System::builder().workers(1).transport(Arc::new(factory));
        Ok(Box::new(Call::over(system.start()?, task)?))
    }
}

/// Idle connections to the one server that a run asks; the latest is used first.
type Pool = Rc<RefCell<Vec<Box<Link>>>>;

/// The transport of the one Worker.
#[derive(Default)]
struct Http {
    pool: Pool,
    prepared: RefCell<Option<Rc<Prepared>>>,
}

impl Transport for Http {
    fn send(&self, request: Request) -> Exchange {
        let prepared = self.prepared(&request.head);
        let pool = Rc::clone(&self.pool);
        Box::pin(async move { send(pool, &*prepared?, request).await })
    }
}

impl Http {
    fn prepared(&self, head: &Arc<Head>) -> Result<Rc<Prepared>, TransportError> {
        if let Some(prepared) = &*self.prepared.borrow()
            && Arc::ptr_eq(&prepared.head, head)
        {
            return Ok(Rc::clone(prepared));
        }
        let prepared = Prepared::new(head);
        let prepared = prepared.map_err(|cause| TransportError::BadRequest(cause.to_string()))?;
        let prepared = Rc::new(prepared);
        self.prepared.replace(Some(Rc::clone(&prepared)));
        Ok(prepared)
    }
}

/// What requests with one head have in common.
struct Prepared {
    head: Arc<Head>,
    authority: Box<str>,
    /// The last of its headers are places for those of one request.
    request: http::Request<Full<Bytes>>,
    shared_headers: usize,
    /// Requests so far.
    sent: Cell<u32>,
    /// The headers of the answer before, as they came and as they are handed on.
    last: RefCell<(HeaderMap, Headers)>,
}

/// Each attempt has headers of its own, whose values only a transport of hedgerow's can write without
/// a string for each. Hyper is not to pay for that: it sends values as long, made in the same way.
const OWN: [&str; 3] = [
    "x-baseten-customer-request-id",
    "request-timeout-ms",
    "request-deadline-ms",
];
const LEFT: Duration = Duration::from_hours(1);
/// Room for one of them.
const LONGEST_VALUE: usize = 64;

impl Prepared {
    fn new(head: &Arc<Head>) -> Result<Self> {
        let uri: Uri = head.url.parse()?;
        let path = uri.path_and_query().cloned();
        let mut request = http::Request::builder()
            .method(head.method.clone())
            .uri(path.map(Uri::from).unwrap_or_default())
            .body(Full::default())?;
        for (name, value) in &head.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let shared_headers = request.headers().len();
        for name in OWN.map(HeaderName::from_static) {
            let place = HeaderValue::from_static("");
            request.headers_mut().insert(name, place);
        }
        Ok(Self {
            head: Arc::clone(head),
            authority: uri.authority().map_or("", |it| it.as_str()).into(),
            request,
            shared_headers,
            sent: Cell::default(),
            last: RefCell::default(),
        })
    }

    fn request(&self, request: Request) -> http::Request<Full<Bytes>> {
        let mut filled = self.request.clone();
        self.fill(filled.headers_mut());
        *filled.body_mut() = Full::new(request.body.unwrap_or_default());
        filled
    }

    /// Puts one request's values into their places, which need not be looked for.
    fn fill(&self, headers: &mut HeaderMap) {
        let number = self.sent.replace(self.sent.get().wrapping_add(1));
        let ends = (SystemTime::now() + LEFT).duration_since(SystemTime::UNIX_EPOCH);
        let mut places = headers.values_mut().skip(self.shared_headers);
        let mut put = |prefix: &[u8], number: u128, suffix: &[u8]| {
            let mut text = [0; LONGEST_VALUE];
            let mut rest = &mut text[..];
            for part in [
                prefix,
                itoa::Buffer::new().format(number).as_bytes(),
                suffix,
            ] {
                // All three have room, whatever the number is.
                let _ = rest.write_all(part);
            }
            let length = LONGEST_VALUE - rest.len();
            if let Some(place) = places.next()
                && let Ok(value) = HeaderValue::from_bytes(&text[..length])
            {
                *place = value;
            }
        };
        put(b"perfclient-0123456789abcdef-", number.into(), b"-0");
        put(b"", LEFT.as_millis(), b"");
        put(b"", ends.unwrap_or_default().as_millis(), b"");
    }

    /// The headers of an answer.
    fn headers(&self, headers: HeaderMap) -> Headers {
        let mut last = self.last.borrow_mut();
        if !headers.iter().eq(last.0.iter()) {
            let pairs = headers.iter();
            let text = pairs.map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("")));
            last.1 = text.collect();
            last.0 = headers;
        }
        last.1.clone()
    }
}

/// A connection, with both of its ends.
struct Link {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    connection: Option<Connection<TokioIo<TcpStream>, Full<Bytes>>>,
}

impl Link {
    async fn open(authority: &str) -> Result<Box<Self>> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let mut builder = Builder::new();
        // Bodies are small: copied behind their heads they cost less than a vectored write.
        builder.writev(false);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        Ok(Box::new(Self {
            sender,
            connection: Some(connection),
        }))
    }

    /// Writes and reads what can be. Whatever is to be done next wakes the attempt, since it is
    /// what drives the connection.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && Pin::new(connection).poll(cx).is_ready()
        {
            self.connection = None;
        }
    }
}

fn broken(cause: &hyper::Error) -> TransportError {
    TransportError::Broken(cause.to_string())
}

async fn send(
    pool: Pool,
    prepared: &Prepared,
    request: Request,
) -> Result<Response, TransportError> {
    let idle = pool.borrow_mut().pop();
    let mut link = match idle {
        Some(link) => link,
        None => Box::pin(Link::open(&prepared.authority))
            .await
            .map_err(|cause| TransportError::Connect(cause.to_string()))?,
    };
    let mut answer = pin!(link.sender.send_request(prepared.request(request)));
    let answer = poll_fn(|cx| {
        // The answer comes while the connection is driven: nothing else need wake for it.
        link.drive(cx);
        answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
    })
    .await;
    let (parts, body) = answer.map_err(|cause| broken(&cause))?.into_parts();
    Ok(Response {
        status: parts.status.as_u16(),
        headers: prepared.headers(parts.headers),
        content_length: body.size_hint().exact(),
        body: Box::new(HyperBody {
            link: Some(link),
            body,
            pool,
        }),
        secret: None,
    })
}

/// A body, with the connection that it comes from; at its end that goes back to the pool.
struct HyperBody {
    link: Option<Box<Link>>,
    body: Incoming,
    pool: Pool,
}

impl HyperBody {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let noop = &mut Context::from_waker(Waker::noop());
        let mut body = Pin::new(&mut self.body);
        let there = body.as_mut().poll_frame(noop);
        if there.is_ready() {
            return there;
        }
        if let Some(link) = &mut self.link {
            link.drive(cx);
        }
        body.poll_frame(noop)
    }

    fn release(&mut self) {
        if let Some(link) = self.link.take()
            && link.sender.is_ready()
        {
            self.pool.borrow_mut().push(link);
        }
    }
}

impl ReadBody for HyperBody {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<Result<usize, TransportError>> {
        while self.link.is_some() {
            let frame = ready!(self.poll_frame(cx)).transpose();
            let frame = frame.map_err(|cause| broken(&cause))?;
            if frame.is_none() || self.body.is_end_stream() {
                self.release();
            }
            let data = frame.and_then(|frame| frame.into_data().ok());
            if let Some(data) = data.filter(|data| !data.is_empty()) {
                into.extend_from_slice(&data);
                return Poll::Ready(Ok(data.len()));
            }
        }
        Poll::Ready(Ok(0))
    }

    fn can_wait(&self) -> bool {
        true
    }
}
