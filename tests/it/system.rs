//! Starting, stopping, and Workers that die.

use crate::support::fake::{Answer, MS, Network};
use crate::support::{
    client_on, eventually_closed, eventually_in_flight, hanging_mock, one_each, slow_mock, texts,
};
use hedgerow::mock::{Latency, MockServer};
use hedgerow::{Client, Embed, Placement, System};

/// A system of so many Workers.
fn system_of(workers: usize) -> System {
    System::builder().workers(workers).start().unwrap()
}

#[test]
fn shutdown_answers_every_caller_and_closes_every_socket() {
    let server = hanging_mock();
    let system = system_of(2);
    let client = client_on(&server.url(), system.clone());
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            std::thread::spawn(move || {
                client.embed(Embed::new(texts(5), "m").preference(one_each()))
            })
        })
        .collect();
    eventually_in_flight(&server, 40);
    system.shutdown_blocking().unwrap();
    for caller in callers {
        assert!(caller.join().unwrap().unwrap_err().is_closed());
    }
    eventually_closed(&server);
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
    let client = client_on(&server.url(), system_of(2));
    client
        .embed(Embed::new(texts(50), "m").preference(one_each()))
        .unwrap();
    assert!(server.stats().connections_open > 0);
    drop(client);
    eventually_closed(&server);
}

#[test]
fn several_systems_live_side_by_side() {
    let server = MockServer::start().unwrap();
    let clients: Vec<_> = (1..=3)
        .map(|workers| client_on(&server.url(), system_of(workers)))
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
    let system = system_of(1);
    for _ in 0..2 {
        let client = client_on(&server.url(), system.clone());
        client.embed(Embed::new(texts(1), "m")).unwrap();
    }
    assert_eq!(server.stats().connections_total, 1);
}

#[test]
fn work_is_spread_over_workers() {
    let server = slow_mock(Latency::Fixed(MS));
    let client = client_on(&server.url(), system_of(3));
    let call = Embed::new(texts(400), "m").preference(one_each());
    client.embed(call).unwrap();
    let metrics = client.metrics().unwrap();
    assert_eq!(metrics.requests_succeeded, 400);
    assert_eq!((metrics.attempts, metrics.samples), (400, 400));
    assert_eq!(metrics.operations, 1);
}

#[actix_rt::test]
async fn an_attempt_that_panics_harms_no_other() {
    let network = Network::new(|number, _| match number {
        2 => (1000 * MS, Answer::Panic),
        _ => (1000 * MS, Answer::Right),
    });
    let embeddings = network.embed(8, one_each()).await.unwrap();
    let again = embeddings
        .requests()
        .iter()
        .filter(|record| record.attempts == 2);
    assert_eq!(again.count(), 1);
}

#[actix_rt::test]
async fn a_request_that_panics_each_time_ends_in_an_error() {
    let network = Network::new(|_, _| (MS, Answer::Panic));
    let error = network.embed(1, one_each()).await.unwrap_err();
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

#[test]
fn a_system_takes_in_so_many_operations_and_refuses_more_until_some_have_ended() {
    let server = hanging_mock();
    let system = System::builder().workers(1).max_operations(2);
    let client = client_on(&server.url(), system.start().unwrap());
    let call = || Embed::new(texts(1), "m");
    let first = client.begin_embed(call()).unwrap();
    let second = client.begin_embed(call()).unwrap();
    let refused = client.begin_embed(call()).unwrap_err();
    assert!(refused.is_overloaded(), "{refused}");
    assert!(refused.to_string().starts_with("2 operations"), "{refused}");

    first.cancel();
    assert!(first.wait().unwrap_err().is_cancelled());
    let third = client.begin_embed(call()).unwrap();
    eventually_in_flight(&server, 2);
    drop((second, third));
    // A caller that is gone leaves its place as well.
    server.clear();
    eventually_closed(&server);
    assert_eq!(client.embed(call()).unwrap().len(), 1);
}

#[test]
fn a_bound_on_operations_that_is_out_of_range_is_refused() {
    for most in [0, 1_000_001] {
        let refused = System::builder().max_operations(most).start().unwrap_err();
        assert!(refused.is_config());
        let expected = format!("max_operations must be between 1 and 1000000 (got {most})");
        assert_eq!(refused.to_string(), expected);
    }
}
