//! Connections to one server that wait for their next request.

use super::connection::Connection;
use crate::transport::kept::{IDLE, LIFETIME};
use std::cell::RefCell;
use tokio::time::Instant;

/// The idle ones; the latest is used first, so that those that are not needed grow old.
#[derive(Debug, Default)]
pub(in crate::transport) struct Pool {
    #[expect(
        clippy::vec_box,
        reason = "each is moved out and in with every request"
    )]
    idle: RefCell<Vec<Box<Connection>>>,
}

impl Pool {
    /// One that its server has not closed, if there is any.
    pub(super) fn take(&self, now: Instant) -> Option<Box<Connection>> {
        let mut idle = self.idle.borrow_mut();
        let is_old = |connection: &Connection| {
            let since = connection.idle_since;
            since.is_some_and(|since| now - since >= IDLE)
        };
        // They are in the order of their age: what a burst left behind goes, though the latest
        // are enough for what comes now.
        if idle.first().is_some_and(|first| is_old(first)) {
            let old = idle.partition_point(|connection| is_old(connection));
            idle.drain(..old);
        }
        while let Some(mut connection) = idle.pop() {
            if now - connection.born < LIFETIME && connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Takes back a connection whose answer has been read.
    pub(super) fn put(&self, mut connection: Box<Connection>) {
        if connection.is_clean() {
            connection.idle_since = Some(Instant::now());
            self.idle.borrow_mut().push(connection);
        }
    }

    /// Closes the idle ones.
    pub(super) fn clear(&self) {
        self.idle.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::socket::Socket;
    use std::time::Duration;
    use tokio::io::{DuplexStream, duplex};
    use tokio::time::advance;

    fn put_one(pool: &Pool) -> DuplexStream {
        let (client, server) = duplex(8);
        let socket = Socket::Layered(Box::new(client));
        pool.put(Box::new(Connection::new(socket, Instant::now())));
        server
    }

    #[actix_rt::test]
    async fn what_a_burst_left_behind_is_closed_although_the_latest_is_enough() {
        tokio::time::pause();
        let pool = Pool::default();
        let servers: Vec<_> = (0..9).map(|_| put_one(&pool)).collect();
        for _ in 0..6 {
            let used = pool.take(Instant::now()).expect("the latest");
            advance(IDLE / 5).await;
            pool.put(used);
        }
        let _used = pool.take(Instant::now()).expect("the latest");
        assert!(pool.idle.borrow().is_empty());
        drop(servers);
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
}
