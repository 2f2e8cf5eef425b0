//! Refusals in the words of each service, and how their headers are spelled.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::client::Received;
use super::limits::{embed, limited, once_a_minute};
use crate::mock::quota::{rfc3339, spelled};
use crate::mock::{LimitStyle, Limits};

/// A wait of a minute, told in whole seconds; a busy machine may take some of it.
fn tells_of_a_minute(refused: &Received) -> bool {
    let header = refused.header("retry-after");
    let seconds = header.and_then(|text| text.parse().ok());
    refused.status == 429 && seconds.is_some_and(|seconds: u64| (30..=60).contains(&seconds))
}

#[test]
fn openai_tells_of_the_rates_with_every_answer() {
    let (server, mut client) = limited(Limits {
        requests_per_minute: Some(60),
        tokens_per_minute: Some(6000),
        ..Limits::default()
    });
    let answer = embed(&mut client, &["12345678", "1234"]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["usage"]["prompt_tokens"], 3);
    let header = |name| answer.header(name).expect("a header");
    assert_eq!(header("x-ratelimit-limit-requests"), "60");
    assert_eq!(header("x-ratelimit-remaining-requests"), "0");
    assert_eq!(header("x-ratelimit-reset-requests"), "1s");
    assert_eq!(header("x-ratelimit-limit-tokens"), "6000");
    assert_eq!(header("x-ratelimit-remaining-tokens"), "97");
    assert_eq!(header("x-ratelimit-reset-tokens"), "30ms");
    assert_eq!(answer.header("retry-after"), None);

    server
        .limit(once_a_minute(LimitStyle::OpenAi))
        .expect("limits");
    assert_eq!(embed(&mut client, &["a"]).status, 200);
    let refused = embed(&mut client, &["a"]);
    assert!(tells_of_a_minute(&refused), "{refused:?}");
    let ms: u64 = refused
        .header("retry-after-ms")
        .expect("one")
        .parse()
        .expect("ms");
    assert!((30_000..=60_000).contains(&ms), "{ms}");
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), Some("0"));
    let error = &refused.json()["error"];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("requests"), &json!("rate_limit_exceeded"))
    );
    let stats = server.stats();
    assert_eq!(stats.per_limit, [("requests_per_minute".into(), 1)].into());
    assert_eq!(stats.answered, 3);
}

#[test]
fn azure_says_in_its_text_when_to_come_again() {
    let (_server, mut client) = limited(once_a_minute(LimitStyle::Azure));
    let answer = embed(&mut client, &["a"]);
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
    assert_eq!(answer.header("x-ratelimit-limit-requests"), None);
    let refused = embed(&mut client, &["a"]);
    assert!(tells_of_a_minute(&refused), "{refused:?}");
    assert_eq!(refused.header("retry-after-ms"), None);
    let message = refused.json()["error"]["message"].to_string();
    let told = refused.header("retry-after").unwrap_or_default();
    let text = format!("Please retry after {told} seconds.");
    assert!(message.contains(&text), "{message}");
}

#[test]
fn anthropic_tells_the_time_of_day() {
    let (_server, mut client) = limited(Limits {
        tokens_per_minute: Some(60),
        ..once_a_minute(LimitStyle::Anthropic)
    });
    let before = SystemTime::now();
    assert_eq!(embed(&mut client, &["a"]).status, 200);
    let refused = embed(&mut client, &["a"]);
    assert!(tells_of_a_minute(&refused), "{refused:?}");
    assert_eq!(
        refused.header("anthropic-ratelimit-requests-limit"),
        Some("1")
    );
    assert_eq!(
        refused.header("anthropic-ratelimit-tokens-limit"),
        Some("60")
    );
    let reset = refused
        .header("anthropic-ratelimit-requests-reset")
        .expect("one");
    let before = before
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("past 1970");
    // RFC 3339 of one length sorts as the time does.
    assert!(reset > rfc3339(before.as_secs() + 50).as_str(), "{reset}");
    assert!(reset < rfc3339(before.as_secs() + 90).as_str(), "{reset}");
    assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
}

#[test]
fn mistral_names_the_minute() {
    let (server, mut client) = limited(Limits {
        tokens_per_minute: Some(6000),
        ..once_a_minute(LimitStyle::Mistral)
    });
    for status in [200, 429] {
        let answer = embed(&mut client, &["a"]);
        let header = |name| answer.header(name).expect("a header");
        assert_eq!(answer.status, status);
        assert_eq!(header("x-ratelimit-limit-req-minute"), "1");
        assert_eq!(header("x-ratelimit-remaining-req-minute"), "0");
        assert_eq!(header("x-ratelimit-limit-tokens-minute"), "6000");
        let remaining: u64 = header("x-ratelimit-remaining-tokens-minute")
            .parse()
            .expect("tokens");
        assert!((99..=100).contains(&remaining), "{remaining}");
        if status == 429 {
            assert!(tells_of_a_minute(&answer), "{answer:?}");
            let words = json!({
                "object": "error", "message": "Rate limit exceeded", "type": "rate_limited",
                "param": null, "code": "1300", "raw_status_code": 429
            });
            assert_eq!(answer.json(), words);
        }
    }
    let few = Limits {
        max_batch_items: Some(2),
        style: LimitStyle::Mistral,
        ..Limits::default()
    };
    server.limit(few).expect("limits");
    let refused = embed(&mut client, &["a", "b", "c"]);
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (400, &json!("3210"))
    );
}

#[test]
fn jina_says_what_is_left_and_never_when_to_come_again() {
    let (server, mut client) = limited(Limits {
        tokens_per_minute: Some(6000),
        ..once_a_minute(LimitStyle::Jina)
    });
    for status in [200, 429] {
        let answer = embed(&mut client, &["a"]);
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
        assert!(answer.header("x-ratelimit-remaining-tokens").is_some());
        assert_eq!(answer.header("x-ratelimit-limit-requests"), None);
        assert_eq!(answer.header("retry-after"), None);
        if status == 429 {
            assert_eq!(answer.json()["code"], "RATE_REQUEST_LIMIT_EXCEEDED");
        }
    }
    let few = Limits {
        tokens_per_minute: Some(1),
        max_batch_items: Some(2),
        style: LimitStyle::Jina,
        ..Limits::default()
    };
    server.limit(few).expect("limits");
    embed(&mut client, &["a"]);
    let refused = embed(&mut client, &["a"]);
    let words = json!({
        "code": "RATE_TOKEN_LIMIT_EXCEEDED",
        "detail": "Token rate limit exceeded: 1/1 tokens per minute"
    });
    assert_eq!(refused.json(), words);
    let refused = embed(&mut client, &["a", "b", "c"]);
    assert_eq!(
        (refused.status, &refused.json()["detail"]),
        (400, &json!("Each input list can contain at most 2 items."))
    );
}

#[test]
fn cohere_tells_of_the_requests_where_it_answers_and_of_the_time_where_it_refuses() {
    let (server, mut client) = limited(Limits {
        max_batch_items: Some(96),
        ..once_a_minute(LimitStyle::Cohere)
    });
    let before = SystemTime::now();
    let answer = embed(&mut client, &["a"]);
    assert_eq!(answer.header("x-trial-endpoint-call-limit"), Some("1"));
    assert_eq!(answer.header("x-trial-endpoint-call-remaining"), Some("0"));
    assert_eq!(answer.header("x-endpoint-monthly-call-limit"), Some("1000"));
    assert_eq!(answer.header("retry-after"), None);

    let refused = embed(&mut client, &["a"]);
    assert!(tells_of_a_minute(&refused), "{refused:?}");
    assert_eq!(refused.header("x-trial-endpoint-call-remaining"), None);
    let reset: u64 = refused
        .header("x-ratelimit-reset")
        .and_then(|text| text.parse().ok())
        .expect("seconds since 1970");
    let before = before
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("past 1970");
    let span = reset - before.as_secs();
    assert!((50..90).contains(&span), "{span}");
    assert_eq!(
        refused.json()["message"],
        "You are using a Trial key, which is limited to 1 API calls / minute."
    );

    let many = vec!["a"; 97];
    let refused = embed(&mut client, &many);
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json()["message"],
        "invalid request: total number of texts must be at most 96 - received 97"
    );
    let tokens = Limits {
        tokens_per_minute: Some(1),
        style: LimitStyle::Cohere,
        ..Limits::default()
    };
    server.limit(tokens).expect("limits");
    // Of tokens an answer says nothing.
    let answer = embed(&mut client, &["a"]);
    assert_eq!(answer.headers.len(), 2, "{answer:?}");
    let refused = embed(&mut client, &["a"]);
    assert_eq!(
        refused.json()["message"],
        "trial token rate limit exceeded, limit is 1 tokens per minute"
    );
}

#[test]
fn the_draft_lists_both_rates() {
    let (_server, mut client) = limited(Limits {
        requests_per_minute: Some(1),
        tokens_per_minute: Some(6000),
        style: LimitStyle::Ietf,
        ..Limits::default()
    });
    let answer = embed(&mut client, &["a"]);
    assert_eq!(
        answer.header("ratelimit-policy"),
        Some("\"requests\";q=1;w=60, \"tokens\";q=6000;w=60")
    );
    assert_eq!(
        answer.header("ratelimit"),
        Some("\"requests\";r=0;t=60, \"tokens\";r=99;t=1")
    );
    let refused = embed(&mut client, &["a"]);
    assert!(tells_of_a_minute(&refused), "{refused:?}");
}

#[test]
fn styles_without_headers_have_none() {
    for style in [LimitStyle::None, LimitStyle::Tei, LimitStyle::DashScope] {
        let (_server, mut client) = limited(once_a_minute(style));
        embed(&mut client, &["a"]);
        let refused = embed(&mut client, &["a"]);
        assert_eq!(refused.status, 429);
        let names = refused.headers.iter().map(|(name, _)| name.as_str());
        let names: Vec<&str> = names.collect();
        assert_eq!(names, ["content-type", "content-length"], "{style}");
    }
}

#[test]
fn text_embeddings_inference_refuses_in_its_words() {
    let (_server, mut client) = limited(Limits {
        max_batch_items: Some(2),
        max_batch_tokens: Some(10),
        style: LimitStyle::Tei,
        ..Limits::default()
    });
    let words = "batch size 3 > maximum allowed batch size 2";
    let refused = embed(&mut client, &["a", "b", "c"]);
    assert_eq!(refused.status, 422);
    assert_eq!(
        refused.json(),
        json!({"message": words, "code": 422, "type": "Validation"})
    );
    for (path, body) in [
        ("/rerank", r#"{"query":"q","texts":["a","b","c"]}"#),
        ("/predict", r#"{"inputs":[["a"],["b"],["c","d"]]}"#),
    ] {
        let refused = client.post(path, "", body);
        assert_eq!(refused.status, 422, "{path}");
        assert_eq!(
            refused.json(),
            json!({"error": words, "error_type": "Validation"})
        );
    }
    let long = "a".repeat(44);
    assert_eq!(embed(&mut client, &[&long]).status, 413);
    assert_eq!(embed(&mut client, &["a", "b"]).status, 200);
    let predict = r#"{"inputs":[["a"],["b","c"]]}"#;
    assert_eq!(client.post("/predict", "", predict).status, 200);
}

#[test]
fn openai_refuses_a_batch_in_its_words() {
    let (server, mut client) = limited(Limits {
        max_batch_items: Some(2),
        max_batch_tokens: Some(10),
        requests_per_minute: Some(2),
        ..Limits::default()
    });
    let refused = embed(&mut client, &["a", "b", "c"]);
    assert_eq!(
        (refused.status, &refused.json()["error"]["type"]),
        (400, &json!("invalid_request_error"))
    );
    let refused = embed(&mut client, &[&"a".repeat(44)]);
    assert_eq!(refused.status, 400);
    let error = &refused.json()["error"];
    assert_eq!(
        error["message"],
        "Requested 11 tokens, max 10 tokens per request"
    );
    assert_eq!(error["code"], "max_tokens_per_request");
    // Neither took anything from the bucket of requests.
    assert_eq!(embed(&mut client, &["a"]).status, 200);
    assert_eq!(
        server.stats().per_limit,
        [
            ("max_batch_items".into(), 1),
            ("max_batch_tokens".into(), 1)
        ]
        .into()
    );
}

#[test]
fn dashscope_refuses_a_batch_in_its_words() {
    let (_server, mut client) = limited(Limits {
        max_batch_items: Some(2),
        style: LimitStyle::DashScope,
        ..Limits::default()
    });
    let refused = embed(&mut client, &["a", "b", "c"]);
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json()["error"]["message"],
        "batch size is invalid, it should not be larger than 2"
    );
}

#[test]
fn a_style_reads_back_as_it_is_printed() {
    for style in [
        "openai",
        "azure",
        "anthropic",
        "mistral",
        "jina",
        "cohere",
        "ietf",
        "tei",
        "dashscope",
        "none",
    ] {
        let parsed: LimitStyle = style.parse().expect("a style");
        assert_eq!(parsed.to_string(), style);
        assert_eq!(serde_json::to_value(parsed).expect("a value"), style);
    }
}

#[test]
fn spans_are_spelled_as_openai_does() {
    for (ms, text) in [
        (0, "0s"),
        (120, "120ms"),
        (999, "999ms"),
        (6000, "6s"),
        (8640, "8.64s"),
        (90_000, "1m30s"),
        (360_000, "6m0s"),
        (7_205_050, "2h0m5.05s"),
    ] {
        assert_eq!(spelled(Duration::from_millis(ms)), text);
    }
    assert_eq!(spelled(Duration::from_nanos(1)), "1ms");
    assert_eq!(spelled(Duration::from_nanos(999_000_001)), "1s");
}

#[test]
fn a_day_is_written_as_rfc_3339_has_it() {
    assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
}
