//! What takes minutes: in time that is simulated.

use super::*;
use tokio::io::{DuplexStream, duplex};

/// A connection to a server that `serve` makes of its end.
async fn session<F: Future + 'static>(serve: impl FnOnce(DuplexStream) -> F) -> Rc<Session> {
    tokio::time::pause();
    let (client, server) = duplex(1 << 20);
    actix_rt::spawn(serve(server));
    let session = begin(Socket::Layered(Box::new(client))).await;
    Rc::new(session.expect("it speaks HTTP/2"))
}

async fn answering(socket: DuplexStream) {
    let mut connection = h2::server::handshake(socket).await.expect("a client");
    while connection.accept().await.is_some() {}
}

/// Says what it allows, and never anything more.
async fn dying(socket: DuplexStream) {
    let connection = h2::server::handshake(socket).await.expect("a client");
    future::pending::<()>().await;
    drop(connection);
}

fn sessions(session: &Rc<Session>) -> Sessions {
    let sessions = Sessions::default();
    sessions.open.borrow_mut().push(Rc::clone(session));
    sessions
}

#[actix_rt::test]
async fn a_server_that_died_silently_is_noticed_while_streams_are_open() {
    let session = session(dying).await;
    let sessions = sessions(&session);
    let stream = sessions.stream().expect("room");
    tokio::time::sleep(2 * PING_EVERY + Duration::from_secs(1)).await;
    assert!(session.closed.get());
    assert!(sessions.stream().is_none());
    drop(stream);
}

#[actix_rt::test]
async fn a_server_that_answers_pings_is_given_all_the_time_it_needs() {
    let session = session(answering).await;
    let stream = sessions(&session).stream().expect("room");
    tokio::time::sleep(20 * PING_EVERY).await;
    assert!(!session.closed.get());
    drop(stream);
}

#[actix_rt::test]
async fn an_old_connection_gets_no_more_streams_and_ends_with_its_last() {
    let session = session(answering).await;
    let driver = session.driver.clone();
    let sessions = sessions(&session);
    drop(session);
    let stream = sessions.stream().expect("room");
    tokio::time::sleep(LIFETIME).await;
    assert!(sessions.stream().is_none());
    assert_eq!(sessions.open.borrow().len(), 1);
    drop(stream);
    assert!(sessions.stream().is_none());
    assert!(sessions.open.borrow().is_empty());
    actix_rt::task::yield_now().await;
    assert!(driver.is_finished());
}

#[actix_rt::test]
async fn a_connection_that_was_idle_for_long_is_not_used_again() {
    let session = session(answering).await;
    let sessions = sessions(&session);
    for _ in 0..3 {
        tokio::time::sleep(IDLE * 9 / 10).await;
        let stream = sessions.stream().expect("not for long");
        tokio::time::sleep(2 * IDLE).await;
        drop(stream);
    }
    tokio::time::sleep(IDLE).await;
    assert!(sessions.stream().is_none());
}
