//! An HTTP/2 server that does with each stream what a test tells it to, in clear text.
//!
//! The frames are those of the `h2` library's server half. The counts are the server's own.

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use h2::server::{Connection, SendResponse};
use h2::{Ping, PingPong, Reason, RecvStream, SendStream};
use hedgerow::Embeddings;
use hedgerow::mock::embedding_of;
use http::request::Parts;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// What a server does with a stream.
type Script = dyn Fn(Visit) -> BoxFuture<'static, ()> + Send + Sync;

/// A running server. Dropping it closes its connections.
pub(crate) struct H2Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

struct Shared {
    script: Box<Script>,
    /// The streams that a client may have open at once, where there is a limit.
    allowed: Option<u32>,
    connections: AtomicUsize,
    requests: AtomicUsize,
    panics: AtomicUsize,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The streams that are open, by the number of their connection.
    open: Vec<usize>,
    most_open: usize,
    closed: usize,
    heads: Vec<Parts>,
    resets: Vec<Reason>,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic with the lock")
    }
}

impl H2Server {
    /// Starts a server that asks `script` as soon as the head of a request is there.
    pub(crate) fn start<F, Fut>(script: F) -> Self
    where
        F: Fn(Visit) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::launch(None, Box::new(move |visit| script(visit).boxed()))
    }

    /// The same, where a connection may have so many streams at once.
    pub(crate) fn allowing<F, Fut>(streams: u32, script: F) -> Self
    where
        F: Fn(Visit) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::launch(Some(streams), Box::new(move |visit| script(visit).boxed()))
    }

    /// Starts a server that answers every request as it should be answered.
    pub(crate) fn honest() -> Self {
        Self::start(Visit::right)
    }

    fn launch(allowed: Option<u32>, script: Box<Script>) -> Self {
        let runtime = one_thread();
        let (listener, address) = listen(&runtime);
        let shared = Arc::new(Shared {
            script,
            allowed,
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            panics: AtomicUsize::new(0),
            seen: Mutex::default(),
        });
        let theirs = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                socket.set_nodelay(true).expect("a connected socket");
                let number = theirs.connections.fetch_add(1, SeqCst);
                theirs.seen().open.push(0);
                tokio::spawn(serve(number, socket, Arc::clone(&theirs)));
            }
        });
        Self {
            address,
            shared,
            _runtime: runtime,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections that were accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(SeqCst)
    }

    /// Connections that have ended.
    pub(crate) fn closed(&self) -> usize {
        self.shared.seen().closed
    }

    /// Requests that were seen so far.
    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(SeqCst)
    }

    /// The most streams that one connection had open at once.
    pub(crate) fn most_open(&self) -> usize {
        self.shared.seen().most_open
    }

    /// Why the client reset streams that a script watched.
    pub(crate) fn resets(&self) -> Vec<Reason> {
        self.shared.seen().resets.clone()
    }

    /// The heads of the requests, in the order in which they came.
    pub(crate) fn heads(&self) -> Vec<Parts> {
        self.shared.seen().heads.clone()
    }
}

impl Drop for H2Server {
    fn drop(&mut self) {
        let panics = self.shared.panics.load(SeqCst);
        assert!(panics == 0 || std::thread::panicking(), "a script panicked");
    }
}

/// A runtime that does its work on one thread of its own.
pub(crate) fn one_thread() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Listens on a free port.
pub(crate) fn listen(runtime: &Runtime) -> (TcpListener, SocketAddr) {
    let bound = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
    let listener = bound.expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    (listener, address)
}

/// What a script may ask of its connection.
enum Order {
    GoAway,
    Abort(Reason),
    Close,
}

/// Serves one connection until either side closes it.
async fn serve(number: usize, socket: TcpStream, shared: Arc<Shared>) {
    let mut builder = h2::server::Builder::new();
    if let Some(allowed) = shared.allowed {
        builder.max_concurrent_streams(allowed);
    }
    // Tests reset as many streams as they like.
    builder.max_pending_accept_reset_streams(10_000);
    if let Ok(connection) = builder.handshake(socket).await {
        serve_streams(number, connection, &shared).await;
    }
    shared.seen().closed += 1;
}

async fn serve_streams(
    connection_number: usize,
    mut connection: Connection<TcpStream, Bytes>,
    shared: &Arc<Shared>,
) {
    let pings = connection.ping_pong().expect("taken once");
    let pings = Arc::new(tokio::sync::Mutex::new(pings));
    let (orders, mut ordered) = unbounded_channel();
    let mut on_connection = 0;
    loop {
        let request = tokio::select! {
            request = connection.accept() => request,
            Some(order) = ordered.recv() => {
                match order {
                    Order::GoAway => connection.graceful_shutdown(),
                    Order::Abort(reason) => connection.abrupt_shutdown(reason),
                    Order::Close => return,
                }
                continue;
            }
        };
        let Some(Ok((request, respond))) = request else {
            return;
        };
        let (head, body) = request.into_parts();
        let visit = Visit {
            number: shared.requests.fetch_add(1, SeqCst),
            connection: connection_number,
            on_connection,
            is_first: is_first(&head),
            body,
            respond,
            pings: Arc::clone(&pings),
            orders: orders.clone(),
            open: Open::new(connection_number, shared),
        };
        shared.seen().heads.push(head);
        on_connection += 1;
        let script = tokio::spawn((shared.script)(visit));
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            if script.await.is_err_and(|ended| ended.is_panic()) {
                shared.panics.fetch_add(1, SeqCst);
            }
        });
    }
}

/// Counts a stream as open.
struct Open {
    connection: usize,
    shared: Arc<Shared>,
}

impl Open {
    fn new(connection: usize, shared: &Arc<Shared>) -> Self {
        let mut seen = shared.seen();
        seen.open[connection] += 1;
        seen.most_open = seen.most_open.max(seen.open[connection]);
        drop(seen);
        let shared = Arc::clone(shared);
        Self { connection, shared }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.seen().open[self.connection] -= 1;
    }
}

fn is_first(head: &Parts) -> bool {
    let id = head.headers.get("x-baseten-customer-request-id");
    id.is_some_and(|id| id.as_bytes().ends_with(b"-0"))
}

/// One request, as a script sees it. A script that ends without an answer cancels the stream.
pub(crate) struct Visit {
    /// Its place among all requests, from 0.
    pub(crate) number: usize,
    /// The connection that it came on, from 0.
    pub(crate) connection: usize,
    /// Its place among the requests of its connection, from 0.
    pub(crate) on_connection: usize,
    /// Nobody sent it before: its id says so.
    pub(crate) is_first: bool,
    body: RecvStream,
    respond: SendResponse<Bytes>,
    pings: Arc<tokio::sync::Mutex<PingPong>>,
    orders: UnboundedSender<Order>,
    open: Open,
}

impl Visit {
    /// Reads the body of the request.
    pub(crate) async fn read(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(Ok(piece)) = self.body.data().await {
            // A connection that is gone needs no window.
            let _ = self.body.flow_control().release_capacity(piece.len());
            body.extend_from_slice(&piece);
        }
        body
    }

    /// Answers as it should be answered.
    pub(crate) async fn right(mut self) {
        let rows = rows(&self.read().await, 2);
        self.answer(200, &[], rows);
    }

    /// Sends a whole answer, without a length.
    pub(crate) fn answer(&mut self, status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) {
        if let Some(mut sending) = self.begin(status, headers) {
            let _ = sending.send_data(body.into(), true);
        }
    }

    /// Sends the head of an answer. `None` where the client is gone.
    pub(crate) fn begin(
        &mut self,
        status: u16,
        headers: &[(&str, &str)],
    ) -> Option<SendStream<Bytes>> {
        let mut answer = http::Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        let answer = answer.body(()).expect("headers");
        self.respond.send_response(answer, false).ok()
    }

    /// Sends an informational head.
    pub(crate) fn inform(&mut self, status: u16) {
        let head = http::Response::builder().status(status).body(());
        let _ = self.respond.send_informational(head.expect("a status"));
    }

    /// Resets the stream.
    pub(crate) fn reset(&mut self, reason: Reason) {
        self.respond.send_reset(reason);
    }

    /// Waits until the client resets the stream, and counts it.
    pub(crate) async fn until_reset(mut self) {
        let reset = future::poll_fn(|cx| self.respond.poll_reset(cx)).await;
        if let Ok(reason) = reset {
            self.open.shared.seen().resets.push(reason);
        }
    }

    /// The same once an answer has begun.
    pub(crate) async fn until_reset_of(self, mut sending: SendStream<Bytes>) {
        let reset = future::poll_fn(|cx| sending.poll_reset(cx)).await;
        if let Ok(reason) = reset {
            self.open.shared.seen().resets.push(reason);
        }
    }

    /// Whether the client answers a ping.
    pub(crate) async fn ping(&self) -> bool {
        let mut pings = self.pings.lock().await;
        pings.ping(Ping::opaque()).await.is_ok()
    }

    /// Waits until the server has seen so many requests.
    pub(crate) async fn wait_for_requests(&self, count: usize) {
        while self.open.shared.requests.load(SeqCst) < count {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// Takes no more streams on this connection, and closes it when those that are open have ended.
    pub(crate) fn go_away(&self) {
        let _ = self.orders.send(Order::GoAway);
    }

    /// Ends the connection with all its streams, and says why.
    pub(crate) async fn abort(&self, reason: Reason) {
        let _ = self.orders.send(Order::Abort(reason));
        self.orders.closed().await;
    }

    /// Closes the connection without a word.
    pub(crate) async fn close(&self) {
        let _ = self.orders.send(Order::Close);
        self.orders.closed().await;
    }
}

/// The right answer to a request for embeddings, in the encoding that it asks for.
pub(crate) fn rows(request: &[u8], dimensions: usize) -> Bytes {
    let request: Value = serde_json::from_slice(request).expect("a request in JSON");
    let inputs = request["input"].as_array().expect("a list of inputs");
    let in_base64 = request["encoding_format"] == "base64";
    let row = |(index, input): (usize, &Value)| {
        let row = embedding_of(input.as_str().expect("a text"), dimensions);
        let embedding = if in_base64 {
            let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
            json!(base64_simd::STANDARD.encode_to_string(bytes))
        } else {
            json!(row)
        };
        json!({"index": index, "embedding": embedding})
    };
    let data: Vec<Value> = inputs.iter().enumerate().map(row).collect();
    json!({"data": data, "model": "h2"}).to_string().into()
}

/// How many attempts the requests of a call took in all.
pub(crate) fn attempts(found: &Embeddings) -> usize {
    let requests = found.requests().iter();
    requests.map(|request| request.attempts as usize).sum()
}
