//! Connections to one server: those that wait for their next request, and the requests that wait for a
//! connection.
//!
//! A request that finds none idle waits for whichever comes first: one that is given back, or a new
//! one. As many are being opened as requests wait; one that comes too late for its request is for the
//! next.
//!
//! A server may accept more connections than it serves: what is written to the others waits in its
//! queue for as long as those that it serves are kept. So where a new connection has been waiting for its
//! first answer for much longer than answers take, one that was answered is closed for it: an idle one,
//! or the next that is given back.

#[cfg(test)]
mod tests;

use super::connection::Connection;
use crate::transport::TransportError;
use crate::transport::connect::Connector;
use crate::transport::neighbours::{Voice, Waits};
use crate::transport::sweep::Sweeper;
use crate::transport::way::Way;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

/// A first answer that takes so many times longer than others may be waiting in the server's queue.
const LATE: u32 = 4;
/// What takes longer to open, and was not needed by those who waited for it, is begun anew: a server whose
/// queue is full drops what asks to be let in, and it is asked again by the kernel after a second, for
/// all at once.
const OUTRUN: Duration = Duration::from_millis(900);
/// None is late that takes less.
const NEVER_LATE: Duration = Duration::from_millis(100);

/// So many connections are closed for other Workers at each word of theirs.
const MOST_GIVEN: usize = 16;

/// The connections to one server, and who waits for one.
#[derive(Debug, Default)]
pub(in crate::transport) struct Pool {
    /// The idle ones; the latest is used first, so that those that are not needed grow old.
    #[expect(
        clippy::vec_box,
        reason = "each is moved out and in with every request"
    )]
    idle: RefCell<Vec<Box<Connection>>>,
    queue: RefCell<Queue>,
    /// How long answers take over connections that were answered before, in nanoseconds: the longest of
    /// the last, forgotten by an eighth each. 0 where there was none.
    usual: Cell<u64>,
    sweeper: Rc<Sweeper>,
    voice: Option<Voice>,
}

/// Who wants a connection, and those that are being opened: as many as requests wait, or more. All are
/// numbered in the order in which they came.
#[derive(Debug, Default)]
struct Queue {
    next: u64,
    /// Requests that have none.
    requests: VecDeque<(u64, oneshot::Sender<Given>)>,
    /// Requests whose new connections are not served: each wants one that is to be closed. `None` is
    /// another Worker's.
    places: VecDeque<(u64, Option<oneshot::Sender<()>>)>,
    opening: Vec<(u64, AbortHandle)>,
}

type Given = Result<Box<Connection>, TransportError>;

impl Pool {
    /// An empty one, whose idle connections `sweeper` looks after; `voice` reaches other Workers.
    pub(in crate::transport) fn new(sweeper: &Rc<Sweeper>, voice: Voice) -> Self {
        Self {
            sweeper: Rc::clone(sweeper),
            voice: Some(voice),
            ..Self::default()
        }
    }

    /// Closes idle ones that are old or that their servers have closed, and says whether others are
    /// left.
    pub(in crate::transport) fn sweep(&self, now: Instant) -> bool {
        let mut idle = self.idle.borrow_mut();
        idle.retain_mut(|connection| connection.is_usable(now));
        !idle.is_empty()
    }

    /// An idle one that its server has not closed, if there is any.
    pub(super) fn take(&self, now: Instant) -> Option<Box<Connection>> {
        let mut idle = self.idle.borrow_mut();
        while let Some(mut connection) = idle.pop() {
            if connection.is_usable(now) {
                return Some(connection);
            }
        }
        None
    }

    /// Takes back a connection whose answer has been read.
    pub(super) fn put(&self, mut connection: Box<Connection>) {
        if !connection.is_clean() {
            return;
        }
        let now = Instant::now();
        if connection.answered {
            self.note(now - connection.began);
        }
        connection.answered = true;
        connection.idle_since = Some(now);
        self.give(connection);
    }

    fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let known = self.usual.get();
        self.usual.set(took.max(known - known / 8).max(1));
    }

    /// Gives an answered connection to whoever wanted one first.
    fn give(&self, mut connection: Box<Connection>) {
        let mut queue = self.queue.borrow_mut();
        loop {
            let place = queue.places.front().map(|(number, _)| *number);
            let request = queue.requests.front().map(|(number, _)| *number);
            if place.is_some_and(|place| request.is_none_or(|request| place < request)) {
                let closed = queue.places.pop_front();
                // One that was answered meanwhile wants nothing any more.
                let is_wanted = |told: oneshot::Sender<()>| told.send(()).is_ok();
                if closed.is_some_and(|(_, told)| told.is_none_or(is_wanted)) {
                    return;
                }
            } else if request.is_some() {
                match queue.hand(connection) {
                    Some(unwanted) => connection = unwanted,
                    None => return,
                }
            } else {
                break;
            }
        }
        self.keep(connection);
    }

    /// A new connection goes to the request that has waited longest.
    fn add(&self, mut connection: Box<Connection>) {
        let mut queue = self.queue.borrow_mut();
        while !queue.requests.is_empty() {
            match queue.hand(connection) {
                Some(unwanted) => connection = unwanted,
                None => return,
            }
        }
        connection.idle_since = Some(Instant::now());
        self.keep(connection);
    }

    fn keep(&self, connection: Box<Connection>) {
        self.idle.borrow_mut().push(connection);
        self.sweeper.begin();
    }

    /// Closes the idle ones.
    pub(in crate::transport) fn clear(&self) {
        self.idle.borrow_mut().clear();
    }

    /// Closes an idle connection that was answered, if there is one; and all that came too late for
    /// their requests, which a server may be serving, too.
    fn close_idle(&self) -> bool {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|connection| connection.answered);
        let is_any = !idle.is_empty();
        idle.drain(..usize::from(is_any));
        is_any
    }

    /// A connection for a request that found none idle.
    pub(super) async fn wait(self: &Rc<Self>, connector: &Connector, way: &Rc<Way>) -> Given {
        let (taker, given) = oneshot::channel();
        let lacks_one = {
            let mut queue = self.queue.borrow_mut();
            let number = queue.number();
            queue.requests.push_back((number, taker));
            queue.requests.len() > queue.opening.len()
        };
        let mut waiter = Waiter {
            pool: self,
            given,
            is_over: false,
        };
        if lacks_one {
            self.open(connector.clone(), Rc::clone(way));
        }
        let given = (&mut waiter.given).await;
        waiter.is_over = true;
        given.unwrap_or_else(|_| Err(lost()))
    }

    /// Opens a connection for whoever waits when it is there.
    fn open(self: &Rc<Self>, connector: Connector, way: Rc<Way>) {
        let mut queue = self.queue.borrow_mut();
        let opener = Opener {
            number: queue.number(),
            pool: Rc::clone(self),
            connector,
            way,
        };
        let number = opener.number;
        let task = actix_rt::spawn(async move {
            let mut connect = pin!(opener.connector.open(&opener.way));
            let made = match timeout(OUTRUN, &mut connect).await {
                Ok(made) => made,
                Err(_) if opener.began_anew() => return,
                Err(_) => connect.await,
            };
            match made {
                Ok(made) => {
                    let connection = Connection::new(made.socket, Instant::now());
                    opener.pool.add(Box::new(connection));
                }
                Err(_) if opener.began_anew() => {}
                Err(cause) => opener.failed(cause),
            }
        });
        queue.opening.push((number, task.abort_handle()));
    }

    /// Waits for the first answer over a connection.
    pub(super) async fn first<T>(&self, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        let began = Instant::now();
        let mut wait = NEVER_LATE;
        let mut place = None::<oneshot::Receiver<()>>;
        loop {
            if let Ok(answer) = timeout(wait, &mut answer).await {
                return answer;
            }
            let waited = began.elapsed();
            let late = self.late();
            if let Some(late) = late
                && waited < late
            {
                wait = late.saturating_sub(waited);
                continue;
            }
            // What is closed may be another's gain: it is asked for again, and each time later.
            wait = waited;
            let is_asked_for = place
                .as_mut()
                .is_some_and(|place| place.try_recv() == Err(TryRecvError::Empty));
            // Others may know how long answers take, and have what can be closed.
            if (late.is_none() || is_asked_for)
                && let Some(voice) = &self.voice
            {
                let count = self.queue.borrow().places.len();
                voice.tell(waited, late.is_some(), count.max(1));
            }
            if late.is_some() && !is_asked_for && !self.close_idle() {
                let (told, closed) = oneshot::channel();
                self.queue.borrow_mut().ask_for_a_place(Some(told));
                place = Some(closed);
            }
        }
    }

    /// What takes so long is late, where it is known how long answers take.
    fn late(&self) -> Option<Duration> {
        match self.usual.get() {
            0 => None,
            usual => Some((LATE * Duration::from_nanos(usual)).max(NEVER_LATE)),
        }
    }

    /// Another Worker's requests wait.
    pub(in crate::transport) fn give_way(&self, word: &Waits) {
        let is_late = word.is_late || self.late().is_some_and(|late| word.waited >= late);
        if !is_late {
            return;
        }
        let mut wanted = word.count.min(MOST_GIVEN);
        while wanted > 0 && self.close_idle() {
            wanted -= 1;
        }
        let mut queue = self.queue.borrow_mut();
        let given = queue.places.iter().filter(|(_, told)| told.is_none());
        for _ in given.count()..wanted {
            queue.ask_for_a_place(None);
        }
    }
}

impl Queue {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn ask_for_a_place(&mut self, told: Option<oneshot::Sender<()>>) {
        let number = self.number();
        self.places.push_back((number, told));
    }

    /// Hands a connection to the request that has waited longest; gives it back where that has gone.
    fn hand(&mut self, connection: Box<Connection>) -> Option<Box<Connection>> {
        let Some((_, taker)) = self.requests.pop_front() else {
            return Some(connection);
        };
        taker.send(Ok(connection)).err()?.ok()
    }

    /// A request waits no longer. Gives what is being opened for nobody, if anything is.
    fn forget_aborted(&mut self) -> Option<AbortHandle> {
        self.requests.retain(|(_, taker)| !taker.is_closed());
        let is_surplus = self.opening.len() > self.requests.len();
        let (_, task) = self.opening.pop_if(|_| is_surplus)?;
        Some(task)
    }
}

/// A request that waits.
struct Waiter<'a> {
    pool: &'a Pool,
    given: oneshot::Receiver<Given>,
    is_over: bool,
}

/// It was aborted.
impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.given.close();
        match self.given.try_recv() {
            Ok(Ok(connection)) if connection.answered => self.pool.give(connection),
            Ok(Ok(connection)) => self.pool.add(connection),
            Ok(Err(_)) => {}
            Err(_) => {
                let surplus = self.pool.queue.borrow_mut().forget_aborted();
                if let Some(task) = surplus {
                    task.abort();
                }
            }
        }
    }
}

/// A connection that is being opened.
struct Opener {
    number: u64,
    pool: Rc<Pool>,
    connector: Connector,
    way: Rc<Way>,
}

impl Opener {
    /// Whether those who waited when it was begun have been given others. Then another is opened, if
    /// those who came since are left without one.
    fn began_anew(&self) -> bool {
        let queue = self.pool.queue.borrow();
        let front = queue.requests.front();
        if front.is_some_and(|(number, _)| *number < self.number) {
            return false;
        }
        let is_wanted = queue.requests.len() >= queue.opening.len();
        drop(queue);
        if is_wanted {
            let connector = self.connector.clone();
            self.pool.open(connector, Rc::clone(&self.way));
        }
        true
    }

    /// It could not be opened. Where a request is left without one, that is told to the one that has
    /// waited longest.
    fn failed(&self, cause: TransportError) {
        let mut queue = self.pool.queue.borrow_mut();
        if queue.requests.len() >= queue.opening.len()
            && let Some((_, taker)) = queue.requests.pop_front()
        {
            let _ = taker.send(Err(cause));
        }
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        let mut queue = self.pool.queue.borrow_mut();
        queue.opening.retain(|(number, _)| *number != self.number);
        if queue.requests.len() > queue.opening.len() {
            // It panicked: the end of its channel tells.
            queue.requests.pop_front();
        }
    }
}

fn lost() -> TransportError {
    TransportError::Connect("the connection could not be opened".to_owned())
}
