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
    /// One row for the one input of the request.
    Row,
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
}

impl Transport for Fake {
    fn send(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, TransportError>> {
        let number = self.asked.get();
        self.asked.set(number + 1);
        let (delay, answer) = (self.script)(number, &request);
        async move {
            tokio::time::sleep(delay).await;
            match answer {
                Answer::Row => Ok(row()),
                Answer::Status(status, headers) => Ok(response(status, headers, Bytes::new())),
                Answer::Broken(error) => Err(error),
                Answer::Panic => panic!("a planned panic"),
            }
        }
        .boxed_local()
    }
}

fn row() -> Response {
    let body = r#"{"data":[{"index":0,"embedding":[1.0,2.0]}],"model":"fake"}"#;
    response(200, &[], Bytes::from_static(body.as_bytes()))
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

/// A client whose whole system runs on this thread, over the simulated network.
pub(crate) fn client(script: Script) -> Client {
    let factory: TransportFactory = Arc::new(move || {
        Rc::new(Fake {
            script: Arc::clone(&script),
            asked: Rc::default(),
        })
    });
    let system = System::builder()
        .placement(Placement::Current(1))
        .transport(factory)
        .start()
        .expect("a system on this arbiter");
    Client::builder("http://fake")
        .system(system)
        .build()
        .expect("a client")
}
