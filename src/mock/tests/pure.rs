//! The parts that need no socket.

use std::time::Duration;

use serde_json::json;

use crate::mock::fault::Fault;
use crate::mock::vectors::{eight_digits, push_floats};
use crate::mock::{Encoding, Latency, Rule, embedding_of, labels_of, score_of};

#[test]
fn an_embedding_is_a_function_of_its_text() {
    assert_eq!(embedding_of("a text", 64), embedding_of("a text", 64));
    assert_ne!(embedding_of("a text", 64), embedding_of("a texu", 64));
    assert_ne!(embedding_of("", 8), embedding_of("\0", 8));
    // Fixed for good: recorded runs and other languages' tests rely on it.
    assert_eq!(
        embedding_of("a", 3),
        [-0.149_565_1, -0.610_221_5, -0.777_984_6]
    );
}

#[test]
fn an_embedding_has_unit_length() {
    for dimensions in [1, 2, 8, 384, 1024, 4096] {
        let squares: f32 = embedding_of("some text", dimensions)
            .iter()
            .map(|x| x * x)
            .sum();
        assert!((squares - 1.0).abs() < 1e-5, "{dimensions}: {squares}");
    }
}

#[test]
fn numbers_are_printed_in_their_shortest_form() {
    for text in 0..200 {
        for dimensions in [1, 2, 3, 16, 500] {
            for x in embedding_of(&text.to_string(), dimensions) {
                let mut printed = Vec::new();
                push_floats(&mut printed, &[x]);
                let printed = String::from_utf8(printed).expect("ASCII");
                assert_eq!(
                    printed.parse::<f32>().expect("a number").to_bits(),
                    x.to_bits()
                );
                assert_eq!(printed.trim_end_matches(".0"), x.to_string());
            }
        }
    }
}

#[test]
fn digits_are_right_at_every_width() {
    for n in (0..100_000_000)
        .step_by(9_973)
        .chain(0..20_000)
        .chain([99_999_999])
    {
        let digits = eight_digits(n)
            .to_le_bytes()
            .map(|digit| char::from(b'0' + digit));
        assert_eq!(String::from_iter(digits), format!("{n:08}"));
    }
}

#[test]
fn scores_lie_between_zero_and_one() {
    for n in 0..1000 {
        let text = format!("text {n}");
        let score = score_of("query", &text);
        assert!(score > 0.0 && score < 1.0);
        let [best, worst] = labels_of(&text);
        assert!(best.1 >= worst.1 && (best.1 + worst.1 - 1.0).abs() < 1e-6);
    }
}

#[test]
fn every_fault_reads_back_what_it_prints() {
    let faults = "delay=1.5,status=503,status=429;retry_after=Wed%2C 21 Oct 2015;body={\"a\":1%3B},\
        redirect=/echo;code=302,hang,reset,close_before_answer,bad_json,short_rows,extra_rows,\
        repeated_index,mixed_dimensions,non_finite,ignore_base64,refuse_base64,encoding=zstd,\
        encoding=gzip,encoding=br,encoding=deflate,chunked,close_delimited,cut_body=10,cut_body,\
        hang_body,close_without_notice,close_on_reuse,header=x-a:b%25c";
    let parsed = Fault::parse_list(faults).expect("faults");
    let printed: Vec<String> = parsed.iter().map(Fault::to_string).collect();
    assert_eq!(printed.join(","), faults);
    assert_eq!(parsed[0], Fault::Delay(Duration::from_micros(1500)));
    assert_eq!(
        parsed[2],
        Fault::Status {
            code: 429,
            retry_after: Some("Wed, 21 Oct 2015".to_owned()),
            body: Some("{\"a\":1;}".to_owned()),
        }
    );
    assert_eq!(parsed[16], Fault::Encoding(Encoding::Gzip));
}

#[test]
fn what_is_no_fault_is_refused() {
    let bad = [
        "nonsense",
        "status",
        "status=abc",
        "status=99",
        "status=600",
        "status=503;retry=1",
        "hang=1",
        "hang;a=1",
        "delay=-1",
        "delay=nan",
        "encoding=lzma",
        "header=novalue",
        "redirect=/;code=x",
        "cut_body=-1",
        "status=503;body=%4",
        "status=503;body=%FF",
        "delay=1e300",
    ];
    for text in bad {
        assert!(Fault::parse_list(text).is_err(), "{text}");
    }
    assert_eq!(
        Fault::parse_list(" hang , reset,").expect("two"),
        [Fault::Hang, Fault::Reset]
    );
}

#[test]
fn a_rule_is_the_same_in_json() {
    let rule = Rule::on("/v1/embeddings", Fault::status(503))
        .with(Fault::Chunked)
        .when_header("authorization", "Bearer k1")
        .when_body_contains("text 7")
        .after(1)
        .times(2)
        .share(0.5)
        .above_in_flight(32);
    let json = json!({
        "path": "/v1/embeddings",
        "header": {"name": "authorization", "value": "Bearer k1"},
        "body_contains": "text 7",
        "after": 1, "times": 2, "share": 0.5, "above_in_flight": 32,
        "faults": "status=503,chunked",
    });
    assert_eq!(serde_json::to_value(&rule).expect("JSON"), json);
    assert_eq!(serde_json::from_value::<Rule>(json).expect("a rule"), rule);
    let short: Rule = serde_json::from_str(r#"{"fault": "hang"}"#).expect("a rule");
    assert_eq!(short, Rule::on("", Fault::Hang));
    assert!(serde_json::from_str::<Rule>(r#"{"fault": "hang", "tmies": 1}"#).is_err());
}

#[test]
fn what_is_out_of_its_range_is_told_the_range() {
    let waits = "from 0 to 31536000000";
    for (text, range) in [
        ("fixed=-1", waits),
        ("fixed=1e99", waits),
        ("fixed", waits),
        ("lognormal=x;sigma=1", waits),
        ("lognormal=20;sigma=-1", "from 0 to 5"),
        ("lognormal=20", "from 0 to 5"),
        ("slow_share=1.5;fast=1;slow=2", "from 0 to 1"),
        ("slow_share=0.5;fast=1;slow=NaN", waits),
    ] {
        let error = text.parse::<Latency>().expect_err(text).to_string();
        assert!(error.contains(range), "{error}");
    }
    for (text, range) in [
        ("delay=-3", waits),
        ("status=600", "from 200 to 599"),
        ("status=99999", "from 200 to 599"),
        ("redirect=/echo;code=199", "from 200 to 599"),
        ("cut_body=-1", "from 0 to "),
    ] {
        let error = text.parse::<Fault>().expect_err(text).to_string();
        assert!(error.contains(range), "{error}");
    }
    assert!("status=200".parse::<Fault>().is_ok());
    assert!("fixed=31536000000".parse::<Latency>().is_ok());
}

#[test]
fn latencies_have_the_statistics_they_are_named_for() {
    let draw = |text: &str, seed| -> Vec<f64> {
        let latency: Latency = text.parse().expect("a latency");
        let mut all: Vec<f64> = (0..20_000)
            .map(|n| latency.draw(seed, n).as_secs_f64() * 1000.0)
            .collect();
        all.sort_by(f64::total_cmp);
        all
    };
    assert!(draw("none", 1)[19_999].abs() < 1e-9);
    assert!((draw("fixed=2.5", 1)[0] - 2.5).abs() < 1e-9);
    let lognormal = draw("lognormal=20;sigma=0.5", 1);
    assert!(
        (lognormal[10_000] - 20.0).abs() < 0.5,
        "median {}",
        lognormal[10_000]
    );
    assert!(
        (lognormal[19_800] - 64.0).abs() < 4.0,
        "p99 {}",
        lognormal[19_800]
    );
    let slow = draw("slow_share=0.01;fast=5;slow=200", 1);
    let stragglers = slow.iter().filter(|&&ms| ms > 100.0).count();
    assert!((150..250).contains(&stragglers), "{stragglers}");
    assert_eq!(
        draw("lognormal=20;sigma=0.5", 7),
        draw("lognormal=20;sigma=0.5", 7)
    );
    assert_ne!(lognormal, draw("lognormal=20;sigma=0.5", 7));
    assert!("lognormal=20".parse::<Latency>().is_err());
    assert!("fixed=-1".parse::<Latency>().is_err());
}
