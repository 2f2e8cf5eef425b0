//! A server that writes what it is told to, in the pieces that it is told to.

use super::case::{Case, End};
use std::cell::Cell;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, spawn_local, yield_now};

/// What every request but the first gets: a client that reads anything else read bytes of the first.
pub(super) const SECOND_BODY: &[u8] = b"the second answer";
const SECOND: &[u8] =
    b"HTTP/1.1 203 Second\r\ncontent-length: 17\r\nx-second: yes\r\n\r\nthe second answer";

/// The path whose answer is the case.
pub(super) const FIRST_PATH: &str = "/first";
/// The path whose answer is the second.
pub(super) const SECOND_PATH: &str = "/second";

/// One server for one client and one case; it ends when it is dropped.
pub(super) struct Server {
    pub(super) url: String,
    pub(super) address: String,
    pub(super) seen: Rc<Seen>,
    task: JoinHandle<()>,
}

/// What the server has seen and done.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) connections: Cell<u32>,
    /// The first answer is written, and its end is.
    pub(super) has_written: Cell<bool>,
}

impl Server {
    pub(super) async fn start(case: &Rc<Case>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let address = listener.local_addr().expect("an address").to_string();
        let seen = Rc::new(Seen::default());
        let task = spawn_local(accept(listener, Rc::clone(case), Rc::clone(&seen)));
        Self {
            url: format!("http://{address}"),
            address,
            seen,
            task,
        }
    }

    /// Waits until the client can see all that it will ever see of the first answer.
    pub(super) async fn written(&self) {
        while !self.seen.has_written.get() {
            yield_now().await;
        }
        // The end of a connection is told to the client when the driver is next polled.
        yield_now().await;
        yield_now().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, case: Rc<Case>, seen: Rc<Seen>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        seen.connections.set(seen.connections.get() + 1);
        connections.spawn_local(serve(stream, Rc::clone(&case), Rc::clone(&seen)));
    }
}

async fn serve(mut stream: TcpStream, case: Rc<Case>, seen: Rc<Seen>) {
    stream.set_nodelay(true).expect("nodelay");
    while let Some(request) = read_request(&mut stream).await {
        let is_second = request
            .split(|byte| *byte == b' ')
            .nth(1)
            .is_some_and(|path| path == SECOND_PATH.as_bytes());
        if is_second {
            let _ = stream.write_all(SECOND).await;
            continue;
        }
        for segment in case.segments() {
            if stream.write_all(segment).await.is_err() {
                break;
            }
            // The driver is polled before a task that yields goes on, and so the client is woken
            // and reads this segment before the next is there.
            yield_now().await;
        }
        if case.end == End::Close {
            let _ = stream.shutdown().await;
            seen.has_written.set(true);
            return;
        }
        seen.has_written.set(true);
    }
}

/// The head of a request without a body, or nothing if the client is gone.
async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    Some(request)
}
