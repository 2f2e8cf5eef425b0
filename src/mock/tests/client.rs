//! A client that sends what it is told, byte for byte, and reports what came.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::mock::MockServer;

/// A raw connection to a mock server.
pub(super) struct Client {
    pub(super) stream: BufReader<TcpStream>,
}

/// A mock server, and a connection to it.
pub(super) fn server_and_client() -> (MockServer, Client) {
    let server = MockServer::start().expect("a server");
    let client = Client::new(&server);
    (server, client)
}

/// What came back.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// The body ended as its framing says, not by the end of the connection.
    pub(super) whole: bool,
}

/// How a connection ended where an answer, or more of it, was due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// FIN.
    Closed,
    /// RST.
    Reset,
    /// Nothing came in time.
    Silent,
}

impl Client {
    pub(super) fn new(server: &MockServer) -> Self {
        let stream = TcpStream::connect(server.addr()).expect("the server listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a timeout");
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub(super) fn patience(&self, timeout: Duration) {
        self.stream
            .get_ref()
            .set_read_timeout(Some(timeout))
            .expect("a timeout");
    }

    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .get_mut()
            .write_all(bytes.as_ref())
            .expect("the server reads");
    }

    /// Sends a request with a JSON body and reads its answer. `headers` are
    /// whole lines, each with its line end.
    pub(super) fn post(&mut self, path: &str, headers: &str, body: &str) -> Received {
        self.send(request("POST", path, headers, body));
        self.answer().expect("an answer")
    }

    pub(super) fn get(&mut self, method: &str, path: &str) -> Received {
        self.send(request(method, path, "", ""));
        self.answer_to(method == "HEAD").expect("an answer")
    }

    pub(super) fn answer(&mut self) -> Result<Received, Ended> {
        self.answer_to(false)
    }

    fn answer_to(&mut self, head: bool) -> Result<Received, Ended> {
        let line = self.line()?;
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .expect("a status");
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            headers.push((name.to_owned(), value.to_owned()));
        }
        let mut answer = Received {
            status,
            headers,
            body: Vec::new(),
            whole: true,
        };
        if head || status == 204 || status == 100 {
            return Ok(answer);
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.whole = self.chunks(&mut answer.body);
        } else if let Some(length) = answer.header("content-length") {
            let length: u64 = length.parse().expect("a length");
            let read = (&mut self.stream)
                .take(length)
                .read_to_end(&mut answer.body);
            answer.whole = read.is_ok() && answer.body.len() as u64 == length;
        } else {
            answer.whole = self.stream.read_to_end(&mut answer.body).is_ok();
        }
        Ok(answer)
    }

    /// Reads chunks; `false` when they end without the last one.
    fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let Ok(line) = self.line() else { return false };
            let Ok(size) = u64::from_str_radix(&line, 16) else {
                return false;
            };
            let before = body.len();
            let read = (&mut self.stream).take(size).read_to_end(body);
            if read.is_err() || ((body.len() - before) as u64) < size || self.line().is_err() {
                return false;
            }
            if size == 0 {
                return true;
            }
        }
    }

    /// Reads a line, without its end.
    pub(super) fn line(&mut self) -> Result<String, Ended> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => Err(Ended::Closed),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(error) => Err(match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Ended::Silent,
                _ => Ended::Reset,
            }),
        }
    }
}

impl Received {
    pub(super) fn header(&self, wanted: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// A request with a content length.
pub(super) fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: mock\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}
