//! What a server says of another try: when, and whether. In simulated time.

use crate::support::fake::{Answer, MS, Network};
use crate::support::{one_by_one, one_each, texts};
use hedgerow::{Embed, Error, OnError, Preference};
use std::time::Duration;
use tokio::time::Instant;

const AT_ONCE: Duration = Duration::from_millis(100);

/// What becomes of a call whose first request is answered so, and how many requests were made of it.
async fn after(first: fn() -> Answer) -> (Result<Duration, Error>, u64) {
    let network = Network::new(move |number, _| match number {
        0 => (MS, first()),
        _ => (MS, Answer::Right),
    });
    let start = Instant::now();
    let answer = network.embed(1, one_each()).await;
    (answer.map(|_| start.elapsed()), network.asked())
}

#[actix_rt::test]
async fn a_pause_that_is_too_long_ends_its_call_at_once_in_an_error_that_names_it() {
    type Refusal = fn() -> Answer;
    let cases: [(u16, Refusal, &str); 4] = [
        (
            429,
            || Answer::Status(429, &[("retry-after", "11180")]),
            "11180 s",
        ),
        (
            500,
            || Answer::Status(500, &[("retry-after", "86400")]),
            "86400 s",
        ),
        (
            503,
            || Answer::Status(503, &[("retry-after-ms", "120001")]),
            "120.001 s",
        ),
        (
            429,
            || Answer::Says(429, "Please retry after 7 hours."),
            "25200 s",
        ),
    ];
    for (status, refusal, span) in cases {
        let network = Network::new(move |number, _| match number {
            0 => (MS, refusal()),
            _ => (MS, Answer::Right),
        });
        let start = Instant::now();
        let error = network.embed(1, one_each()).await.unwrap_err();
        assert!(start.elapsed() < AT_ONCE);
        assert_eq!(error.status(), Some(status));
        assert!(error.retry_after() > Some(Duration::from_mins(2)));
        let text = error.to_string();
        assert!(
            text.contains(span) && text.contains("max_retry_after_s"),
            "{text}"
        );
        // Others are not made to wait for it.
        network.embed(10, one_each()).await.unwrap();
        assert!(start.elapsed() < 2 * AT_ONCE);
    }
}

#[actix_rt::test]
async fn calls_under_way_at_the_same_endpoint_go_on() {
    let network = Network::new(|number, _| match number {
        3 => (MS, Answer::Status(429, &[("retry-after", "11180")])),
        _ => (10 * MS, Answer::Right),
    });
    let start = Instant::now();
    let others = network
        .client
        .embed(Embed::new(texts(50), "m").preference(one_by_one()));
    let refused = async {
        tokio::time::sleep(25 * MS).await;
        network.embed(1, one_each()).await
    };
    let (others, refused) = futures_util::future::join(others, refused).await;
    assert!(refused.is_err());
    assert_eq!(others.unwrap().len(), 50);
    assert!(start.elapsed() < 1000 * MS, "{:?}", start.elapsed());
}

#[actix_rt::test]
async fn a_call_that_returns_its_errors_keeps_what_had_finished_and_asks_for_no_more() {
    let network = Network::new(|number, _| match number {
        4 => (MS, Answer::Status(429, &[("retry-after", "11180")])),
        _ => (MS, Answer::Right),
    });
    let preference = Preference {
        on_error: OnError::Return,
        ..one_by_one()
    };
    let start = Instant::now();
    let answer = network.embed(10, preference).await.unwrap();
    assert!(start.elapsed() < AT_ONCE);
    let failed: Vec<_> = answer.errors().iter().map(|it| it.inputs.start).collect();
    assert_eq!(failed, [4, 5, 6, 7, 8, 9]);
    assert!(
        answer
            .errors()
            .iter()
            .all(|it| it.error.status() == Some(429))
    );
    assert_eq!(network.asked(), 5);
}

#[actix_rt::test]
async fn how_long_a_server_is_listened_to_is_a_setting() {
    for (most, ends) in [(4, true), (5, false)] {
        let network = Network::new(|number, _| match number {
            0 => (MS, Answer::Status(429, &[("retry-after", "5")])),
            _ => (MS, Answer::Right),
        });
        let preference = Preference {
            max_retry_after: Duration::from_secs(most),
            ..one_each()
        };
        let answer = network.embed(1, preference).await;
        assert_eq!(answer.is_err(), ends, "{most} s");
    }
}

#[actix_rt::test]
async fn a_pause_in_words_is_kept() {
    for refusal in [
        (|| Answer::Says(429, "Please retry after 4 seconds.")) as fn() -> Answer,
        || Answer::Says(503, r#"{"error":{"message":"Please try again in 4s."}}"#),
    ] {
        let (took, asked) = after(refusal).await;
        let took = took.unwrap();
        assert!((4000 * MS..4010 * MS).contains(&took), "{took:?}");
        assert_eq!(asked, 2);
    }
}

#[actix_rt::test]
async fn what_is_said_twice_or_makes_no_sense_is_not_listened_to() {
    for refusal in [
        (|| Answer::Status(429, &[("retry-after", "3000"), ("retry-after", "60")]))
            as fn() -> Answer,
        || Answer::Status(429, &[("retry-after", "-5")]),
        || Answer::Status(500, &[("retry-after", "tomorrow")]),
    ] {
        let (took, asked) = after(refusal).await;
        assert!(took.unwrap() <= 130 * MS);
        assert_eq!(asked, 2);
    }
}

#[actix_rt::test]
async fn a_server_s_word_on_another_try_is_taken() {
    const QUOTA: &str = r#"{"error":{"code":"insufficient_quota","type":"insufficient_quota"}}"#;
    for (refusal, status) in [
        ((|| Answer::Says(429, QUOTA)) as fn() -> Answer, 429),
        (|| Answer::Status(500, &[("x-should-retry", "false")]), 500),
    ] {
        let (answer, asked) = after(refusal).await;
        assert_eq!(answer.unwrap_err().status(), Some(status));
        assert_eq!(asked, 1);
    }
    let (answer, asked) = after(|| Answer::Status(404, &[("x-should-retry", "true")])).await;
    answer.unwrap();
    assert_eq!(asked, 2);
}

#[actix_rt::test]
async fn an_error_in_an_answer_of_200_is_the_status_that_it_names() {
    const BUSY: &str = r#"{"error":{"code":429,"message":"Please retry after 2 seconds."}}"#;
    const WRONG: &str = r#"{"error":{"code":"404","message":"no such model"}}"#;
    let network = Network::new(|number, _| match number {
        0..3 => (MS, Answer::Says(200, BUSY)),
        _ => (MS, Answer::Right),
    });
    let start = Instant::now();
    network.embed(1, one_each()).await.unwrap();
    let took = start.elapsed();
    assert!((6000 * MS..6100 * MS).contains(&took), "{took:?}");
    assert_eq!(network.asked(), 4);
    drop(network);

    let (answer, asked) = after(|| Answer::Says(200, WRONG)).await;
    let error = answer.unwrap_err();
    assert_eq!((error.status(), error.body()), (Some(404), Some(WRONG)));
    assert_eq!(asked, 1);
}

#[actix_rt::test]
async fn an_answer_without_any_row_is_asked_for_again_with_pauses() {
    let network = Network::new(|number, _| match number {
        0..3 => (MS, Answer::Says(200, r#"{"data":[],"model":"m"}"#)),
        _ => (MS, Answer::Right),
    });
    network.embed(1, one_each()).await.unwrap();
    assert_eq!(network.asked(), 4);
}
