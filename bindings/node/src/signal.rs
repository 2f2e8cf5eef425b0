//! The way from the core's threads to the thread of one Node environment.
//!
//! A waker writes the number of its call into a list, and calls Node only where no call of Node's
//! thread is on its way: however many answers come in one turn of the event loop, it is woken once.

use napi::bindgen_prelude::{Env, Function, Result};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

/// Calls a JavaScript function without arguments. It keeps no process alive unless it is told to.
type Call = ThreadsafeFunction<(), (), (), napi::Status, false, true>;

/// What is ready, and how Node is told.
pub(crate) struct Signal {
    ready: Mutex<Vec<u32>>,
    /// Node's thread will come for what is ready.
    raised: AtomicBool,
    call: Mutex<Call>,
}

impl Signal {
    pub(crate) fn new(wake: Function<'_, (), ()>) -> Result<Arc<Self>> {
        let call = wake
            .build_threadsafe_function()
            .callee_handled::<false>()
            .weak::<true>()
            .build()?;
        Ok(Arc::new(Self {
            ready: Mutex::default(),
            raised: AtomicBool::new(false),
            call: Mutex::new(call),
        }))
    }

    pub(crate) fn push(&self, calls: impl IntoIterator<Item = u32>) {
        self.ready.lock().extend(calls);
        if !self.raised.swap(true, Ordering::AcqRel) {
            // An environment that is being torn down refuses; then nobody waits either.
            let _ = self
                .call
                .lock()
                .call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// What is ready. What comes later raises the signal again.
    pub(crate) fn take(&self) -> Vec<u32> {
        self.raised.store(false, Ordering::Release);
        std::mem::take(&mut *self.ready.lock())
    }

    /// Whether the process is to live until the next news.
    #[expect(deprecated, reason = "there is no other way to do this from safe code")]
    pub(crate) fn keep_alive(&self, env: Env, keep: bool) -> Result<()> {
        let mut call = self.call.lock();
        if keep {
            call.refer(&env)
        } else {
            call.unref(&env)
        }
    }

    /// A waker that says `call` is ready.
    pub(crate) fn waker(self: &Arc<Self>, call: u32) -> Waker {
        let signal = Arc::clone(self);
        Waker::from(Arc::new(CallWaker { call, signal }))
    }
}

struct CallWaker {
    call: u32,
    signal: Arc<Signal>,
}

impl Wake for CallWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.signal.push([self.call]);
    }
}
