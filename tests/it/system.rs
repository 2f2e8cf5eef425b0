//! Starting, stopping, and Workers that die.

use crate::support::fake::{self, Answer};
use crate::support::{eventually, one_each, texts};
use hedgerow::mock::{Fault, MockServer, Rule};
use hedgerow::{BlockingClient, Client, Embed, Placement, System};
use std::sync::Arc;
use std::time::Duration;

fn client_on(system: System, server: &MockServer) -> BlockingClient {
    let client = Client::builder(server.url()).system(system).build();
    BlockingClient::new(client.unwrap())
}

#[test]
fn shutdown_answers_every_caller_and_closes_every_socket() {
    let server = MockServer::start().unwrap();
    server.inject(Rule::on("/v1/embeddings", Fault::Hang));
    let system = System::builder().workers(2).start().unwrap();
    let client = client_on(system.clone(), &server);
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            std::thread::spawn(move || {
                client.embed(Embed::new(texts(5), "m").preference(one_each()))
            })
        })
        .collect();
    eventually("all requests hang", || server.stats().in_flight == 40);
    system.shutdown_blocking().unwrap();
    for caller in callers {
        assert!(caller.join().unwrap().unwrap_err().is_closed());
    }
    eventually("all sockets are closed", || {
        server.stats().connections_open == 0
    });
    // Nothing hangs afterwards either.
    assert!(
        client
            .embed(Embed::new(texts(1), "m"))
            .unwrap_err()
            .is_closed()
    );
    assert!(client.metrics().unwrap_err().is_closed());
    system.shutdown_blocking().unwrap();
}

#[test]
fn a_system_ends_with_its_last_handle() {
    let server = MockServer::start().unwrap();
    let client = client_on(System::builder().workers(2).start().unwrap(), &server);
    client
        .embed(Embed::new(texts(50), "m").preference(one_each()))
        .unwrap();
    assert!(server.stats().connections_open > 0);
    drop(client);
    eventually("its connections are closed", || {
        server.stats().connections_open == 0
    });
}

#[test]
fn several_systems_live_side_by_side() {
    let server = MockServer::start().unwrap();
    let clients: Vec<_> = (1..=3)
        .map(|workers| client_on(System::builder().workers(workers).start().unwrap(), &server))
        .collect();
    let threads: Vec<_> = clients
        .into_iter()
        .map(|client| {
            std::thread::spawn(move || {
                let call = Embed::new(texts(200), "m").preference(one_each());
                let rows = client.embed(call).unwrap().len();
                client.as_async().system().shutdown_blocking().unwrap();
                rows
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 200);
    }
    assert_eq!(server.stats().requests, 600);
}

#[test]
fn two_clients_share_a_system_and_its_connections() {
    let server = MockServer::start().unwrap();
    let system = System::builder().workers(1).start().unwrap();
    for _ in 0..2 {
        let client = client_on(system.clone(), &server);
        client.embed(Embed::new(texts(1), "m")).unwrap();
    }
    assert_eq!(server.stats().connections_total, 1);
}

#[test]
fn work_is_spread_over_workers() {
    let server = MockServer::start().unwrap();
    server.inject(Rule::on(
        "/v1/embeddings",
        Fault::Delay(Duration::from_millis(1)),
    ));
    let client = client_on(System::builder().workers(3).start().unwrap(), &server);
    let call = Embed::new(texts(400), "m").preference(one_each());
    client.embed(call).unwrap();
    let metrics = client.metrics().unwrap();
    assert_eq!(metrics.requests_succeeded, 400);
    assert_eq!((metrics.attempts, metrics.samples), (400, 400));
    assert_eq!(metrics.operations, 1);
}

#[actix_rt::test]
async fn an_attempt_that_panics_harms_no_other() {
    tokio::time::pause();
    let client = fake::client(Arc::new(|number, _| {
        let answer = if number == 2 {
            Answer::Panic
        } else {
            Answer::Row
        };
        (Duration::from_secs(1), answer)
    }));
    let call = Embed::new(texts(8), "m").preference(one_each());
    let embeddings = client.embed(call).await.unwrap();
    let again = embeddings
        .requests()
        .iter()
        .filter(|record| record.attempts == 2);
    assert_eq!(again.count(), 1);
}

#[actix_rt::test]
async fn a_request_that_panics_each_time_ends_in_an_error() {
    tokio::time::pause();
    let client = fake::client(Arc::new(|_, _| (Duration::ZERO, Answer::Panic)));
    let error = client.embed(Embed::new(texts(1), "m")).await.unwrap_err();
    assert!(error.to_string().contains("worker"), "{error}");
}

#[actix_rt::test]
async fn a_system_on_the_caller_s_arbiter_works_and_shuts_down() {
    let server = MockServer::start().unwrap();
    let system = System::builder()
        .placement(Placement::Current(2))
        .start()
        .unwrap();
    let client = Client::builder(server.url())
        .system(system.clone())
        .build()
        .unwrap();
    let embeddings = client
        .embed(Embed::new(texts(100), "m").preference(one_each()))
        .await;
    assert_eq!(embeddings.unwrap().len(), 100);
    system.shutdown().await;
    assert!(
        client
            .embed(Embed::new(texts(1), "m"))
            .await
            .unwrap_err()
            .is_closed()
    );
    system.shutdown().await;
}

#[test]
fn bad_settings_are_refused() {
    for workers in [0, 1025] {
        let error = System::builder().workers(workers).start().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("workers must be between 1 and 1024")
        );
    }
    let nowhere = System::builder().placement(Placement::Current(1)).start();
    assert!(nowhere.unwrap_err().is_config());
}
