//! The programs that people run: the demo, the examples, the command.

use crate::support::eventually;
use crate::support::program::{Running, example};
use hedgerow::mock::{LimitStyle, Limits, embedding_of};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Output, Stdio};

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn the_demo_saves_the_matrix_of_a_book_and_says_how_it_went() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("demo/embeddings.npy");
    let output = example("demo").arg("--output").arg(&path).output().unwrap();
    let said = text(&output);
    for part in ["rate ", "p50 ", "p90 ", "retries", "hedges", "saved "] {
        assert!(said.contains(part), "{part} is missing: {said}");
    }
    let file = std::fs::read(&path).unwrap();
    let matrix = npyz::NpyFile::new(file.as_slice()).unwrap();
    assert_eq!(matrix.shape(), [10_570, 384]);
    let values: Vec<f32> = matrix.into_vec().unwrap();
    let book = std::fs::read_to_string("examples/data/paradise_lost.txt").unwrap();
    for (line, row) in book.lines().zip(values.chunks_exact(384)) {
        assert_eq!(row, embedding_of(line, 384), "{line}");
    }
}

#[test]
fn a_demo_without_its_text_says_what_is_missing() {
    let output = example("demo")
        .args(["--text", "/nowhere.txt"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("/nowhere.txt"), "{said}");
}

#[test]
fn the_actix_example_runs() {
    let said = text(&example("actix").output().unwrap());
    assert_eq!(said, "300 lines are indexed\n600 lines are indexed\n");
}

/// `batchbench mock`, which says more than its URL: what it says is kept open to the end.
struct Mock {
    url: String,
    _said: Lines<BufReader<ChildStdout>>,
    _running: Running,
}

/// Runs it with these flags.
fn mock(flags: &[&str]) -> Mock {
    let mut child = Command::new(env!("CARGO_BIN_EXE_batchbench"))
        .args(["mock", "--port", "0"])
        .args(flags)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let running = Running(child);
    let first = said.next().unwrap().unwrap();
    let url = first.rsplit(' ').next().unwrap();
    Mock {
        url: url.to_owned(),
        _said: said,
        _running: running,
    }
}

#[test]
fn batchbench_mock_serves_and_tells_its_address() {
    let faults = [
        "--fault",
        "status=503;retry_after=0",
        "--fault-share",
        "0.5",
    ];
    let mock = mock(&faults);
    let client = crate::support::client_of(&mock.url);
    let call =
        hedgerow::Embed::new(crate::support::texts(20), "m").preference(hedgerow::Preference {
            batch_size: 1,
            max_retries: 6,
            ..hedgerow::Preference::default()
        });
    eventually("half of the requests fail, and all are retried", || {
        client.embed(call.clone()).is_ok()
    });
    assert!(client.metrics().unwrap().retries > 0);
}

/// What it answers, head and body.
fn get(mock: &Mock, path: &str) -> String {
    let (_, addr) = mock.url.rsplit_once('/').unwrap();
    let mut stream = TcpStream::connect(addr).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn each_flag_of_batchbench_mock_sets_its_own_limit() {
    let flags = "--max-in-flight 1 --max-inputs-in-flight 2 --limit-concurrency 3 \
                 --overload-status 503 --retry-after 4 --requests-per-minute 5 \
                 --tokens-per-minute 6 --max-batch-items 7 --max-batch-tokens 8 --limit-by-key \
                 --limit-style cohere";
    let flags: Vec<&str> = flags.split_whitespace().collect();
    let answer = get(&mock(&flags), "/mock/limits");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let limits: Limits = serde_json::from_str(body).unwrap();
    let set = Limits {
        max_in_flight: Some(1),
        max_inputs_in_flight: Some(2),
        limit_concurrency: Some(3),
        overload_status: 503,
        retry_after: Some(4),
        requests_per_minute: Some(5),
        tokens_per_minute: Some(6),
        max_batch_items: Some(7),
        max_batch_tokens: Some(8),
        by_key: true,
        style: LimitStyle::Cohere,
    };
    assert_eq!(limits, set);
}

#[test]
fn batchbench_mock_says_no_at_its_limits() {
    let limits = ["--requests-per-minute", "1", "--limit-style", "azure"];
    let mock = mock(&limits);
    let answers = [(); 2].map(|()| get(&mock, "/echo"));
    assert!(answers[0].starts_with("HTTP/1.1 200 "), "{answers:?}");
    assert!(answers[1].starts_with("HTTP/1.1 429 "), "{answers:?}");
    assert!(answers[1].contains("Please retry after "), "{answers:?}");
}

#[test]
fn batchbench_refuses_a_bad_argument_by_name() {
    for (argument, value) in [
        ("--latency", "sometimes"),
        ("--fault", "earthquake"),
        ("--fault-share", "2"),
        ("--threads", "0"),
        ("--port", "65536"),
        ("--max-in-flight", "0"),
        ("--max-inputs-in-flight", "0"),
        ("--limit-concurrency", "-1"),
        ("--overload-status", "200"),
        ("--requests-per-minute", "many"),
        ("--limit-style", "tie"),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_batchbench"))
            .args(["mock", argument, value])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(2), "{said}");
        assert!(said.contains(argument) && said.contains(value), "{said}");
    }
}
