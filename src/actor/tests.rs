//! Supervision, with real Workers that are made to panic.

use super::dispatcher::{Ended, Finished};
use super::exchange::Tools;
use super::failure::Failure;
use super::messages::{Abort, Assign, Attempt, AttemptId, Crash, RequestKey};
use super::pool::{WorkerPool, WorkerPort};
use super::worker::{Obituary, Worker};
use crate::caller::OperationId;
use crate::decode::DecodeError;
use crate::headers::Headers;
use crate::job::{Operation, Part};
use crate::transport::{Account, Head, Request, Response, Trace, Transport, TransportError};
use actix::{Actor, Addr, AsyncContext, Context, Handler};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A network on which no answer ever comes.
struct Silence;

impl Transport for Silence {
    fn send(&self, _: Request) -> LocalBoxFuture<'static, Result<Response, TransportError>> {
        futures_util::future::pending().boxed_local()
    }
}

struct Nothing(Arc<Head>);

impl Operation for Nothing {
    fn head(&self) -> &Arc<Head> {
        &self.0
    }

    fn inputs(&self) -> usize {
        1
    }

    fn leaves_encoding_open(&self) -> bool {
        false
    }

    fn body(&self, _: Range<usize>, _: bool) -> Option<Bytes> {
        None
    }

    fn decode(&self, _: Range<usize>, _: &Headers, _: &mut Vec<u8>) -> Result<Part, DecodeError> {
        Err(DecodeError::Malformed("nothing answers".into()))
    }
}

/// Stands where the Dispatcher does, and keeps what it is told.
#[derive(Default)]
struct Listener(Rc<RefCell<Vec<(AttemptId, &'static str)>>>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Finished> for Listener {
    type Result = ();

    fn handle(&mut self, finished: Finished, _: &mut Self::Context) {
        let told = finished.outcomes.into_iter().map(|outcome| {
            let end = match outcome.result {
                Err(Failure::Lost) => "lost",
                Err(Failure::Aborted) => "aborted",
                _ => "otherwise",
            };
            (outcome.id, end)
        });
        self.0.borrow_mut().extend(told);
    }
}

impl Handler<Ended> for Listener {
    type Result = ();

    fn handle(&mut self, _: Ended, _: &mut Self::Context) {}
}

fn attempt(request: u32) -> Attempt {
    let account = Arc::new(Account::new("http://nowhere", &[]));
    let head = Head::new(http::Method::POST, "http://nowhere", account, Vec::new());
    Attempt {
        id: AttemptId {
            key: RequestKey {
                operation: OperationId(1),
                request,
            },
            attempt: 0,
        },
        operation: Arc::new(Nothing(Arc::new(head))),
        // So many that attempts are spread.
        inputs: 0..100,
        try_base64: false,
        until: Instant::now() + Duration::from_hours(1),
        trace: Trace {
            prefix: "test".into(),
            number: 0,
        },
        probing: false,
        last_try: false,
    }
}

/// A pool of two Workers, the addresses of all that it ever started, and what it tells.
struct Bench {
    pool: Addr<WorkerPool>,
    workers: Rc<RefCell<Vec<Addr<Worker>>>>,
    told: Rc<RefCell<Vec<(AttemptId, &'static str)>>>,
}

impl Bench {
    fn new() -> Self {
        let workers: Rc<RefCell<Vec<Addr<Worker>>>> = Rc::default();
        let listener = Listener::default();
        let told = Rc::clone(&listener.0);
        let listener = listener.start();
        let started = Rc::clone(&workers);
        let pool = WorkerPool::create(move |context| {
            let pool = context.address();
            let start = move |worker, generation| {
                let obituary = Obituary {
                    worker,
                    generation,
                    pool: pool.clone().recipient(),
                };
                let finished = pool.clone().recipient();
                let address = Worker::create(move |context| {
                    let tools = Tools::new(Rc::new(Silence), 1 << 20, 1 << 20);
                    Worker::new(tools, context.address().recipient(), finished, obituary)
                });
                started.borrow_mut().push(address.clone());
                WorkerPort {
                    assign: address.clone().recipient(),
                    abort: address.clone().recipient(),
                    stop: address.clone().recipient(),
                    crash: address.recipient(),
                }
            };
            let finished = listener.clone().recipient();
            WorkerPool::new(2, Box::new(start), finished, listener.recipient())
        });
        Self {
            pool,
            workers,
            told,
        }
    }

    /// Lets everything run until nothing is left to do but wait.
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    fn told(&self) -> Vec<(u32, &'static str)> {
        let told = self.told.borrow();
        let mut told: Vec<_> = told
            .iter()
            .map(|(id, end)| (id.key.request, *end))
            .collect();
        told.sort_unstable();
        told
    }
}

#[actix_rt::test]
async fn a_worker_that_panics_is_replaced_and_its_attempts_are_given_back() {
    tokio::time::pause();
    let bench = Bench::new();
    bench.pool.do_send(Assign((0..6).map(attempt).collect()));
    bench.settle().await;
    assert_eq!(bench.told(), []);

    let first = bench.workers.borrow()[0].clone();
    first.do_send(Crash(0));
    bench.settle().await;
    // Of six attempts, each of two Workers had three; the other's are not touched.
    assert_eq!(bench.told(), [(0, "lost"), (2, "lost"), (4, "lost")]);
    assert_eq!(bench.workers.borrow().len(), 3);
    assert!(!first.connected());

    // The one in its place takes new work, and its end is told as any other's.
    bench.pool.do_send(Assign(vec![attempt(6)]));
    bench.settle().await;
    bench.pool.do_send(Abort(vec![attempt(6).id]));
    bench.settle().await;
    assert!(bench.told().contains(&(6, "aborted")));
}

#[actix_rt::test]
async fn a_worker_that_panics_again_and_again_is_replaced_each_time() {
    tokio::time::pause();
    let bench = Bench::new();
    for round in 0..5 {
        bench.pool.do_send(Assign(vec![attempt(round)]));
        bench.settle().await;
        for worker in bench.workers.borrow().iter() {
            if worker.connected() {
                worker.do_send(Crash(0));
            }
        }
        bench.settle().await;
        assert_eq!(bench.told().last(), Some(&(round, "lost")));
    }
    assert_eq!(bench.workers.borrow().len(), 2 + 2 * 5);
}
