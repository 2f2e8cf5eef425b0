//! A raw-socket HTTP server that does precisely what a test tells it to, byte by byte.
//!
//! A script is called once a request and says what becomes of the connection. The server counts
//! what it sees; dropping it closes every connection and joins every thread.

use hedgerow::Embeddings;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What becomes of a connection once a request has been dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It stays open for another request.
    Keep,
    /// It is closed: the client sees a FIN.
    Close,
    /// It is aborted: the client sees an RST.
    Reset,
}

/// What a server does with a request, where it needs to remember nothing.
pub(crate) type Act = fn(&mut Visit<'_>) -> Next;

type Script = dyn Fn(&mut Visit<'_>) -> Next + Send + Sync;

/// How much of a request is read before the script is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// Head and body.
    All,
    /// The head, and what happened to come with it.
    Head,
}

/// A running server.
pub(crate) struct Hostile {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    script: Box<Script>,
    reads: Reads,
    accepted: AtomicUsize,
    requests: AtomicUsize,
    closed_by_client: AtomicUsize,
    state: Mutex<State>,
    /// Told when the server stops, so that no script outlasts it.
    stopping: Condvar,
}

#[derive(Default)]
struct State {
    stopped: bool,
    /// Handles of the open connections, by which they can be shut from outside.
    open: HashMap<usize, TcpStream>,
    most_open: usize,
    heads: Vec<String>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no script panics with the lock")
    }
}

impl Hostile {
    /// Starts a server that reads each request whole and then asks `script`.
    pub(crate) fn start(script: impl Fn(&mut Visit<'_>) -> Next + Send + Sync + 'static) -> Self {
        Self::launch(Reads::All, Box::new(script))
    }

    /// Starts a server that asks `script` as soon as the head of a request is there. One that
    /// wants the connection to stay must read the rest first.
    pub(crate) fn start_at_heads(
        script: impl Fn(&mut Visit<'_>) -> Next + Send + Sync + 'static,
    ) -> Self {
        Self::launch(Reads::Head, Box::new(script))
    }

    /// Starts a server that answers every request as it should be answered.
    pub(crate) fn honest() -> Self {
        Self::start(right)
    }

    /// Starts a server that does one of `acts` a request, in their order; the last repeats.
    pub(crate) fn in_turn(acts: Vec<Act>) -> Self {
        Self::start(move |visit| acts[visit.number.min(acts.len() - 1)](visit))
    }

    fn launch(reads: Reads, script: Box<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let shared = Arc::new(Shared {
            script,
            reads,
            accepted: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            closed_by_client: AtomicUsize::new(0),
            state: Mutex::default(),
            stopping: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &theirs));
        Self {
            address,
            shared,
            acceptor: Some(acceptor),
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
        self.shared.accepted.load(SeqCst)
    }

    /// Requests that were seen so far.
    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(SeqCst)
    }

    /// Connections that are open now.
    pub(crate) fn open(&self) -> usize {
        self.shared.state().open.len()
    }

    /// The most connections that were open at once.
    pub(crate) fn most_open(&self) -> usize {
        self.shared.state().most_open
    }

    /// Connections that the client was seen to close before the server did.
    pub(crate) fn closed_by_client(&self) -> usize {
        self.shared.closed_by_client.load(SeqCst)
    }

    /// The heads of the requests, in the order in which they came.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.shared.state().heads.clone()
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.stopped = true;
        for stream in state.open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.stopping.notify_all();
        // The acceptor waits for a connection: it gets one.
        let _ = TcpStream::connect(self.address);
        let acceptor = self.acceptor.take().expect("dropped once");
        let ended = acceptor.join();
        assert!(ended.is_ok() || thread::panicking(), "a script panicked");
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut handlers = Vec::new();
    for stream in listener.incoming() {
        let stream = stream.expect("a connection");
        let mut state = shared.state();
        if state.stopped {
            break;
        }
        let connection = shared.accepted.fetch_add(1, SeqCst);
        let handle = stream.try_clone().expect("a second handle");
        state.open.insert(connection, handle);
        state.most_open = state.most_open.max(state.open.len());
        drop(state);
        let shared = Arc::clone(shared);
        handlers.push(thread::spawn(move || serve(connection, stream, &shared)));
    }
    for handler in handlers {
        assert!(handler.join().is_ok(), "a script panicked");
    }
}

/// Serves one connection until either side closes it.
fn serve(connection: usize, mut stream: TcpStream, shared: &Shared) {
    stream.set_nodelay(true).expect("a connected socket");
    let mut unread = Vec::new();
    let mut on_connection = 0;
    let end = loop {
        let Some((head, body)) = request(&mut stream, &mut unread, shared.reads) else {
            shared.closed_by_client.fetch_add(1, SeqCst);
            break Next::Close;
        };
        let number = shared.requests.fetch_add(1, SeqCst);
        shared.state().heads.push(head.clone());
        let mut visit = Visit {
            connection,
            on_connection,
            number,
            head,
            body,
            stream: &mut stream,
            shared,
        };
        match (shared.script)(&mut visit) {
            Next::Keep => on_connection += 1,
            end => break end,
        }
    };
    // The other handle goes first, so that nothing keeps the socket from closing here; and what is
    // closed is not counted as open, nor the other way round.
    let mut state = shared.state();
    state.open.remove(&connection);
    if end == Next::Reset {
        reset(stream);
    } else {
        drop(stream);
    }
}

/// Closes a socket with an RST, which `std` has no stable means for.
fn reset(stream: TcpStream) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime");
    let _inside = runtime.enter();
    stream.set_nonblocking(true).expect("a connected socket");
    let stream = tokio::net::TcpStream::from_std(stream).expect("a connected socket");
    stream.set_zero_linger().expect("a connected socket");
}

/// Reads one request; `None` when the client is gone.
fn request(
    stream: &mut TcpStream,
    unread: &mut Vec<u8>,
    reads: Reads,
) -> Option<(String, Vec<u8>)> {
    const BLANK_LINE: &[u8] = b"\r\n\r\n";
    let mut more = |unread: &mut Vec<u8>| {
        let mut piece = [0; 16 << 10];
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        unread.extend_from_slice(&piece[..count]);
        Some(())
    };
    let end = loop {
        let found = unread.windows(4).position(|window| window == BLANK_LINE);
        if let Some(start) = found {
            break start + BLANK_LINE.len();
        }
        more(unread)?;
    };
    let head = String::from_utf8_lossy(&unread[..end]).into_owned();
    unread.drain(..end);
    let announced = header(&head, "content-length")
        .map_or(0, |length| length.parse().expect("a length in digits"));
    if reads == Reads::Head {
        return Some((head, std::mem::take(unread)));
    }
    while unread.len() < announced {
        more(unread)?;
    }
    let body = unread.drain(..announced).collect();
    Some((head, body))
}

/// The value of a header, whose name is given in lower case.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// One request, as a script sees it, and the socket that it came on.
pub(crate) struct Visit<'a> {
    /// The connection that it came on, from 0.
    pub(crate) connection: usize,
    /// Its place among the requests of its connection, from 0.
    pub(crate) on_connection: usize,
    /// Its place among all requests, from 0.
    pub(crate) number: usize,
    /// Its request line and headers.
    pub(crate) head: String,
    /// Its body, as far as it was read.
    pub(crate) body: Vec<u8>,
    stream: &'a mut TcpStream,
    shared: &'a Shared,
}

/// Answers as it should be answered.
pub(crate) fn right(visit: &mut Visit<'_>) -> Next {
    visit.right()
}

impl Visit<'_> {
    /// Writes bytes as they are. A client that is gone is no error: the counts tell.
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Writes bytes as they are, and closes.
    pub(crate) fn end_with(&mut self, bytes: impl AsRef<[u8]>) -> Next {
        self.write(bytes);
        Next::Close
    }

    /// Writes bytes as they are, and nothing more; the client has to close.
    pub(crate) fn stall_after(&mut self, bytes: impl AsRef<[u8]>) -> Next {
        self.write(bytes);
        self.wait_for_close();
        Next::Close
    }

    /// Writes a whole answer with its length.
    pub(crate) fn answer(&mut self, status: &str, headers: &str, body: impl AsRef<[u8]>) -> Next {
        let body = body.as_ref();
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n");
        self.write([head.as_bytes(), body].concat());
        Next::Keep
    }

    /// Answers as it should be answered.
    pub(crate) fn right(&mut self) -> Next {
        let body = self.rows();
        self.answer("200 OK", "content-type: application/json\r\n", body)
    }

    /// The right body: for "text number 7" the row `[7, 1]`, and likewise for the others.
    pub(crate) fn rows(&self) -> String {
        let request: Value = serde_json::from_slice(&self.body).expect("a request in JSON");
        let inputs = request["input"].as_array().expect("a list of inputs");
        let row = |(index, input): (usize, &Value)| {
            let digits = input.as_str().and_then(|text| text.rsplit(' ').next());
            let number: f32 = digits.and_then(|text| text.parse().ok()).unwrap_or(-1.0);
            json!({"index": index, "embedding": [number, 1.0]})
        };
        let rows: Vec<Value> = inputs.iter().enumerate().map(row).collect();
        json!({"data": rows, "model": "hostile"}).to_string()
    }

    /// Waits until the client closes; false when it sent more, or when the server was stopped.
    pub(crate) fn wait_for_close(&mut self) -> bool {
        let ended = matches!(self.stream.read(&mut [0; 1]), Ok(0) | Err(_));
        let closed = ended && !self.shared.state().stopped;
        if closed {
            self.shared.closed_by_client.fetch_add(1, SeqCst);
        }
        closed
    }

    /// Waits for the next request, and closes without having read any of it.
    pub(crate) fn refuse_the_next(&mut self) -> Next {
        self.refuse_the_next_after(Duration::ZERO)
    }

    /// The same, and tells it so long after it has closed.
    pub(crate) fn refuse_the_next_after(&mut self, pause: Duration) -> Next {
        self.peek();
        let _ = self.stream.shutdown(Shutdown::Write);
        self.pause(pause);
        Next::Close
    }

    /// Waits for the next request, and leaves it unread.
    pub(crate) fn peek(&self) {
        let _ = self.stream.peek(&mut [0; 1]);
    }

    /// Waits until the server has seen so many requests, or was stopped.
    pub(crate) fn wait_for_requests(&self, count: usize) {
        while self.shared.requests.load(SeqCst) < count && !self.shared.state().stopped {
            self.pause(Duration::from_millis(1));
        }
    }

    /// Writes `bytes` one by one with a pause before each, until the client closes.
    pub(crate) fn drip(&mut self, bytes: &[u8], pause: Duration) {
        self.stream
            .set_read_timeout(Some(pause))
            .expect("a pause above zero");
        for byte in bytes {
            match self.stream.read(&mut [0; 1]) {
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {}
                Ok(1) => {}
                _ => {
                    self.shared.closed_by_client.fetch_add(1, SeqCst);
                    break;
                }
            }
            self.write([*byte]);
        }
        self.stream
            .set_read_timeout(None)
            .expect("no timeout is fine");
    }

    /// Waits for `span`, or until the server is stopped.
    pub(crate) fn pause(&self, span: Duration) {
        let state = self.shared.state();
        let wait = self
            .shared
            .stopping
            .wait_timeout_while(state, span, |state| !state.stopped);
        drop(wait);
    }
}

/// Asserts that `found` is what a server's [`Visit::rows`] said for texts `first` and on.
pub(crate) fn assert_right(found: &Embeddings, first: usize, count: usize) {
    assert_eq!((found.len(), found.dimensions()), (count, 2));
    for (offset, row) in found.iter().enumerate() {
        let expected = u16::try_from(first + offset).expect("few texts");
        assert_eq!(row, [f32::from(expected), 1.0]);
    }
}
