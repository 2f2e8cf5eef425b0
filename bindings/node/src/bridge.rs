//! The bridge to one Node environment. No thread of its own, and no promise held natively: the
//! event loop's thread polls the core's futures itself.
//!
//! ```text
//! core's threads                        the event loop's thread
//! answer ─▶ waker ─▶ ready list         wake() ─▶ drain ─▶ poll ─▶ resolve (lib/bridge.js)
//!                └──▶ one call of Node ────▲
//! ```
//!
//! This wakes Node least. An async runtime of napi's would poll on a thread of its own and come
//! back with one call of Node for each promise; a thread of ours would save the many calls, and
//! still be woken itself before Node is.

use crate::answer::{AnyAnswer, Land, failed};
use crate::failure::Failure;
use crate::progress::{News, Progress};
use crate::signal::Signal;
use hedgerow::Pending;
use napi::Result;
use napi::bindgen_prelude::{Env, Function};
use napi_derive::napi;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The longest that one turn may hold the loop; the rest is for its next turn.
const TURN: Duration = Duration::from_millis(1);

/// Drives the calls of one environment.
#[napi]
pub(crate) struct Bridge {
    signal: Arc<Signal>,
    calls: Arc<Calls>,
    next: AtomicU32,
    /// Streams whose next batch is waited for.
    held: AtomicU32,
}

type Calls = Mutex<HashMap<u32, CallUnderWay>>;

struct CallUnderWay {
    pending: Box<dyn PendingCall>,
    news: Option<News>,
}

/// A call under way, whatever it asks for.
pub(crate) trait PendingCall: Send {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Outcome>;

    fn cancel(&self);
}

/// How a call ended.
pub(crate) enum Outcome {
    Answered(AnyAnswer),
    /// With what had finished.
    Failed(Failure, AnyAnswer),
}

impl Outcome {
    fn failed<A: Land>(error: hedgerow::Error) -> Self {
        let (failure, partial) = failed::<A>(error);
        Self::Failed(failure, partial)
    }
}

impl<A: Land> PendingCall for Pending<A> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Outcome> {
        let polled = Pin::new(self).poll(context);
        polled.map(|answer| match answer {
            Ok(answer) => Outcome::Answered(answer.land()),
            Err(error) => Outcome::failed::<A>(error),
        })
    }

    fn cancel(&self) {
        Pending::cancel(self);
    }
}

/// News of a call.
#[napi(object, object_from_js = false)]
pub(crate) struct Landed {
    /// Its number; or that of a stream, which has been woken if there is nothing else.
    pub call: u32,
    /// How far it is.
    pub progress: Option<Progress>,
    /// Its answer, which is its end.
    pub answer: Option<AnyAnswer>,
    /// Its failure, which is its end.
    pub failure: Option<Failure>,
    /// What had finished when it failed.
    pub partial: Option<AnyAnswer>,
}

impl Landed {
    fn of(call: u32, progress: Option<Progress>, polled: Poll<Outcome>) -> Self {
        let (answer, failure, partial) = match polled {
            Poll::Pending => (None, None, None),
            Poll::Ready(Outcome::Answered(answer)) => (Some(answer), None, None),
            Poll::Ready(Outcome::Failed(failure, partial)) => (None, Some(failure), Some(partial)),
        };
        Self {
            call,
            progress,
            answer,
            failure,
            partial,
        }
    }
}

#[napi]
impl Bridge {
    /// `wake` is called on the event loop's thread when `drain` is due.
    #[napi(constructor)]
    pub fn new(env: Env, wake: Function<'_, (), ()>) -> Result<Self> {
        let calls = Arc::new(Calls::default());
        let at_exit = Arc::clone(&calls);
        // A worker thread that ends, or a process, aborts its calls: their sockets are closed.
        env.add_env_cleanup_hook(at_exit, |calls| {
            let calls = std::mem::take(&mut *calls.lock());
            drop(calls);
        })?;
        Ok(Self {
            signal: Signal::new(wake)?,
            calls,
            next: AtomicU32::new(0),
            held: AtomicU32::new(0),
        })
    }

    /// News of what is ready, and of streams that are.
    #[napi]
    pub fn drain(&self, env: Env) -> Result<Vec<Landed>> {
        let began = Instant::now();
        let mut ready = self.signal.take().into_iter();
        let mut landed = Vec::new();
        for call in ready.by_ref() {
            let entry = self.calls.lock().remove(&call);
            landed.push(match entry {
                Some(entry) => self.poll(call, entry),
                None => Landed::of(call, None, Poll::Pending),
            });
            if began.elapsed() > TURN {
                break;
            }
        }
        if ready.len() > 0 {
            self.signal.push(ready);
        }
        self.keep_alive(env)?;
        Ok(landed)
    }

    /// Ends a call: its sockets are closed, and its failure says what had finished.
    #[napi]
    pub fn cancel(&self, call: u32) {
        if let Some(entry) = self.calls.lock().get(&call) {
            entry.pending.cancel();
        }
    }

    /// Aborts a call of which nothing more is to be heard.
    #[napi]
    pub fn forget(&self, env: Env, call: u32) -> Result<()> {
        let entry = self.calls.lock().remove(&call);
        drop(entry);
        self.keep_alive(env)
    }

    /// Keeps the process alive, for a stream whose next batch is waited for; or no longer.
    #[napi]
    pub fn hold(&self, env: Env, hold: bool) -> Result<()> {
        if hold {
            self.held.fetch_add(1, Ordering::Relaxed);
        } else {
            self.held.fetch_sub(1, Ordering::Relaxed);
        }
        self.keep_alive(env)
    }

    /// A number that no call has.
    pub(crate) fn number(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn signal(&self) -> &Arc<Signal> {
        &self.signal
    }

    /// Drives a call that has begun, or tells why it has not.
    pub(crate) fn start<A: Land>(
        &self,
        env: Env,
        begun: hedgerow::Result<Pending<A>>,
        news: Option<News>,
    ) -> Result<Landed> {
        let number = self.number();
        let pending = match begun {
            Ok(pending) => Box::new(pending),
            Err(error) => {
                let failed = Outcome::failed::<A>(error);
                return Ok(Landed::of(number, None, Poll::Ready(failed)));
            }
        };
        let landed = self.poll(number, CallUnderWay { pending, news });
        self.keep_alive(env)?;
        Ok(landed)
    }

    fn poll(&self, call: u32, mut entry: CallUnderWay) -> Landed {
        let waker = self.signal.waker(call);
        let polled = entry.pending.poll(&mut Context::from_waker(&waker));
        let progress = entry.news.as_ref().and_then(News::take);
        if polled.is_pending() {
            self.calls.lock().insert(call, entry);
        }
        Landed::of(call, progress, polled)
    }

    /// A call under way keeps the process alive; an idle client does not.
    fn keep_alive(&self, env: Env) -> Result<()> {
        let any = self.held.load(Ordering::Relaxed) > 0 || !self.calls.lock().is_empty();
        self.signal.keep_alive(env, any)
    }
}
