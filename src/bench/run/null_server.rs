//! A server that answers every request with the same bytes, as fast as one thread can.

use futures_util::future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::thread::JoinHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// An answer, in one piece, that is a completion, embeddings, and whatever else is asked for.
const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n\
{\"choices\":[{\"message\":{\"content\":\"ok\"}}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1},\"id\":1}";
/// The same as a stream.
const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 64\r\n\r\n\
data: {\"choices\":[{\"delta\":{\"content\":\"ok\"}}]}\n\ndata: [DONE]\n\n \n";

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
            // The client is gone, or sent what is no request of ours.
            let _ = serve(&stream).await;
        });
    }
}

async fn serve(stream: &TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(16 << 10);
    loop {
        let (length, streams) = loop {
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
        let mut answer = if streams { STREAM } else { WHOLE };
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

/// The length of the request that the buffer begins with, if it is there as a whole, and whether
/// it asks for a stream.
fn request(buffer: &[u8]) -> io::Result<Option<(usize, bool)>> {
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
    let Some(body) = buffer.get(begins..begins + length) else {
        return Ok(None);
    };
    let wanted: &[u8] = b"\"stream\":true";
    let streams = body.windows(wanted.len()).any(|window| window == wanted);
    Ok(Some((begins + length, streams)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_answers_are_as_long_as_they_say() {
        for answer in [WHOLE, STREAM] {
            let text = std::str::from_utf8(answer).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let length = format!("content-length: {}", body.len());
            assert!(head.contains(&length), "{} is right", body.len());
        }
    }
}
