//! One connection, one request after another: receive, limit, decide, wait,
//! answer, deliver. Read [`Connection::exchange`] to follow a request from top to bottom.

use std::time::{Duration, Instant};

use httparse::Status;
use tokio::net::TcpStream;

use super::control;
use super::denial::Denial;
use super::limiter::Permit;
use super::reply::Reply;
use super::request::{BodyLength, Head, Request};
use super::routes;
use super::shared::Shared;
use super::stats::Serving;
use super::treatment::{Afterwards, Instead, Treatment};
use super::wire::{ConnectionEnd, KEPT, Wire};

/// The largest request head that is taken.
const MAX_HEAD: usize = 64 << 10;

/// Serves a client until one of the two closes the connection.
pub(super) async fn serve(stream: TcpStream, shared: &Shared) {
    let _presence = shared.ledger.connect();
    let mut connection = Connection::new(stream, shared);
    loop {
        match connection.exchange().await {
            Ok(()) => {}
            Err(ConnectionEnd::Peer | ConnectionEnd::Ours) => return,
            Err(ConnectionEnd::Refused(status)) => return connection.refuse(status).await,
        }
    }
}

/// A connection and the buffers that it uses again for every request.
#[derive(Debug)]
pub(super) struct Connection<'s> {
    pub(super) shared: &'s Shared,
    pub(super) wire: Wire,
    head: Head,
    /// The body of a request that came in chunks.
    unchunked: Vec<u8>,
    /// The head of the answer.
    pub(super) preamble: Vec<u8>,
    /// The body of the answer.
    pub(super) body: Vec<u8>,
}

/// A request that lies in the connection's buffers.
#[derive(Debug, Clone, Copy)]
struct Received {
    /// Where it ends in what was received.
    end: usize,
    chunked: bool,
}

/// What the request says of the form of its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) keep_alive: bool,
    pub(super) http_1_0: bool,
    /// The request was a HEAD: the answer ends with its head.
    pub(super) bodiless: bool,
}

impl<'s> Connection<'s> {
    fn new(stream: TcpStream, shared: &'s Shared) -> Self {
        Self {
            shared,
            wire: Wire::new(stream),
            head: Head::new(),
            unchunked: Vec::new(),
            preamble: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Takes one request and answers it. An `Err` ends the connection.
    async fn exchange(&mut self) -> Result<(), ConnectionEnd> {
        let shared = self.shared;
        self.receive_head().await?;
        let entry = self.enter();
        let received = self.receive_body().await?;
        let arrived = Instant::now();

        let request = self.request(received);
        let form = self.form(&request);
        if control::is_control(request.path()) {
            let mut body = Vec::new();
            let reply = control::answer(&request, shared, &mut body);
            self.body = body;
            self.deliver(None, &reply, &Treatment::default(), form)
                .await?;
            return self.finish(received, form.keep_alive);
        }

        let mut serving = shared.ledger.begin(request.path(), request.key());
        let quota = match entry.and_then(|permit| serving.admit(permit, &request, arrived)) {
            Ok(quota) => quota,
            Err(denial) => {
                self.body = denial.body;
                serving.refused_by(denial.limit);
                let keep_alive = form.keep_alive && !denial.closes;
                let form = Form { keep_alive, ..form };
                self.deliver(
                    Some(&mut serving),
                    &denial.reply,
                    &Treatment::default(),
                    form,
                )
                .await?;
                return self.finish(received, form.keep_alive);
            }
        };
        let treatment = match Treatment::of(&request, shared, serving.crowd, shared.next_draw()) {
            Ok(treatment) => treatment,
            Err(bad) => {
                let mut reply = Reply::error(400, &bad.to_string(), &mut self.body);
                reply.headers = quota;
                self.deliver(Some(&mut serving), &reply, &Treatment::default(), form)
                    .await?;
                return self.finish(received, form.keep_alive);
            }
        };

        // The answer is made behind the delay: nothing is computed for a client
        // that went away, and waiting requests hold no large answers.
        self.wait(arrived, treatment.delay).await?;
        if matches!(treatment.instead, Some(Instead::Hang)) {
            self.wire.wait(&shared.pacer, None).await?;
        }
        if treatment.closes_unanswered() {
            return self.close(&mut serving, treatment.reset);
        }

        let mut body = std::mem::take(&mut self.body);
        body.clear();
        let mut reply = routes::answer(&self.request(received), &treatment, shared, &mut body);
        self.body = body;
        reply.headers.extend(quota);
        let start = arrived + treatment.delay;
        if let Some(script) = &reply.script {
            self.stream(&mut serving, &reply, script, &treatment, form, start)
                .await?;
        } else {
            self.wait(start, reply.takes).await?;
            self.deliver(Some(&mut serving), &reply, &treatment, form)
                .await?;
        }

        self.finish(received, form.keep_alive)?;
        match treatment.afterwards {
            None => Ok(()),
            Some(Afterwards::Close) => Err(ConnectionEnd::Ours),
            Some(Afterwards::CloseOnReuse) => {
                if self.wire.received().is_empty() {
                    self.wire.fill().await?;
                }
                Err(ConnectionEnd::Ours)
            }
        }
    }

    /// Reads a request's head.
    async fn receive_head(&mut self) -> Result<(), ConnectionEnd> {
        while self.wire.received().is_empty() || !self.head.parse(self.wire.received())? {
            if self.wire.received().len() > MAX_HEAD {
                return Err(ConnectionEnd::Refused(431));
            }
            self.wire.fill().await?;
        }
        Ok(())
    }

    /// Lets a request in whose head is read, if the limits do.
    fn enter(&self) -> Result<Option<Permit<'s>>, Box<Denial>> {
        let limiter = &self.shared.limiter;
        if !limiter.limits_any() {
            return Ok(None);
        }
        let head = Request::new(&self.head, self.wire.received(), b"");
        if head.path() == "/health" || control::is_control(head.path()) {
            return Ok(None);
        }
        let connections = || self.shared.ledger.connections();
        limiter.enter(&head, connections).map(Some)
    }

    /// Reads the rest of a request.
    async fn receive_body(&mut self) -> Result<Received, ConnectionEnd> {
        let start = self.head.len;
        let known = match self.head.body {
            BodyLength::Known(length) => start.saturating_add(length),
            BodyLength::Chunked => start + 1,
        };
        if self.head.expects_continue && self.wire.received().len() < known {
            self.wire
                .write(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
                .await?;
        }
        if self.head.body == BodyLength::Chunked {
            let end = self.receive_chunks(start).await?;
            return Ok(Received { end, chunked: true });
        }
        self.wire.fill_to(known).await?;
        Ok(Received {
            end: known,
            chunked: false,
        })
    }

    /// Reads a chunked body and its trailers; tells where they end.
    async fn receive_chunks(&mut self, start: usize) -> Result<usize, ConnectionEnd> {
        let mut at = start;
        self.unchunked.clear();
        loop {
            let parsed = httparse::parse_chunk_size(&self.wire.received()[at..]);
            let Status::Complete((line, size)) = parsed.map_err(|_| ConnectionEnd::Refused(400))?
            else {
                self.wire.fill().await?;
                continue;
            };
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            at += line;
            if size == 0 {
                break;
            }
            self.wire
                .fill_to(at.saturating_add(size).saturating_add(2))
                .await?;
            self.unchunked
                .extend_from_slice(&self.wire.received()[at..at + size]);
            at += size + 2;
        }
        loop {
            let rest = &self.wire.received()[at..];
            match rest.iter().position(|&byte| byte == b'\n') {
                Some(line) => {
                    at += line + 1;
                    if line <= 1 {
                        return Ok(at);
                    }
                }
                None if rest.len() > MAX_HEAD => return Err(ConnectionEnd::Refused(431)),
                None => self.wire.fill().await?,
            }
        }
    }

    fn request(&self, received: Received) -> Request<'_> {
        let buffer = self.wire.received();
        let body = if received.chunked {
            &self.unchunked[..]
        } else {
            &buffer[self.head.len..received.end]
        };
        Request::new(&self.head, buffer, body)
    }

    fn form(&self, request: &Request<'_>) -> Form {
        Form {
            keep_alive: self.head.keep_alive,
            http_1_0: self.head.minor == 0,
            bodiless: request.method() == "HEAD",
        }
    }

    /// Waits until `delay` past `start`, watching the client.
    async fn wait(&mut self, start: Instant, delay: Duration) -> Result<(), ConnectionEnd> {
        if delay.is_zero() {
            return Ok(());
        }
        self.wire
            .wait(&self.shared.pacer, Some(start + delay))
            .await
    }

    /// Closes on purpose, in the middle of a request.
    pub(super) fn close(
        &self,
        serving: &mut Serving<'_>,
        reset: bool,
    ) -> Result<(), ConnectionEnd> {
        if reset {
            self.wire.reset_on_close();
        }
        serving.dropped();
        Err(ConnectionEnd::Ours)
    }

    /// Makes room for the next request.
    fn finish(&mut self, received: Received, keep_alive: bool) -> Result<(), ConnectionEnd> {
        self.wire.consume(received.end);
        for buffer in [&mut self.body, &mut self.unchunked] {
            if buffer.capacity() > KEPT {
                *buffer = Vec::new();
            }
        }
        if keep_alive {
            Ok(())
        } else {
            Err(ConnectionEnd::Ours)
        }
    }

    /// Says what was wrong with bytes that are no request; the connection ends.
    async fn refuse(&mut self, status: u16) {
        self.shared.ledger.malformed();
        let reply = Reply::error(
            status,
            "this is no request that can be answered",
            &mut self.body,
        );
        let form = Form {
            keep_alive: false,
            http_1_0: false,
            bodiless: false,
        };
        // The client may be gone already, and nothing depends on its reading this.
        let _ = self
            .deliver(None, &reply, &Treatment::default(), form)
            .await;
    }
}
