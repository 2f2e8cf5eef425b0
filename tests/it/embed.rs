//! Texts in, matrix out.

use crate::support::expected::assert_rows;
use crate::support::{
    batches_of, client_of, mock_and_client, one_by_one, one_each, slow_mock, texts,
};
use hedgerow::mock::{Fault, Latency, Rule};
use hedgerow::{Embed, Embeddings, EncodingFormat, Preference};
use std::time::Duration;

/// Each row must be the vector of the text at its place, of this length.
fn assert_matrix(embeddings: &Embeddings, texts: &[String], dimensions: usize) {
    assert_rows(embeddings, texts, &[]);
    assert_eq!(embeddings.dimensions(), dimensions);
    assert_eq!(embeddings.as_slice().len(), texts.len() * dimensions);
    let each = (0..texts.len()).map(|index| embeddings.row(index));
    assert!(embeddings.iter().eq(each));
}

#[test]
fn rows_are_in_input_order_although_answers_come_in_any() {
    let server = slow_mock(Latency::LogNormal {
        median: Duration::from_millis(3),
        sigma: 1.0,
    });
    let client = client_of(&server.url());
    let texts = texts(1000);
    let call = Embed::new(texts.clone(), "m")
        .dimensions(16)
        .preference(batches_of(7));
    let embeddings = client.embed(call).unwrap();
    assert_matrix(&embeddings, &texts, 16);
    assert_eq!(embeddings.requests().len(), 1000usize.div_ceil(7));
    assert_eq!(server.stats().requests, 1000u64.div_ceil(7));
}

#[test]
fn the_lines_of_a_book_become_its_matrix() {
    let (server, client) = mock_and_client();
    let book = std::fs::read_to_string("examples/data/paradise_lost.txt").unwrap();
    let lines: Vec<String> = book.lines().map(str::to_owned).collect();
    assert!(lines.len() > 5000);
    let call = Embed::new(lines.clone(), "m").dimensions(32);
    let embeddings = client.embed(call).unwrap();
    assert_matrix(&embeddings, &lines, 32);
    assert_eq!(server.stats().requests, lines.len().div_ceil(128) as u64);
}

#[test]
fn floats_and_base64_give_the_same_matrix() {
    let (server, client) = mock_and_client();
    let texts = texts(40);
    for format in [
        None,
        Some(EncodingFormat::Float),
        Some(EncodingFormat::Base64),
    ] {
        let mut call = Embed::new(texts.clone(), "m")
            .dimensions(24)
            .preference(batches_of(16));
        if let Some(format) = format {
            call = call.encoding_format(format);
        }
        assert_matrix(&client.embed(call).unwrap(), &texts, 24);
    }
    assert_eq!(server.stats().requests, 3 * 3);
}

#[test]
fn text_of_every_kind_survives_the_way() {
    let (_server, client) = mock_and_client();
    let texts: Vec<String> = [
        "",
        "\"quoted\" \\ back\\\\slash",
        "tab\tline\nreturn\r\u{0}\u{1f}",
        "ümläut ß 汉字 🌿 \u{2028}",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    let embeddings = client.embed(Embed::new(texts.clone(), "m")).unwrap();
    assert_rows(&embeddings, &texts, &[]);
}

#[test]
fn a_limit_on_characters_counts_characters_and_not_bytes() {
    let (server, client) = mock_and_client();
    // 40 characters each, 80 bytes: two fit into 99 characters, three do not.
    let texts: Vec<String> = (0..10).map(|_| "ü".repeat(40)).collect();
    let preference = Preference {
        max_chars_per_request: Some(99),
        ..Preference::default()
    };
    let call = Embed::new(texts.clone(), "m").preference(preference);
    let embeddings = client.embed(call).unwrap();
    assert_rows(&embeddings, &texts, &[]);
    assert_eq!(server.stats().requests, 5);
}

#[test]
fn the_window_is_kept() {
    // Long enough for nine to meet, on a busy machine too.
    let server = slow_mock(Latency::Fixed(Duration::from_millis(100)));
    let call = Embed::new(texts(90), "m").preference(Preference {
        max_concurrent_requests: 9,
        ..one_each()
    });
    client_of(&server.url()).embed(call).unwrap();
    let stats = server.stats();
    assert_eq!((stats.requests, stats.peak_in_flight), (90, 9));
}

#[test]
fn each_request_is_told_of() {
    let (_server, client) = mock_and_client();
    let call = Embed::new(texts(10), "some-model").preference(batches_of(4));
    let embeddings = client.embed(call).unwrap();
    assert_eq!(embeddings.model(), "some-model");
    let usage = embeddings.usage();
    assert!(usage.prompt_tokens >= 10 && usage.total_tokens == usage.prompt_tokens);
    let ranges: Vec<_> = embeddings
        .requests()
        .iter()
        .map(|record| record.inputs.clone())
        .collect();
    assert_eq!(ranges, [0..4, 4..8, 8..10]);
    for record in embeddings.requests() {
        assert_eq!(record.attempts, 1);
        let content_type = record.headers.get("content-type");
        assert!(content_type.is_some_and(|value| value.starts_with("application/json")));
        assert!(record.time > Duration::ZERO && record.time <= embeddings.total_time());
        assert!(
            record
                .headers
                .iter()
                .all(|(name, _)| name == name.to_lowercase())
        );
    }
}

#[test]
fn an_endpoint_that_refuses_base64_is_remembered() {
    let (server, client) = mock_and_client();
    server.inject(Rule::on("/v1/embeddings", Fault::RefuseBase64));
    let texts = texts(4);
    // One at a time, so that the first refusal is known before the second request.
    let call = Embed::new(texts.clone(), "m").preference(Preference {
        max_retries: 0,
        ..one_by_one()
    });
    let embeddings = client.embed(call.clone()).unwrap();
    assert_rows(&embeddings, &texts, &[]);
    assert_eq!(server.stats().per_status.get(&400), Some(&1));
    client.embed(call.clone()).unwrap();
    assert_eq!(server.stats().per_status.get(&400), Some(&1));
    // Where the caller asks for base64, the refusal is the answer.
    let asked = client.embed(call.encoding_format(EncodingFormat::Base64));
    assert_eq!(asked.unwrap_err().status(), Some(400));
}

#[test]
fn a_refusal_that_is_not_about_base64_is_told_and_not_remembered() {
    let (server, client) = mock_and_client();
    server.inject(Rule::on("/v1/embeddings", Fault::status(400)).times(2));
    let call = Embed::new(texts(1), "m");
    assert_eq!(client.embed(call.clone()).unwrap_err().status(), Some(400));
    assert_eq!(server.stats().requests, 2);
    server.inject(Rule::on("/v1/embeddings", Fault::RefuseBase64));
    client.embed(call).unwrap();
    // Base64 was tried again: it had not been what was wrong.
    assert_eq!(server.stats().per_status.get(&400), Some(&3));
}

#[test]
fn an_endpoint_that_ignores_base64_is_not_asked_for_it_again() {
    let (server, client) = mock_and_client();
    server.inject(Rule::on("/v1/embeddings", Fault::IgnoreBase64));
    let call = Embed::new(texts(1), "m");
    client.embed(call.clone()).unwrap();
    server.clear();
    server.inject(Rule::on("/v1/embeddings", Fault::status(418)).when_body_contains("base64"));
    client.embed(call).unwrap();
    assert_eq!(server.stats().requests, 1);
}

#[test]
fn requests_that_disagree_on_dimensions_are_an_error() {
    let (server, client) = mock_and_client();
    server.inject(
        Rule::on("/v1/embeddings", Fault::MixedDimensions).when_body_contains("text number 3"),
    );
    let call = Embed::new(texts(4), "m")
        .encoding_format(EncodingFormat::Float)
        .preference(one_each());
    let error = client.embed(call).unwrap_err();
    assert!(
        error.is_answer() && error.to_string().contains("dimensions"),
        "{error}"
    );
}

#[test]
fn bad_calls_are_refused_before_anything_is_sent() {
    let (server, client) = mock_and_client();
    let empty = client.embed(Embed::new(Vec::<String>::new(), "m"));
    assert_eq!(empty.unwrap_err().to_string(), "Input list cannot be empty");
    let none = client.embed(Embed::new(texts(1), "m").dimensions(0));
    assert!(none.unwrap_err().is_config());
    let large = client.embed(Embed::new(texts(1), "m").preference(batches_of(1025)));
    assert!(large.unwrap_err().is_config());
    assert_eq!(server.stats().requests, 0);
}
