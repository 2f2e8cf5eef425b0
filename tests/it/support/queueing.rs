//! A server that serves few connections at once, and accepts more into the kernel's queue.

use super::h2_server::rows;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// What becomes of a connection that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    Close,
}

/// Starts one that serves `served` connections at once, each until its client closes it or it is
/// closed, as `then` says; `queue` more may wait. It ends with the program.
pub(crate) fn queueing(served: usize, queue: u32, then: Then) -> SocketAddr {
    let listener = listen(queue);
    listener.set_nonblocking(false).expect("it may block");
    let address = listener.local_addr().expect("a bound listener");
    for _ in 0..served {
        let listener = listener.try_clone().expect("a second handle");
        thread::spawn(move || accept(&listener, then));
    }
    address
}

/// A listener, that does not block, whose queue holds `queue` connections; `std` offers no choice of that.
pub(crate) fn listen(queue: u32) -> TcpListener {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket
        .bind(([127, 0, 0, 1], 0).into())
        .expect("a free port");
    let listener = socket.listen(queue).expect("a listener");
    listener.into_std().expect("a listener")
}

fn accept(listener: &TcpListener, then: Then) {
    for stream in listener.incoming().flatten() {
        let _ = serve(stream, then);
    }
}

fn serve(mut stream: TcpStream, then: Then) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = Vec::new();
    loop {
        let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else {
            let mut piece = [0; 4096];
            let read = stream.read(&mut piece)?;
            if read == 0 {
                return Ok(());
            }
            bytes.extend_from_slice(&piece[..read]);
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let length = super::hostile::header(&head, "content-length");
        let length: usize = length.and_then(|it| it.parse().ok()).unwrap_or_default();
        let mut body: Vec<u8> = bytes.split_off(end + 4);
        bytes.clear();
        let came = body.len();
        body.resize(length, 0);
        stream.read_exact(&mut body[came..])?;
        let answer = rows(&body, 2);
        let close = match then {
            Then::Keep => "",
            Then::Close => "connection: close\r\n",
        };
        let length = answer.len();
        let head = format!("HTTP/1.1 200 OK\r\n{close}content-length: {length}\r\n\r\n");
        stream.write_all(&[head.as_bytes(), &answer].concat())?;
        if then == Then::Close {
            return Ok(());
        }
    }
}
