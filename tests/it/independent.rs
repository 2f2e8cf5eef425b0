//! The mock server, asked by an HTTP client that this project did not write.

use crate::support::texts;
use hedgerow::mock::{Fault, MockServer, Rule, embedding_of};
use serde_json::{Value, json};

async fn ask(client: &awc::Client, url: String, body: &Value) -> (u16, Vec<u8>) {
    let mut answer = client.post(url).send_json(body).await.expect("an answer");
    let body = answer.body().await.expect("a whole body");
    (answer.status().as_u16(), body.to_vec())
}

#[actix_rt::test]
async fn another_client_gets_the_same_embeddings_over_one_connection() {
    let server = MockServer::start().unwrap();
    let client = awc::Client::default();
    for text in texts(5) {
        let url = server.url() + "/v1/embeddings";
        let (status, body) = ask(&client, url, &json!({"input": [&text], "model": "m"})).await;
        assert_eq!(status, 200);
        let answer: Value = serde_json::from_slice(&body).unwrap();
        let row: Vec<f32> = serde_json::from_value(answer["data"][0]["embedding"].clone()).unwrap();
        assert_eq!(row, embedding_of(&text, row.len()));
    }
    let stats = server.stats();
    assert_eq!((stats.requests, stats.connections_total), (5, 1));
}

#[actix_rt::test]
async fn another_client_reads_streams_and_refusals() {
    let server = MockServer::start().unwrap();
    let client = awc::Client::default();
    let url = server.url() + "/v1/chat/completions";
    let asked = json!({
        "model": "m", "stream": true, "max_tokens": 7,
        "messages": [{"role": "user", "content": "hello"}],
    });
    let (status, body) = ask(&client, url.clone(), &asked).await;
    let text = String::from_utf8(body).unwrap();
    assert_eq!(status, 200);
    assert!(text.trim_end().ends_with("data: [DONE]"), "{text}");
    assert!(text.matches("\"content\"").count() >= 7, "{text}");

    server.inject(Rule::on("/v1/chat/completions", Fault::status(503)));
    assert_eq!(ask(&client, url, &asked).await.0, 503);
}
