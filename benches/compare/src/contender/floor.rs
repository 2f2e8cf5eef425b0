//! The floor: bare sockets that write one fixed request and count the bytes of the answer.
//!
//! What is left is what the kernel charges for; no client can be below it by much.

use super::{Contender, Got, Session, Task};
use crate::work::Work;
use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, Read, Write};
use std::ops::ControlFlow;

/// Large answers are read in pieces of this size.
const PIECE: usize = 256 << 10;

/// No client at all.
pub(super) struct Floor;

impl Contender for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn about(&self) -> &'static str {
        "bare non-blocking sockets (mio), one thread, answers counted and not read"
    }

    fn start(&self, task: &Task) -> Result<Box<dyn Session>> {
        let authority = task.url.trim_start_matches("http://");
        let (host, path) = authority.split_once('/').context("the URL has no path")?;
        let request = request(task.work, host, path);
        let answer = first_answer(host, &request, task.work)?;
        let poll = Poll::new()?;
        let connections = task.connections.min(task.work.window());
        let lanes: Result<Vec<Lane>> = (0..connections)
            .map(|lane| Lane::connect(host, &poll, Token(lane)))
            .collect();
        Ok(Box::new(Sockets {
            poll,
            lanes: lanes?,
            buffer: vec![0; PIECE.min(answer * 2)],
            request,
            answer,
            work: task.work,
            requests: 0,
            ended: 0,
        }))
    }
}

/// Headers of the same names, and values as long, as hedgerow sends.
fn request(work: Work, host: &str, path: &str) -> Vec<u8> {
    let inputs = work.inputs(1).join("\",\"");
    let format = if work.is_base64() { "base64" } else { "float" };
    let body = format!(r#"{{"model":"m","input":["{inputs}"],"encoding_format":"{format}"}}"#);
    let head = format!(
        "POST /{path}/v1/embeddings HTTP/1.1\r\n\
         host: {host}\r\n\
         accept: application/json\r\n\
         accept-encoding: zstd, gzip, br, deflate\r\n\
         user-agent: hedgerow/0.1.0\r\n\
         content-type: application/json\r\n\
         x-baseten-customer-request-id: perfclient-0123456789abcdef-12345-0\r\n\
         request-timeout-ms: 3600000\r\n\
         request-deadline-ms: 1700000000000\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

/// Asks once, checks the answer, and returns how many bytes it has, head and all: every answer of
/// the server has as many.
fn first_answer(host: &str, request: &[u8], work: Work) -> Result<usize> {
    let mut stream = std::net::TcpStream::connect(host)?;
    stream.write_all(request)?;
    let right = work.answer();
    let mut bytes = Vec::new();
    let mut piece = vec![0; PIECE];
    while !bytes.ends_with(right.as_bytes()) {
        let length = stream.read(&mut piece)?;
        ensure!(length > 0, "the server closed the connection");
        bytes.extend_from_slice(&piece[..length]);
        ensure!(
            bytes.starts_with(b"HTTP/1.1 200 ") && bytes.len() < right.len() + 4096,
            "the server's answer is not the canned one: {}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(500)])
        );
    }
    Ok(bytes.len())
}

/// All connections, and how far the run is.
struct Sockets {
    poll: Poll,
    lanes: Vec<Lane>,
    buffer: Vec<u8>,
    request: Vec<u8>,
    /// Bytes of an answer.
    answer: usize,
    work: Work,
    requests: usize,
    ended: usize,
}

impl Session for Sockets {
    fn prepare(&mut self, requests: usize) {
        self.requests = requests;
        self.ended = 0;
    }

    fn go(&mut self) -> Result<()> {
        let mut left = self.requests;
        for lane in self.lanes.iter_mut().take(self.requests) {
            lane.begin(self.answer);
            lane.write(&self.request)?;
            left -= 1;
        }
        let mut events = Events::with_capacity(self.lanes.len());
        while self.ended < self.requests {
            self.poll.poll(&mut events, None)?;
            for event in &events {
                let lane = &mut self.lanes[event.token().0];
                lane.write(&self.request)?;
                if lane.read(&mut self.buffer)?.is_continue() {
                    continue;
                }
                self.ended += 1;
                if left > 0 {
                    left -= 1;
                    lane.begin(self.answer);
                    lane.write(&self.request)?;
                }
            }
        }
        Ok(())
    }

    /// By their count; the first answer was compared in full.
    fn take(&mut self) -> Got {
        Got::right(self.work, self.ended)
    }
}

/// One connection.
struct Lane {
    stream: TcpStream,
    /// Bytes of the request that were written; all of them before the first request.
    written: usize,
    /// Bytes of the answer that are still to come.
    expected: usize,
}

impl Lane {
    /// Connects, which may block: it is not measured.
    fn connect(host: &str, poll: &Poll, token: Token) -> Result<Self> {
        let stream = std::net::TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, token, interest)?;
        Ok(Self {
            stream,
            written: usize::MAX,
            expected: 0,
        })
    }

    /// The next request is to be written, and an answer of so many bytes to be read.
    fn begin(&mut self, answer: usize) {
        self.written = 0;
        self.expected = answer;
    }

    /// Writes what is left of the request, as far as the socket takes it.
    fn write(&mut self, request: &[u8]) -> Result<()> {
        while self.written < request.len() {
            match self.stream.write(&request[self.written..]) {
                Ok(length) => self.written += length,
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => break,
                Err(cause) => return Err(cause.into()),
            }
        }
        Ok(())
    }

    /// Reads what is there; breaks when the answer is complete.
    fn read(&mut self, buffer: &mut [u8]) -> Result<ControlFlow<()>> {
        while self.expected > 0 {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(length) => {
                    let rest = self.expected.checked_sub(length);
                    self.expected = rest.context("an answer is longer than the first")?;
                    if self.expected == 0 {
                        return Ok(ControlFlow::Break(()));
                    }
                    // A short read leaves an empty socket, whose next bytes raise an event.
                    if length < buffer.len() {
                        break;
                    }
                }
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => break,
                Err(cause) => return Err(cause.into()),
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
