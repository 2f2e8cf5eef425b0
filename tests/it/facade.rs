//! The ways in.

use crate::support::{
    async_client_of, client_of, eventually_async, eventually_in_flight, hanging_mock,
    mock_and_client, one_by_one, one_each, texts,
};
use actix::Actor;
use futures_executor::block_on;
use hedgerow::mock::{Fault, MockServer, Rule};
use hedgerow::{BlockingClient, Client, Embed, Embeddings, Error, Pending, System};
use std::time::Duration;

fn is_sent_and_shared<T: Send + Sync + Clone + 'static>() {}
fn is_sent<T: Send + 'static>() {}

#[test]
fn clients_cross_threads() {
    is_sent_and_shared::<Client>();
    is_sent_and_shared::<BlockingClient>();
    is_sent_and_shared::<System>();
    is_sent_and_shared::<Error>();
    is_sent::<Pending<Embeddings>>();
}

#[test]
fn the_async_client_works_on_any_runtime() {
    let server = MockServer::start().unwrap();
    let client = async_client_of(&server.url());
    let call = || Embed::new(texts(300), "m");
    // One that is not tokio's.
    assert_eq!(block_on(client.embed(call())).unwrap().len(), 300);
    let many = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    assert_eq!(many.block_on(client.embed(call())).unwrap().len(), 300);
    let actix = actix_rt::System::new();
    assert_eq!(actix.block_on(client.embed(call())).unwrap().len(), 300);
}

#[test]
fn many_threads_share_one_blocking_client() {
    let (server, client) = mock_and_client();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(client.embed(Embed::new(texts(3), "m")).unwrap().len(), 3);
                }
            });
        }
    });
    assert_eq!(server.stats().requests, 16 * 20);
}

/// What a blocking call says on the thread that polls this.
fn blocking_call(client: &BlockingClient) -> Result<usize, Error> {
    client
        .embed(Embed::new(texts(1), "m"))
        .map(|rows| rows.len())
}

#[test]
fn a_blocking_call_inside_a_runtime_is_an_error_and_not_a_deadlock() {
    let (server, client) = mock_and_client();
    let refused = |result: Result<usize, Error>| {
        let error = result.unwrap_err();
        assert!(error.is_inside_runtime());
        assert!(error.to_string().contains("use Client"));
    };
    let one = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    refused(one.block_on(async { blocking_call(&client) }));
    let many = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    refused(many.block_on(async { blocking_call(&client) }));
    let task = many.spawn({
        let client = client.clone();
        async move { blocking_call(&client) }
    });
    refused(many.block_on(task).unwrap());
    refused(actix_rt::System::new().block_on(async { blocking_call(&client) }));
    one.block_on(async {
        assert!(client.metrics().unwrap_err().is_inside_runtime());
        let system = client.as_async().system();
        assert!(system.shutdown_blocking().unwrap_err().is_inside_runtime());
    });
    assert_eq!(server.stats().requests, 0);
}

#[test]
fn a_blocking_call_on_a_runtime_s_blocking_thread_is_fine() {
    let (_server, client) = mock_and_client();
    for runtime in [
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap(),
        tokio::runtime::Builder::new_multi_thread().build().unwrap(),
    ] {
        let client = client.clone();
        let task = runtime.spawn_blocking(move || blocking_call(&client));
        assert_eq!(runtime.block_on(task).unwrap().unwrap(), 1);
    }
}

#[actix_rt::test]
async fn an_actix_program_sends_the_message_itself() {
    let server = MockServer::start().unwrap();
    let client = async_client_of(&server.url()).start();
    let answer = client.send(Embed::new(texts(5), "m")).await.unwrap();
    assert_eq!(answer.unwrap().len(), 5);
    let recipient: actix::Recipient<Embed> = client.recipient();
    let refusal = recipient.send(Embed::new(Vec::<String>::new(), "m")).await;
    assert!(refusal.unwrap().unwrap_err().is_config());
}

#[actix_rt::test]
async fn a_message_whose_sender_stops_waiting_is_aborted() {
    let server = hanging_mock();
    let client = async_client_of(&server.url()).start();
    let call = Embed::new(texts(20), "m").preference(one_each());
    let waiting = tokio::time::timeout(Duration::from_millis(200), client.send(call)).await;
    assert!(waiting.is_err());
    eventually_async("nothing is left open", || {
        let stats = server.stats();
        stats.requests == 20 && stats.connections_open == 0
    })
    .await;
}

#[actix_rt::test]
async fn a_message_sent_without_waiting_is_carried_out() {
    let server = MockServer::start().unwrap();
    let client = async_client_of(&server.url()).start();
    client.do_send(Embed::new(texts(20), "m").preference(one_each()));
    eventually_async("all was sent", || server.stats().requests == 20).await;
}

#[test]
fn a_thread_can_wait_in_steps() {
    const STEP: Duration = Duration::from_millis(5);
    let server = MockServer::start().unwrap();
    let client = client_of(&server.url());
    let mut waiting = client.begin_embed(Embed::new(texts(3), "m")).unwrap();
    let answer =
        std::iter::from_fn(|| Some(waiting.wait_for(STEP))).find_map(std::convert::identity);
    assert_eq!(answer.unwrap().unwrap().len(), 3);
    assert!(waiting.wait_for(STEP).unwrap().unwrap_err().is_closed());
    let refusal = client.begin_embed(Embed::new(texts(0), "m")).unwrap_err();
    assert!(refusal.is_config());

    server.inject(Rule::on("/v1/embeddings", Fault::Hang));
    let call = || Embed::new(texts(20), "m").preference(one_each());
    let mut waiting = client.begin_embed(call()).unwrap();
    assert!(waiting.wait_for(STEP).is_none());
    eventually_in_flight(&server, 20);
    waiting.cancel();
    assert!(waiting.wait().unwrap_err().is_cancelled());
    eventually_in_flight(&server, 0);

    let waiting = client.begin_embed(call()).unwrap();
    eventually_in_flight(&server, 20);
    drop(waiting);
    eventually_in_flight(&server, 0);
}

#[test]
fn progress_is_told_while_a_call_is_under_way() {
    let server = MockServer::start().unwrap();
    let client = async_client_of(&server.url());
    block_on(async {
        let mut pending = client.embed(Embed::new(texts(500), "m").preference(one_by_one()));
        let mut seen = vec![0];
        while let Some(progress) = pending.progress().await {
            assert_eq!(progress.total, 500);
            seen.push(progress.done);
        }
        assert!(seen.is_sorted() && seen.iter().any(|done| (1..500).contains(done)));
        assert_eq!((&mut pending).await.unwrap().len(), 500);
        assert_eq!(pending.progress().await, None);
    });
}

#[test]
fn a_base_url_may_end_in_a_version_and_a_slash() {
    let server = MockServer::start().unwrap();
    for base in ["/", "/v1", "/v1/"] {
        let client = client_of(&format!("{}{base}", server.url()));
        client.embed(Embed::new(texts(1), "m")).unwrap();
    }
    assert_eq!(server.stats().per_path.get("/v1/embeddings"), Some(&3));
}
