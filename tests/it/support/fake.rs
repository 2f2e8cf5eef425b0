//! A network that is simulated: answers come after a chosen time, on a clock that can be paused.

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, StreamExt};
use hedgerow::transport::{Request, Response, Transport, TransportError, TransportFactory};
use hedgerow::{Client, Headers, Placement, System};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What the server does with one request.
pub(crate) enum Answer {
    /// A row for each input of the request: [`row_of`] it.
    Row,
    /// A body of JSON.
    Json(&'static str),
    /// A status without a body, and headers.
    Status(u16, &'static [(&'static str, &'static str)]),
    /// The exchange fails.
    Broken(TransportError),
    /// The transport panics.
    Panic,
}

/// Decides what the `n`-th request (from 0) gets, and after how long.
pub(crate) type Script = Arc<dyn Fn(u64, &Request) -> (Duration, Answer) + Send + Sync>;

/// A millisecond.
pub(crate) const MS: Duration = Duration::from_millis(1);

/// A script, and the count of requests that it was asked for.
pub(crate) fn script(
    answer: impl Fn(u64, &Request) -> (Duration, Answer) + Send + Sync + 'static,
) -> (Script, Arc<AtomicU64>) {
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    let script = move |number, request: &Request| {
        counter.fetch_add(1, Ordering::Relaxed);
        answer(number, request)
    };
    (Arc::new(script), asked)
}

pub(crate) fn count(asked: &AtomicU64) -> u64 {
    asked.load(Ordering::Relaxed)
}

struct Fake {
    script: Script,
    asked: Rc<Cell<u64>>,
    open: Arc<AtomicU64>,
}

/// Counts the exchanges under way; what is dropped is counted off.
struct Open(Arc<AtomicU64>);

impl Open {
    fn new(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Transport for Fake {
    fn send(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, TransportError>> {
        let number = self.asked.get();
        self.asked.set(number + 1);
        let (delay, answer) = (self.script)(number, &request);
        let open = Open::new(&self.open);
        async move {
            let _open = open;
            tokio::time::sleep(delay).await;
            match answer {
                Answer::Row => Ok(rows(&request)),
                Answer::Json(body) => Ok(response(200, &[], Bytes::from_static(body.as_bytes()))),
                Answer::Status(status, headers) => Ok(response(status, headers, Bytes::new())),
                Answer::Broken(error) => Err(error),
                Answer::Panic => panic!("a planned panic"),
            }
        }
        .boxed_local()
    }
}

/// The embedding of a text on this network: two numbers that no other text has.
pub(crate) fn row_of(text: &str) -> [f32; 2] {
    let sum = text.bytes().fold(0u16, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    [f32::from(sum), -1.0]
}

fn rows(request: &Request) -> Response {
    #[derive(serde::Deserialize)]
    struct Asked {
        input: Vec<String>,
    }
    let body = request.body.as_deref().unwrap_or_default();
    let asked: Asked = serde_json::from_slice(body).expect("what this crate sends is JSON");
    let row = |(index, text): (usize, &String)| serde_json::json!({"index": index, "embedding": row_of(text)});
    let data: Vec<_> = asked.input.iter().enumerate().map(row).collect();
    let body = serde_json::json!({"data": data, "model": "fake"}).to_string();
    response(200, &[], body.into())
}

fn response(status: u16, headers: &[(&str, &str)], body: Bytes) -> Response {
    let headers: Headers = headers.iter().copied().collect();
    let body = futures_util::stream::once(async { Ok(body) }).boxed_local();
    Response {
        status,
        headers,
        content_length: None,
        body,
    }
}

/// A client whose whole system, of one Worker, runs on this thread, over the simulated network.
pub(crate) fn client(script: Script) -> Client {
    client_with_workers(1, script).0
}

/// The same with more Workers, and the count of exchanges under way.
pub(crate) fn client_with_workers(workers: usize, script: Script) -> (Client, Arc<AtomicU64>) {
    let open = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&open);
    let factory: TransportFactory = Arc::new(move || {
        Rc::new(Fake {
            script: Arc::clone(&script),
            asked: Rc::default(),
            open: Arc::clone(&counted),
        })
    });
    let system = System::builder()
        .placement(Placement::Current(workers))
        .transport(factory)
        .start()
        .expect("a system on this arbiter");
    let client = Client::builder("http://fake").system(system).build();
    (client.expect("a client"), open)
}
