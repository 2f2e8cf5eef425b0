//! Connections that are kept, given away, and closed for others; mostly in time that is simulated.

use super::*;
use crate::transport::TlsSettings;
use crate::transport::kept::{IDLE, LIFETIME};
use crate::transport::socket::Socket;
use crate::transport::target::Target;
use futures_util::FutureExt;
use futures_util::future::pending;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::time::{advance, sleep};

fn connection() -> (Box<Connection>, DuplexStream) {
    let (client, server) = duplex(8);
    let socket = Socket::Layered(Box::new(client));
    (Box::new(Connection::new(socket, Instant::now())), server)
}

fn put_one(pool: &Pool) -> DuplexStream {
    let (connection, server) = connection();
    pool.put(connection);
    server
}

/// An exchange over an idle connection.
async fn exchange(pool: &Pool, takes: Duration) {
    let mut connection = pool.take(Instant::now()).expect("an idle one");
    connection.began = Instant::now();
    advance(takes).await;
    pool.put(connection);
}

/// Whether the client has closed it.
fn is_closed(server: &mut DuplexStream) -> bool {
    server.read_u8().now_or_never().is_some()
}

#[actix_rt::test]
async fn what_is_idle_for_too_long_or_was_closed_is_closed_though_nobody_asks() {
    tokio::time::pause();
    let pool = Pool::default();
    let mut servers: Vec<_> = (0..9).map(|_| put_one(&pool)).collect();
    let idle = || pool.idle.borrow().len();
    drop(servers.remove(0));
    assert!(pool.sweep(Instant::now()));
    assert_eq!(idle(), 8);
    // The latest is enough for what comes.
    for _ in 0..6 {
        exchange(&pool, IDLE / 5).await;
    }
    assert!(pool.sweep(Instant::now()));
    assert_eq!(idle(), 1);
    advance(IDLE).await;
    assert!(!pool.sweep(Instant::now()));
}

#[actix_rt::test]
async fn a_closed_or_old_connection_is_not_used() {
    tokio::time::pause();
    let pool = Pool::default();
    let first = put_one(&pool);
    drop(put_one(&pool));
    assert!(pool.take(Instant::now()).is_some());
    assert!(pool.take(Instant::now()).is_none());
    drop(first);
    let _second = put_one(&pool);
    advance(IDLE).await;
    assert!(pool.take(Instant::now()).is_none());
    let _third = put_one(&pool);
    for _ in 0..LIFETIME.as_secs() / 30 {
        let used = pool.take(Instant::now()).expect("young");
        advance(Duration::from_secs(30)).await;
        pool.put(used);
    }
    assert!(pool.take(Instant::now()).is_none());
}

#[actix_rt::test]
async fn for_a_first_answer_that_is_late_one_connection_is_closed_and_later_another() {
    tokio::time::pause();
    let pool = Rc::new(Pool::default());
    let mut servers: Vec<_> = (0..4).map(|_| put_one(&pool)).collect();
    let usual = Duration::from_millis(50);
    exchange(&pool, usual).await;
    let late = actix_rt::spawn({
        let pool = Rc::clone(&pool);
        async move { pool.first(pending::<()>()).await }
    });
    let closed = |servers: &mut [DuplexStream]| {
        let closed = servers
            .iter_mut()
            .filter_map(|it| is_closed(it).then_some(()));
        closed.count()
    };
    sleep(Duration::from_millis(195)).await;
    assert_eq!(closed(&mut servers), 0);
    for (waits, count) in [(20, 1), (210, 2), (420, 3), (840, 4)] {
        sleep(Duration::from_millis(waits)).await;
        assert_eq!(closed(&mut servers), count);
    }
    // None is idle any more: the next that is given back is closed, and no other.
    sleep(Duration::from_millis(1600)).await;
    let (mut next, mut other) = (put_one(&pool), put_one(&pool));
    assert!(is_closed(&mut next) && !is_closed(&mut other));
    late.abort();
}

#[actix_rt::test]
async fn where_answers_take_their_time_or_none_is_known_a_first_one_is_not_late() {
    tokio::time::pause();
    let pool = Rc::new(Pool::default());
    let mut server = put_one(&pool);
    let hour = Duration::from_hours(1);
    let slow = async {
        sleep(hour).await;
    };
    pool.first(slow).await;
    assert!(!is_closed(&mut server));
    let mut server = put_one(&pool);
    exchange(&pool, hour / 2).await;
    pool.first(sleep(hour)).await;
    assert!(!is_closed(&mut server));
}

/// A way to a server that never answers a handshake.
fn to_nowhere(listener: &std::net::TcpListener) -> (Connector, Rc<Way>) {
    let tls = TlsSettings::default().build().expect("the defaults");
    let target = Target {
        secure: true,
        host: "127.0.0.1".into(),
        port: listener.local_addr().expect("it is bound").port(),
    };
    let way = Way {
        target,
        proxy: None,
    };
    let connector = Connector::new(Duration::from_millis(400), tls);
    (connector, Rc::new(way))
}

#[actix_rt::test]
async fn a_request_that_waits_takes_what_is_given_back_and_what_is_being_opened_is_the_next_ones() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (connector, way) = to_nowhere(&listener);
    let pool = Rc::new(Pool::default());
    let opening = || pool.queue.borrow().opening.len();
    for _ in 0..3 {
        let mut first = Box::pin(pool.wait(&connector, &way));
        let mut second = Box::pin(pool.wait(&connector, &way));
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        // Of the two that are opened the first time, the others are the heirs.
        assert_eq!(opening(), 2);
        let _servers = [put_one(&pool), put_one(&pool)];
        assert!(first.await.is_ok_and(|given| given.answered));
        assert!(second.await.is_ok_and(|given| given.answered));
    }
    // One that is aborted takes what is opened for it along.
    let aborted = pool.wait(&connector, &way).now_or_never();
    assert!(aborted.is_none());
    assert_eq!(opening(), 1);
    // One that comes late has all the time that a connect may take.
    sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    assert!(pool.wait(&connector, &way).await.is_err());
    assert!(start.elapsed() >= Duration::from_millis(390));
    assert_eq!(opening(), 0);
}
