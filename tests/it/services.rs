//! The examples that embed in services, and the one of plain threads: as their callers see them.

use crate::support::program::{Running, example};
use crate::support::{
    eventually, eventually_closed, eventually_in_flight, hanging_mock, slow_mock, texts,
};
use hedgerow::mock::{Fault, Latency, MockServer, Rule, embedding_of};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Barrier;
use std::time::Duration;

/// What holds of one holds of the other.
const SERVICES: [&str; 2] = ["actix_web", "axum"];

/// A service that runs as a child process.
struct Service {
    child: Running,
    /// Its standard output, behind the first line.
    said: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Service {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = example(name)
            .args(["--port", "0"])
            .args(arguments)
            // The failures that tests ask for are not to be logged.
            .env("PERFORMANCE_CLIENT_LOG_LEVEL", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let child = Running(child);
        let first = said.next().expect("a first line").unwrap();
        let (_, address) = first.rsplit_once("http://").expect("an address");
        Self {
            address: address.to_owned(),
            child,
            said,
        }
    }

    /// A service that asks `upstream`.
    fn asking(name: &str, upstream: &MockServer, arguments: &[&str]) -> Self {
        Self::start(
            name,
            &[&["--upstream", &upstream.url()], arguments].concat(),
        )
    }

    /// Sends a request, and leaves its answer to be read.
    fn send(&self, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let wait = Some(Duration::from_secs(30));
        stream.set_read_timeout(wait).unwrap();
        let (address, length) = (&self.address, body.len());
        let head = format!(
            "POST /embed HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        stream
    }

    /// The status and the body of the answer to `body`.
    fn ask(&self, body: &str) -> (u16, String) {
        answer(self.send(body))
    }

    /// Embeds `texts`, and checks each embedding.
    fn embed(&self, texts: &[String]) {
        check(texts, &self.ask(&json!({ "texts": texts }).to_string()));
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.0.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end, for at most as long as `eventually` does.
    fn end(mut self) -> (ExitStatus, Vec<String>) {
        let mut ended = None;
        eventually("the service ends", || {
            ended = self.child.0.try_wait().unwrap();
            ended.is_some()
        });
        let said = self.said.collect::<Result<_, _>>().unwrap();
        (ended.unwrap(), said)
    }
}

/// Reads an answer to its end, which is that of the connection.
fn answer(mut stream: TcpStream) -> (u16, String) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.expect("a status"), body.to_owned())
}

#[derive(Deserialize)]
struct Vectors {
    model: String,
    dimensions: usize,
    embeddings: Vec<Vec<f32>>,
}

fn check(texts: &[String], (status, body): &(u16, String)) {
    assert_eq!(*status, 200, "{body}");
    let vectors: Vectors = serde_json::from_str(body).unwrap();
    assert_eq!(vectors.model, "mock-embedding");
    assert_eq!(vectors.dimensions, 8);
    let expected: Vec<_> = texts.iter().map(|text| embedding_of(text, 8)).collect();
    assert_eq!(vectors.embeddings, expected);
}

/// The text of a failure, which is told as JSON.
fn error_of(body: &str) -> String {
    let body: Value = serde_json::from_str(body).expect(body);
    body["error"].as_str().expect("a text").to_owned()
}

const ONE_TEXT: &str = r#"{"texts": ["one"]}"#;

#[test]
fn a_service_with_its_own_mock_embeds() {
    for name in SERVICES {
        let service = Service::start(name, &[]);
        service.embed(&texts(3));
        service.embed(&["\"quoted\", and \u{fc}\u{1f343}".to_owned()]);
        // More than one request, and more than a framework's own limit for a body (2 MB).
        let long: Vec<String> = (0..300)
            .map(|n| format!("{n} {}", "x".repeat(10_000)))
            .collect();
        service.embed(&long);
    }
}

#[test]
fn many_callers_of_a_service_are_served_at_once() {
    const CALLERS: usize = 24;
    for name in SERVICES {
        let upstream = slow_mock(Latency::Fixed(Duration::from_millis(300)));
        let service = Service::asking(name, &upstream, &[]);
        let together = Barrier::new(CALLERS);
        std::thread::scope(|scope| {
            for caller in 0..CALLERS {
                let (service, together) = (&service, &together);
                scope.spawn(move || {
                    let texts = [format!("caller {caller}"), "all".to_owned()];
                    together.wait();
                    service.embed(&texts);
                });
            }
        });
        let stats = upstream.stats();
        assert_eq!(stats.requests, CALLERS as u64, "{name}");
        assert!(stats.peak_in_flight > 1, "{name}");
    }
}

#[test]
fn a_caller_s_mistake_is_told_and_sent_nowhere() {
    for name in SERVICES {
        let upstream = MockServer::start().unwrap();
        let service = Service::asking(name, &upstream, &[]);
        for (body, statuses, told) in [
            (r#"{"texts": []}"#, &[400][..], "empty"),
            (r#"{"texts": "one"}"#, &[400, 422], "a sequence"),
            (r#"{"text": ["one"]}"#, &[400, 422], "texts"),
            (r#"{"texts": ["#, &[400], ""),
        ] {
            let (status, body) = service.ask(body);
            let error = error_of(&body);
            assert!(statuses.contains(&status), "{name}: {status} {error}");
            assert!(error.contains(told), "{name}: {error}");
        }
        assert_eq!(upstream.stats().requests, 0);
        service.embed(&texts(1));
    }
}

#[test]
fn an_upstream_that_fails_is_a_bad_gateway() {
    for name in SERVICES {
        let upstream = MockServer::start().unwrap();
        let service = Service::asking(name, &upstream, &[]);
        for (fault, told) in [
            (Fault::status(401), "401"),
            (Fault::status(400), "400"),
            (
                Fault::Redirect {
                    to: "/echo".into(),
                    code: 302,
                },
                "302",
            ),
            (Fault::ShortRows, "answer"),
        ] {
            upstream.inject(Rule::on("/v1/embeddings", fault));
            let (status, body) = service.ask(ONE_TEXT);
            let error = error_of(&body);
            assert_eq!(status, 502, "{name}: {error}");
            assert!(error.contains(told), "{name}: {error}");
            upstream.clear();
        }
        service.embed(&texts(1));

        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", gone.local_addr().unwrap());
        drop(gone);
        let (status, body) = Service::start(name, &["--upstream", &url]).ask(ONE_TEXT);
        assert_eq!(status, 502, "{name}: {body}");
        assert!(error_of(&body).contains("no connection"), "{name}: {body}");
    }
}

#[test]
fn an_upstream_that_is_too_slow_is_a_gateway_timeout() {
    for name in SERVICES {
        let upstream = hanging_mock();
        let service = Service::asking(name, &upstream, &["--timeout", "1"]);
        let (status, body) = service.ask(ONE_TEXT);
        assert_eq!(status, 504, "{name}: {body}");
        eventually_in_flight(&upstream, 0);
    }
}

#[test]
fn a_caller_that_hangs_up_ends_its_requests_upstream_and_no_other_s() {
    for name in SERVICES {
        let upstream = hanging_mock();
        let service = Service::asking(name, &upstream, &[]);
        let leaves = service.send(&json!({ "texts": texts(300) }).to_string());
        eventually_in_flight(&upstream, 3);
        let stays = service.send(ONE_TEXT);
        eventually_in_flight(&upstream, 4);
        drop(leaves);
        eventually("its requests are aborted", || upstream.stats().aborted == 3);
        assert_eq!(upstream.stats().in_flight, 1, "{name}");
        drop(stays);
        eventually_closed(&upstream);

        service.signal("-TERM");
        let (status, said) = service.end();
        assert_eq!(status.code(), Some(0), "{name}");
        let last = "4 requests were sent, 4 of them aborted";
        assert_eq!(said.last().map(String::as_str), Some(last), "{name}");
    }
}

#[test]
fn a_service_that_is_told_to_stop_ends_what_is_under_way_and_then_itself() {
    for name in SERVICES {
        for signal in ["-INT", "-TERM"] {
            let upstream = slow_mock(Latency::Fixed(Duration::from_millis(500)));
            let service = Service::asking(name, &upstream, &["--grace", "60"]);
            // A connection without a request holds nothing up.
            let _idle = TcpStream::connect(&service.address).unwrap();
            let caller = service.send(&json!({ "texts": texts(2) }).to_string());
            eventually_in_flight(&upstream, 1);
            service.signal(signal);
            check(&texts(2), &answer(caller));
            let (status, said) = service.end();
            assert_eq!(status.code(), Some(0), "{name} {signal}");
            assert_eq!(said[0], "stopping", "{name} {signal}");
        }
    }
}

#[test]
fn what_outlasts_the_grace_of_a_stopping_service_is_unavailable() {
    for name in SERVICES {
        let upstream = hanging_mock();
        let service = Service::asking(name, &upstream, &["--grace", "0"]);
        let caller = service.send(ONE_TEXT);
        eventually_in_flight(&upstream, 1);
        service.signal("-INT");
        let (status, body) = answer(caller);
        assert_eq!(status, 503, "{name}: {body}");
        assert!(error_of(&body).contains("shut down"), "{name}: {body}");
        assert_eq!(service.end().0.code(), Some(0), "{name}");
        eventually_closed(&upstream);
    }
}

#[test]
fn a_service_whose_port_is_taken_says_so() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for name in SERVICES {
        let output = example(name).args(["--port", &port]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("cannot listen at") && said.contains(&port),
            "{said}"
        );
    }
}

#[derive(Deserialize)]
struct Row {
    line: usize,
    embedding: Vec<f32>,
}

/// Checks what `threads --output` wrote of `text`: each line that is not empty, once.
fn check_rows(path: &PathBuf, text: &str) {
    let written = std::fs::read_to_string(path).unwrap();
    let rows = written.lines().map(serde_json::from_str);
    let mut rows: Vec<Row> = rows.collect::<Result<_, _>>().unwrap();
    rows.sort_by_key(|row| row.line);
    let lines = (1..).zip(text.lines());
    let full: Vec<(usize, &str)> = lines.filter(|(_, line)| !line.trim().is_empty()).collect();
    assert_eq!(rows.len(), full.len());
    for (row, (number, line)) in rows.iter().zip(full) {
        assert_eq!(row.line, number);
        assert_eq!(row.embedding, embedding_of(line, 8), "{line}");
    }
}

fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn threads_embed_a_file_and_share_one_client() {
    let upstream = MockServer::start().unwrap();
    let path = temporary("threads-file.jsonl");
    let output = example("threads")
        .args(["examples/data/paradise_lost.txt", "--lines", "100"])
        .args(["--threads", "3", "--upstream", &upstream.url(), "--output"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = std::fs::read_to_string("examples/data/paradise_lost.txt").unwrap();
    check_rows(&path, &text);
    let full = text.lines().filter(|line| !line.trim().is_empty()).count();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with(&format!("{full} lines x 8 in ")), "{said}");
    assert!(said.contains("3 threads"), "{said}");
    let progress = String::from_utf8(output.stderr).unwrap();
    assert!(
        progress.contains(&format!("{full} lines are embedded")),
        "{progress}"
    );
    let stats = upstream.stats();
    assert_eq!(stats.requests, full.div_ceil(100) as u64);
    assert!(stats.connections_total < stats.requests, "{stats:?}");
}

#[test]
fn threads_embed_their_standard_input() {
    let path = temporary("threads-stdin.jsonl");
    let text = "one\n\n  \ntwo\nthree";
    let mut child = example("threads")
        .args(["--lines", "1", "--output"])
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut running = Running(child);
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    assert!(running.0.wait().unwrap().success());
    assert!(said.starts_with("3 lines x 8 in "), "{said}");
    check_rows(&path, text);
}

#[test]
fn the_first_failure_of_a_thread_ends_the_calls_of_all() {
    let upstream = MockServer::start().unwrap();
    upstream.inject(
        Rule::on("/v1/embeddings", Fault::status(401))
            .after(1)
            .times(1),
    );
    upstream.inject(Rule::on("/v1/embeddings", Fault::Hang));
    let output = example("threads")
        .args([
            "examples/data/paradise_lost.txt",
            "--upstream",
            &upstream.url(),
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("401"), "{said}");
    eventually_closed(&upstream);
}

#[test]
fn threads_without_their_text_say_what_is_missing() {
    let output = example("threads").arg("/nowhere.txt").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/nowhere.txt"), "{said}");
}
