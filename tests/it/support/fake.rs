//! A network that is simulated: answers come after a chosen time, on a clock that stands still but
//! for what is awaited.

use super::texts;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use hedgerow::mock::{embedding_of, labels_of, score_of};
use hedgerow::transport::{
    ReadBody, Request, Response, Transport, TransportError, TransportFactory,
};
use hedgerow::{Client, Embed, Embeddings, Headers, Placement, Preference, Result, System};
use serde_json::{Value, json};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// What the server does with one request.
pub(crate) enum Answer {
    /// What the mock server would answer.
    Right,
    /// The same without its last row.
    Short,
    /// What the mock server would answer: the head at once, the body after so long.
    Trickles(Duration),
    /// The head, half of the body, and then the connection breaks.
    Cut,
    /// A status without a body, and headers.
    Status(u16, &'static [(&'static str, &'static str)]),
    /// A status with a body.
    Says(u16, &'static str),
    /// A status with a body of the moment.
    Told(u16, String),
    /// The exchange fails.
    Broken(TransportError),
    /// The transport panics.
    Panic,
}

/// What happens on the network.
pub(crate) trait Script: Send + Sync + 'static {
    /// What the `number`-th request (from 0) gets, and after how long.
    fn answer(&self, number: u64, request: &Request) -> (Duration, Answer);

    /// The exchange with this request id has ended, or was dropped.
    fn ended(&self, _request_id: &str) {}
}

impl<F> Script for F
where
    F: Fn(u64, &Request) -> (Duration, Answer) + Send + Sync + 'static,
{
    fn answer(&self, number: u64, request: &Request) -> (Duration, Answer) {
        self(number, request)
    }
}

/// A millisecond.
pub(crate) const MS: Duration = Duration::from_millis(1);

/// A client whose whole system runs on this thread, over the simulated network.
pub(crate) struct Network {
    pub(crate) client: Client,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    asked: AtomicU64,
    open: AtomicU64,
}

impl Network {
    /// With one Worker. The clock is paused while the network lives.
    pub(crate) fn new(
        script: impl Fn(u64, &Request) -> (Duration, Answer) + Send + Sync + 'static,
    ) -> Self {
        Self::with_workers(1, script)
    }

    /// With more Workers.
    pub(crate) fn with_workers(workers: usize, script: impl Script) -> Self {
        tokio::time::pause();
        let script: Arc<dyn Script> = Arc::new(script);
        let counts = Arc::<Counts>::default();
        let counted = Arc::clone(&counts);
        let factory: TransportFactory = Arc::new(move || {
            Rc::new(Fake {
                script: Arc::clone(&script),
                counts: Arc::clone(&counted),
            })
        });
        let system = System::builder()
            .placement(Placement::Current(workers))
            .transport(factory)
            .start()
            .expect("a system on this arbiter");
        let client = Client::builder("http://fake").system(system).build();
        Self {
            client: client.expect("a client"),
            counts,
        }
    }

    /// Embeds so many texts.
    pub(crate) async fn embed(&self, count: usize, preference: Preference) -> Result<Embeddings> {
        let call = Embed::new(texts(count), "m").preference(preference);
        self.client.embed(call).await
    }

    /// Requests that were sent so far.
    pub(crate) fn asked(&self) -> u64 {
        self.counts.asked.load(Relaxed)
    }

    /// Exchanges that are under way.
    pub(crate) fn open(&self) -> u64 {
        self.counts.open.load(Relaxed)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        tokio::time::resume();
    }
}

/// The header by which servers know an attempt.
pub(crate) const REQUEST_ID: &str = "x-baseten-customer-request-id";

/// The value of a header that each attempt has of its own.
pub(crate) fn own_header(request: &Request, name: &str) -> String {
    let own = request.own.iter();
    let mut all = own.flat_map(|own| own.iter(&request.head));
    let found = all.find(|(found, _)| found == name);
    found.expect("the header is sent").1
}

struct Fake {
    script: Arc<dyn Script>,
    counts: Arc<Counts>,
}

/// An exchange under way: from its request until its body is read, or until it is dropped.
struct Open {
    script: Arc<dyn Script>,
    counts: Arc<Counts>,
    request_id: String,
}

impl Fake {
    fn open(&self, request: &Request) -> Open {
        self.counts.open.fetch_add(1, Relaxed);
        Open {
            script: Arc::clone(&self.script),
            counts: Arc::clone(&self.counts),
            request_id: own_header(request, REQUEST_ID),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.counts.open.fetch_sub(1, Relaxed);
        self.script.ended(&self.request_id);
    }
}

impl Transport for Fake {
    fn send(
        &self,
        request: Request,
    ) -> LocalBoxFuture<'static, std::result::Result<Response, TransportError>> {
        let number = self.counts.asked.fetch_add(1, Relaxed);
        let (delay, answer) = self.script.answer(number, &request);
        let open = self.open(&request);
        async move {
            tokio::time::sleep(delay).await;
            match answer {
                Answer::Right => Ok(whole(200, &[], &right(&request, 0), open)),
                Answer::Trickles(time) => Ok(trickling(&right(&request, 0), time, open)),
                Answer::Short => Ok(whole(200, &[], &right(&request, 1), open)),
                Answer::Cut => Ok(cut(&right(&request, 0), open)),
                Answer::Status(status, headers) => Ok(whole(status, headers, "", open)),
                Answer::Says(status, body) => Ok(whole(status, &[], body, open)),
                Answer::Told(status, body) => Ok(whole(status, &[], &body, open)),
                Answer::Broken(error) => Err(error),
                Answer::Panic => panic!("a planned panic"),
            }
        }
        .boxed_local()
    }
}

/// The inputs that a request carries.
pub(crate) fn inputs_of(request: &Request) -> Vec<String> {
    let body = request.body.as_deref().unwrap_or(b"null");
    let asked: Value = serde_json::from_slice(body).expect("what this crate sends is JSON");
    let mut lists = ["input", "texts", "inputs"].iter();
    let list = lists.find_map(|name| asked[name].as_array());
    let inputs = list.into_iter().flatten();
    let one = |input: &Value| input.as_str().or(input[0].as_str()).map(str::to_owned);
    inputs.filter_map(one).collect()
}

/// The right answer, less so many rows at its end.
pub(crate) fn right(request: &Request, less: usize) -> String {
    let body = request.body.as_deref().unwrap_or(b"null");
    let asked: Value = serde_json::from_slice(body).expect("what this crate sends is JSON");
    let list = |name: &str| {
        let inputs = asked[name].as_array().expect("a list of inputs");
        inputs[..inputs.len() - less].iter().enumerate()
    };
    let (_, path) = request.head.url.rsplit_once('/').expect("a path");
    let answer: Value = match path {
        "embeddings" => json!({"data": list("input").map(row).collect::<Value>(), "model": "fake"}),
        "rerank" => {
            let rank = |(index, input)| rank(index, &asked["query"], input);
            list("texts").map(rank).rev().collect()
        }
        "predict" => list("inputs").map(|(_, input)| classes(input)).collect(),
        _ => json!({"method": request.head.method.as_str(), "body": asked}),
    };
    answer.to_string()
}

fn row((index, input): (usize, &Value)) -> Value {
    json!({"index": index, "embedding": embedding_of(text(input), 2)})
}

fn rank(index: usize, query: &Value, input: &Value) -> Value {
    let score = score_of(text(query), text(input));
    json!({"index": index, "score": as_written(score)})
}

fn classes(input: &Value) -> Value {
    let class = |(label, score)| json!({"label": label, "score": as_written(score)});
    labels_of(text(&input[0])).into_iter().map(class).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// The number whose text is that of `score`, and not that of its next `f64`.
fn as_written(score: f32) -> f64 {
    score.to_string().parse().expect("a number")
}

fn whole(status: u16, headers: &[(&str, &str)], body: &str, open: Open) -> Response {
    let pieces = vec![Ok(Bytes::copy_from_slice(body.as_bytes()))];
    response(status, headers.iter().copied().collect(), pieces, open)
}

fn trickling(body: &str, time: Duration, open: Open) -> Response {
    let mut response = whole(200, &[], body, open);
    response.body = Box::new(Late {
        until: Box::pin(tokio::time::sleep(time)),
        body: response.body,
    });
    response
}

fn cut(body: &str, open: Open) -> Response {
    let half = Bytes::copy_from_slice(&body.as_bytes()[..body.len() / 2]);
    let end = TransportError::Truncated {
        received: half.len() as u64,
        expected: body.len() as u64,
    };
    response(200, Headers::default(), vec![Ok(half), Err(end)], open)
}

fn response(
    status: u16,
    headers: Headers,
    pieces: Vec<std::result::Result<Bytes, TransportError>>,
    open: Open,
) -> Response {
    Response {
        status,
        headers,
        content_length: None,
        secret: None,
        body: Box::new(Pieces {
            pieces: pieces.into_iter(),
            _open: open,
        }),
    }
}

/// A body that begins after a while.
struct Late {
    until: Pin<Box<Sleep>>,
    body: Box<dyn ReadBody>,
}

impl ReadBody for Late {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<std::result::Result<usize, TransportError>> {
        ready!(self.until.as_mut().poll(context));
        self.body.poll_read(context, into)
    }
}

/// A body in pieces, the last of which may be a break.
struct Pieces {
    pieces: std::vec::IntoIter<std::result::Result<Bytes, TransportError>>,
    _open: Open,
}

impl ReadBody for Pieces {
    fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<std::result::Result<usize, TransportError>> {
        let piece = self.pieces.next().unwrap_or(Ok(Bytes::new()));
        Poll::Ready(piece.map(|piece| {
            into.extend_from_slice(&piece);
            piece.len()
        }))
    }
}
