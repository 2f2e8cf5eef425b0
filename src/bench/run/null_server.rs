//! A server that answers every request with the same bytes, as fast as one thread can: over HTTP/1.1, or
//! over HTTP/2 where that is spoken from the first byte.

use bytes::Bytes;
use futures_util::future;
use http::header::{CONTENT_TYPE, HeaderValue};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::thread::JoinHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// An answer.
#[derive(Debug, Clone, Copy)]
enum Canned {
    /// In one piece: a completion, embeddings, and whatever else is asked for.
    Whole,
    /// The same as a stream.
    Stream,
}

/// What a body asks for a stream by.
const STREAMS: &[u8] = b"\"stream\":true";
/// How a connection begins over which HTTP/2 is spoken.
const PREFACE: &[u8] = b"PRI ";

impl Canned {
    fn of(body: &[u8]) -> Self {
        if memchr::memmem::find(body, STREAMS).is_some() {
            Self::Stream
        } else {
            Self::Whole
        }
    }

    /// Its type, and its body.
    fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Whole => (
                "application/json",
                "{\"choices\":[{\"message\":{\"content\":\"ok\"}}],\"usage\":{\"prompt_tokens\":1,\
                 \"completion_tokens\":1},\"id\":1}",
            ),
            Self::Stream => (
                "text/event-stream",
                "data: {\"choices\":[{\"delta\":{\"content\":\"ok\"}}]}\n\ndata: [DONE]\n\n",
            ),
        }
    }

    /// As HTTP/1.1 has it.
    fn written(self) -> Vec<u8> {
        let (content_type, body) = self.parts();
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into()
    }
}

/// Runs until it is dropped.
pub(super) struct NullServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl NullServer {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = move || {
            let accepting = async {
                match TcpListener::from_std(listener) {
                    Ok(listener) => accept(listener).await,
                    Err(cause) => log::debug!("the null server cannot listen: {cause}"),
                }
            };
            // It ends when the server is dropped, and the sender with it.
            runtime.block_on(future::select(pin!(accepting), stopped));
        };
        let thread = std::thread::Builder::new()
            .name("hedgerow-null".into())
            .spawn(serve)?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for NullServer {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It ends with its runtime, and every connection with it.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            // Where it ends in an error, the client is gone, or sent what is no request of ours.
            if begins_with_preface(&stream).await.unwrap_or_default() {
                let _ = serve_http2(stream).await;
            } else {
                let _ = serve(&stream).await;
            }
        });
    }
}

async fn begins_with_preface(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut first).await?;
        if length == 0 || length == first.len() || first[..length] != PREFACE[..length] {
            return Ok(first == PREFACE);
        }
    }
}

async fn serve_http2(stream: TcpStream) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(asked) = connection.accept().await {
        let (request, answer) = asked?;
        tokio::spawn(answer_http2(request.into_body(), answer));
    }
    Ok(())
}

async fn answer_http2(
    mut asked: h2::RecvStream,
    mut answer: h2::server::SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let mut body = Vec::new();
    while let Some(piece) = asked.data().await {
        let piece = piece?;
        asked.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    let (content_type, body) = Canned::of(&body).parts();
    let content_type = HeaderValue::from_static(content_type);
    let mut head = http::Response::new(());
    head.headers_mut().insert(CONTENT_TYPE, content_type);
    let mut sending = answer.send_response(head, false)?;
    sending.send_data(Bytes::from_static(body.as_bytes()), true)
}

async fn serve(stream: &TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(16 << 10);
    let (whole, events) = (Canned::Whole.written(), Canned::Stream.written());
    loop {
        let (length, canned) = loop {
            if let Some(found) = request(&buffer)? {
                break found;
            }
            stream.readable().await?;
            match stream.try_read_buf(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {}
                Err(cause) => return Err(cause),
            }
        };
        buffer.drain(..length);
        let mut answer = match canned {
            Canned::Whole => &*whole,
            Canned::Stream => &*events,
        };
        while !answer.is_empty() {
            match stream.try_write(answer) {
                Ok(written) => answer = &answer[written..],
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {
                    stream.writable().await?;
                }
                Err(cause) => return Err(cause),
            }
        }
    }
}

/// The length of the request that the buffer begins with, if it is there as a whole, and what it is
/// answered.
fn request(buffer: &[u8]) -> io::Result<Option<(usize, Canned)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let bad = |cause: String| io::Error::new(io::ErrorKind::InvalidData, cause);
    let parsed = head.parse(buffer).map_err(|cause| bad(cause.to_string()))?;
    let httparse::Status::Complete(begins) = parsed else {
        return Ok(None);
    };
    let length = head
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse().ok())
        .unwrap_or(0);
    let body = buffer.get(begins..begins + length);
    Ok(body.map(|body| (begins + length, Canned::of(body))))
}
