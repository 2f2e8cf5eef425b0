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
        let work = task.work;
        let url = format!("{}/v1/embeddings", task.url);
        let inputs: Vec<String> = work.inputs(1).collect();
        let inputs = inputs.join("\",\"");
        let format = if work.is_base64() { "base64" } else { "float" };
        let body = format!(r#"{{"model":"m","input":["{inputs}"],"encoding_format":"{format}"}}"#);
        let connections = task.connections.min(work.window());
        let (sockets, answer) = Sockets::open(&url, &body, connections)?;
        ensure!(
            answer.ends_with(work.answer().as_bytes()),
            "the server's answer is not the canned one: {}",
            String::from_utf8_lossy(&answer[..answer.len().min(500)])
        );
        Ok(Box::new(Counted {
            sockets,
            work,
            requests: 0,
        }))
    }
}

/// The sockets as a contender.
struct Counted {
    sockets: Sockets,
    work: Work,
    requests: usize,
}

impl Session for Counted {
    fn prepare(&mut self, requests: usize) {
        self.requests = requests;
    }

    fn go(&mut self) -> Result<()> {
        self.sockets.exchange(self.requests)
    }

    /// By their count; the first answer was compared in full.
    fn take(&mut self) -> Got {
        Got::right(self.work, self.requests)
    }
}

/// Connections over which one request is sent again and again, and whose answers are counted by
/// their bytes.
pub(crate) struct Sockets {
    poll: Poll,
    lanes: Vec<Lane>,
    buffer: Vec<u8>,
    request: Vec<u8>,
    /// Bytes of an answer: every answer of the server has as many.
    answer: usize,
    /// Bytes that an answer adds to the result; what they say does not matter.
    keep: usize,
    result: Vec<u8>,
}

impl Sockets {
    /// Connects, and asks once: the answer, head and all, is the other half of the result.
    pub(crate) fn open(url: &str, body: &str, connections: usize) -> Result<(Self, Vec<u8>)> {
        let authority = url.trim_start_matches("http://");
        let (host, path) = authority.split_once('/').context("the URL has no path")?;
        let request = request(host, path, body);
        let answer = first_answer(host, &request)?;
        let poll = Poll::new()?;
        let lanes: Result<Vec<Lane>> = (0..connections)
            .map(|lane| Lane::connect(host, &poll, Token(lane)))
            .collect();
        let sockets = Self {
            poll,
            lanes: lanes?,
            buffer: vec![0; PIECE.min(answer.len() * 2)],
            request,
            answer: answer.len(),
            keep: 0,
            result: Vec::new(),
        };
        Ok((sockets, answer))
    }

    /// From now on each answer adds so many bytes to a result, which takes memory as a matrix does.
    pub(crate) fn keep(&mut self, bytes: usize) {
        self.keep = bytes;
    }

    /// Makes so many requests, one at a time on each connection.
    pub(crate) fn exchange(&mut self, requests: usize) -> Result<()> {
        let (mut left, mut ended) = (requests, 0);
        self.result = Vec::with_capacity(requests * self.keep);
        for lane in self.lanes.iter_mut().take(requests) {
            lane.begin(self.answer);
            lane.write(&self.request)?;
            left -= 1;
        }
        let mut events = Events::with_capacity(self.lanes.len());
        while ended < requests {
            self.poll.poll(&mut events, None)?;
            for event in &events {
                let lane = &mut self.lanes[event.token().0];
                lane.write(&self.request)?;
                if lane.read(&mut self.buffer)?.is_continue() {
                    continue;
                }
                ended += 1;
                self.result.resize(ended * self.keep, 1);
                if left > 0 {
                    left -= 1;
                    lane.begin(self.answer);
                    lane.write(&self.request)?;
                }
            }
        }
        Ok(())
    }
}

/// Headers of the same names, and values as long, as hedgerow sends.
fn request(host: &str, path: &str, body: &str) -> Vec<u8> {
    let head = format!(
        "POST /{path} HTTP/1.1\r\n\
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
    (head + body).into_bytes()
}

/// Asks once, and returns the whole answer.
fn first_answer(host: &str, request: &[u8]) -> Result<Vec<u8>> {
    let mut stream = std::net::TcpStream::connect(host)?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    let mut piece = vec![0; PIECE];
    while length(&answer).is_none_or(|length| answer.len() < length) {
        let length = stream.read(&mut piece)?;
        ensure!(length > 0, "the server closed the connection");
        answer.extend_from_slice(&piece[..length]);
        ensure!(
            answer.starts_with(b"HTTP/1.1 200 "),
            "the server refuses: {}",
            String::from_utf8_lossy(&answer[..answer.len().min(500)])
        );
    }
    Ok(answer)
}

/// How long an answer is with its head, once its head is there.
fn length(answer: &[u8]) -> Option<usize> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = str::from_utf8(&answer[..end]).ok()?.to_ascii_lowercase();
    let (_, after) = head.split_once("\r\ncontent-length:")?;
    let (length, _) = after.split_once("\r\n")?;
    Some(end + length.trim().parse::<usize>().ok()?)
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
