//! One attempt, from its body to its decoded answer.

mod answer;

use super::buffers::{Buffers, Turns};
use super::failure::Failure;
use super::labour::Labour;
use super::messages::{Attempt, Success};
use super::room::Room;
use crate::policy::limit::ProbeStage;
use crate::transport::{
    self, Head, OwnHeaders, Refusal, Request, Response, Transport, TransportError,
};
use bytes::Bytes;
use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A connect that ends at its very limit is told within so long.
const AFTER_CONNECT: Duration = Duration::from_millis(250);

/// So often is a request sent on.
const MOST_REDIRECTS: usize = 3;
/// A longer body of an answer that sends a request on costs its connection.
const SHORT: usize = 4 << 10;

/// What the exchanges of a Worker share.
pub(super) struct Tools {
    transport: Rc<dyn Transport>,
    max_response_bytes: usize,
    buffers: RefCell<Buffers>,
    turns: Turns,
    labour: Labour,
    room: Room,
}

impl Tools {
    /// `share` bytes are what all their answers may hold together.
    pub(super) fn new(
        transport: Rc<dyn Transport>,
        max_response_bytes: usize,
        share: usize,
    ) -> Self {
        Self {
            transport,
            max_response_bytes,
            buffers: RefCell::default(),
            turns: Turns::default(),
            labour: Labour::default(),
            room: Room::of(share),
        }
    }
}

/// An attempt on its way.
pub(super) struct Exchange {
    attempt: Attempt,
    tools: Rc<Tools>,
}

impl Exchange {
    pub(super) fn new(attempt: Attempt, tools: &Rc<Tools>) -> Self {
        Self {
            attempt,
            tools: Rc::clone(tools),
        }
    }

    /// Carries it out; its time limit covers connect, head and body. `probe` is told how far it
    /// comes, if it is one.
    pub(super) async fn run(&self, probe: impl Fn(ProbeStage)) -> Result<Success, Failure> {
        let until = self.attempt.until;
        let ended = tokio::time::timeout_at(until, self.send_and_read(probe)).await;
        ended.unwrap_or(Err(Failure::Timeout))
    }

    async fn send_and_read(&self, probe: impl Fn(ProbeStage)) -> Result<Success, Failure> {
        let Attempt {
            operation, probing, ..
        } = &self.attempt;
        let mut observer = operation.observer();
        // Awaited where it is made: to move it would be to copy it.
        let sent = if *probing {
            Box::pin(self.probe(self.send(self.head()), &probe)).await
        } else {
            self.send(self.head()).await
        };
        let mut response = sent.map_err(Failure::Transport)?;
        if transport::sends_on(response.status) {
            response = Box::pin(self.follow(response)).await?;
        }
        if let Some(observer) = &mut observer {
            observer.head_came();
        }
        if !(200..300).contains(&response.status) {
            return Err(Failure::Refused(
                Refusal::read(response, operation.head()).await,
            ));
        }
        if *probing {
            probe(ProbeStage::Answered);
        }
        let length = response.content_length.filter(|_| response.body.can_wait());
        let read = pin!(async {
            let mut buffer = self.tools.buffers.borrow_mut().take();
            let result = self.read(response, &mut buffer, observer).await;
            self.tools.buffers.borrow_mut().give(buffer);
            result
        });
        self.tools.turns.take(length, read).await
    }

    fn head(&self) -> &Arc<Head> {
        let head = self.attempt.operation.head();
        if self.attempt.try_base64 {
            head.uncoded()
        } else {
            head
        }
    }

    async fn send(&self, head: &Arc<Head>) -> Result<Response, TransportError> {
        transport::send(
            &*self.tools.transport,
            |fresh| self.request(head, fresh),
            || self.attempt.id.request_id(&self.attempt.trace),
        )
        .await
    }

    /// Sends the request on to where its server says, a few times.
    async fn follow(&self, mut answer: Response) -> Result<Response, Failure> {
        let mut head = Arc::clone(self.head());
        for _ in 0..MOST_REDIRECTS {
            let sends_on = transport::sends_on(answer.status);
            let Some(to) = sends_on.then(|| head.sent_on(&answer.headers)).flatten() else {
                break;
            };
            // Read to its end, it leaves the connection for the next.
            let mut rest = Vec::new();
            let body = &mut answer.body;
            let _ = transport::read_body(body, None, SHORT, &mut rest, |_| (), async |_| ()).await;
            drop(answer);
            log::debug!("{:?} goes on to {to:?}", self.attempt.id);
            head = to;
            answer = self.send(&head).await.map_err(Failure::Transport)?;
        }
        Ok(answer)
    }

    /// What is under way for longer than a connect may take is connected. Many servers send nothing of
    /// an answer before they have all of it.
    async fn probe<T>(&self, sent: impl Future<Output = T>, probe: &impl Fn(ProbeStage)) -> T {
        let mut sent = pin!(sent);
        let connect = self.tools.transport.longest_connect() + AFTER_CONNECT;
        if let Ok(sent) = tokio::time::timeout(connect, &mut sent).await {
            return sent;
        }
        probe(ProbeStage::Connected);
        sent.await
    }

    fn request(&self, head: &Arc<Head>, fresh: bool) -> Request {
        Request {
            head: Arc::clone(head),
            own: self.own_headers(),
            body: self.body(),
            fresh,
            last_try: self.attempt.last_try,
        }
    }

    fn body(&self) -> Option<Bytes> {
        let attempt = &self.attempt;
        let inputs = attempt.inputs.clone();
        attempt.operation.body(inputs, attempt.try_base64)
    }

    fn own_headers(&self) -> Option<OwnHeaders> {
        let Attempt {
            id,
            trace,
            until,
            operation,
            ..
        } = &self.attempt;
        let own = || {
            let left = until.saturating_duration_since(Instant::now());
            OwnHeaders::new(trace, id.key.request, id.attempt, left)
        };
        operation.has_own_headers().then(own)
    }
}
