//! A call that is under way, as its caller holds it.

use crate::actor::{Inspect, Submitted, System};
use crate::caller::{Cancel, Progress, Reason, ReplyPort};
use crate::config::OnProgress;
use crate::error::{Error, Kind, Result};
use crate::job::Job;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::{oneshot, watch};

/// The answer to a call that is under way. Dropping it aborts the call.
#[must_use = "dropping it aborts the call"]
pub struct Pending<T> {
    state: State<T>,
    /// Hands progress to the caller's function while this is polled.
    listener: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    system: System,
}

enum State<T> {
    Waiting(Submitted, oneshot::Receiver<Result<T>>),
    /// The call was refused before it began, or has been answered.
    Ended(Option<Error>),
}

impl<T> Pending<T> {
    /// Sets a job under way, whose answer will come by `answer`.
    pub(crate) fn new(
        system: &System,
        job: Result<Job>,
        answer: oneshot::Receiver<Result<T>>,
    ) -> Self {
        let mut listener = None;
        let submitted = job.and_then(|mut job| {
            if let Some((callback, progress)) = job.listen() {
                listener = Some(tell(callback, progress));
            }
            system.submit(job)
        });
        Self {
            state: match submitted {
                Ok(submitted) => State::Waiting(submitted, answer),
                Err(error) => State::Ended(Some(error)),
            },
            listener,
            system: system.clone(),
        }
    }

    /// How far the call is; `None` once it has ended.
    pub fn progress(&self) -> impl Future<Output = Option<Progress>> + Send + use<T> {
        let (port, receiver) = oneshot::channel();
        if let State::Waiting(Submitted { id, .. }, _) = self.state {
            let reply = ReplyPort::Async(port);
            self.system.inspect(Inspect { id, reply });
        }
        async move { receiver.await.ok() }
    }

    /// Ends the call: its sockets are closed, and its future gives an error that
    /// [`is_cancelled`](Error::is_cancelled), with what had finished inside it.
    pub fn cancel(&self) {
        self.end(Reason::Cancelled);
    }

    fn end(&self, reason: Reason) {
        if let State::Waiting(Submitted { id, .. }, _) = self.state {
            self.system.cancel(Cancel { id, reason });
        }
    }
}

/// Calls the function whenever there is news, until the operation has ended.
fn tell(
    callback: OnProgress,
    mut progress: watch::Receiver<Progress>,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        while progress.changed().await.is_ok() {
            let latest = *progress.borrow_and_update();
            callback.call(latest);
        }
    })
}

impl<T> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match &mut self.state {
            State::Waiting(_, receiver) => Pin::new(receiver).poll(cx),
            State::Ended(refusal) => {
                let over = || Error::new(Kind::Internal("polled after its end".into()));
                return Poll::Ready(Err(refusal.take().unwrap_or_else(over)));
            }
        };
        // After the answer was looked for, so that the last news comes before it is given.
        if let Some(listener) = &mut self.listener
            && listener.as_mut().poll(cx).is_ready()
        {
            self.listener = None;
        }
        let answer = ready!(answer);
        self.state = State::Ended(None);
        // A port that is dropped unanswered belonged to a system that is no more.
        Poll::Ready(answer.unwrap_or_else(|_| Err(Error::new(Kind::Closed))))
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        self.end(Reason::Abandoned);
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = matches!(self.state, State::Waiting(..));
        f.debug_struct("Pending")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}
