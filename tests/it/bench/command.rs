//! The command as people run it: exit codes, and what comes out.

use crate::support::h2_server::H2Server;
use crate::support::{in_some_try, near};
use hedgerow::mock::{Fault, MockServer, Rule};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

pub(super) fn batchbench() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_batchbench"));
    command.env_remove("OPENAI_API_KEY");
    command
}

/// A file of its own for a test.
pub(super) fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("command-{name}"));
    std::fs::write(&path, text).unwrap();
    path
}

pub(super) fn records(name: &str, count: usize) -> PathBuf {
    let lines = (0..count).map(|number| format!("{{\"text\":\"text {number}\"}}\n"));
    file(&format!("{name}.jsonl"), &lines.collect::<String>())
}

fn run(server: &MockServer, name: &str, flags: &[&str]) -> Output {
    batchbench()
        .arg("--jsonl")
        .arg(records(name, 5))
        .args(["--host", &server.url(), "--no-calibration", "--quiet"])
        .args(flags)
        .output()
        .unwrap()
}

pub(super) fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn the_old_flags_run_as_before() {
    let server = MockServer::start().unwrap();
    let report = file("old.json", "");
    let output = batchbench()
        .arg("--jsonl")
        .arg(records("old", 5))
        .args(["--users", "8", "--model", "m", "--host", &server.url()])
        .args([
            "--endpoint",
            "/v1/chat/completions",
            "--requests-per-user",
            "3",
        ])
        .args([
            "--api-key",
            "sk-secret",
            "--request-timeout-secs",
            "60",
            "--max-retries",
            "2",
        ])
        .args([
            "--retry-delay-ms",
            "250",
            "--output-tokens",
            "9",
            "--output-vary",
            "3",
        ])
        .arg("--report-json")
        .arg(&report)
        .output()
        .unwrap();
    assert_eq!(code(&output), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("VALID") || text.starts_with("NOT VALID"),
        "{text}"
    );
    let stats = server.stats();
    assert_eq!(stats.per_path.get("/v1/chat/completions"), Some(&24));
    assert_eq!(stats.per_key.get("sk-secret"), Some(&24));
    let json = std::fs::read_to_string(&report).unwrap();
    assert!(!json.contains("sk-secret") && !text.contains("sk-secret"));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["requests"]["succeeded"], 24);
    assert!(
        json["notes"].to_string().contains("round-robin"),
        "{}",
        json["notes"]
    );
    let tokens = json["tokens"]["completion"].as_u64().unwrap();
    assert!((24 * 6..=24 * 12).contains(&tokens), "{tokens}");
}

#[test]
fn a_key_comes_from_a_file_or_the_environment_without_a_word_of_it() {
    let server = MockServer::start().unwrap();
    let path = file("a.key", "sk-of-a-file\n");
    let of_file = run(
        &server,
        "key-file",
        &["--api-key-file", path.to_str().unwrap()],
    );
    assert_eq!(code(&of_file), Some(0), "{of_file:?}");
    assert_eq!(server.stats().per_key.get("sk-of-a-file"), Some(&5));
    assert!(of_file.stderr.is_empty(), "{of_file:?}");
    let given = run(&server, "key-given", &["--api-key", "sk-given"]);
    assert_eq!(server.stats().per_key.get("sk-given"), Some(&5));
    let warned = String::from_utf8(given.stderr).unwrap();
    assert!(warned.starts_with("warning: ") && warned.contains("--api-key-file"));
    assert!(!warned.contains("sk-"), "{warned}");
}

/// Rule 12.
#[test]
fn exit_codes_say_how_a_run_went() {
    let server = MockServer::start().unwrap();
    assert_eq!(code(&run(&server, "fine", &[])), Some(0));
    assert_eq!(
        code(&run(&server, "kept", &["--slo", "error_rate<1%"])),
        Some(0)
    );
    let broken = run(&server, "broken", &["--slo", "latency_max<1us"]);
    assert_eq!(code(&broken), Some(3), "{broken:?}");
    server.inject(Rule::on("/", Fault::status(401)));
    let none = run(&server, "none", &["--slo", "error_rate<1%"]);
    assert_eq!(
        code(&none),
        Some(1),
        "no success weighs more than a threshold: {none:?}"
    );
    let text = String::from_utf8(none.stdout).unwrap();
    assert!(text.contains("http_401"), "{text}");
}

#[test]
fn a_host_that_is_not_there_ends_in_code_1() {
    let output = batchbench()
        .args([
            "--input-tokens",
            "5",
            "--users",
            "2",
            "--no-calibration",
            "--quiet",
        ])
        .args(["--host", "http://127.0.0.1:9", "--max-retries", "1"])
        .output()
        .unwrap();
    assert_eq!(code(&output), Some(1), "{output:?}");
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("connect")
    );
}

#[test]
fn a_search_finds_the_rate_that_a_service_holds() {
    let server = MockServer::start().unwrap();
    // More than four at once are refused; each takes 250 ms: about 16 requests a second.
    server.inject(Rule::on("/", Fault::status(400)).above_in_flight(4));
    server.inject(Rule::on("/", Fault::Delay(Duration::from_millis(250))));
    let mut search = batchbench();
    search
        .args(["search", "--input-tokens", "5", "--no-calibration"])
        .args(["--host", &server.url(), "--slo", "error_rate<0.1%"])
        .args(["--trial", "800ms", "--from-rate", "4"])
        .args(["--arrival", "constant", "--precision", "0.5"])
        .args(["--repeats", "1"]);
    in_some_try(|| {
        let output = search.output().unwrap();
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let told = String::from_utf8(output.stderr.clone()).unwrap();
        assert!(told.contains("does not hold"), "{text}{told}");
        // On a machine that is busy all the time no rate holds.
        if code(&output) != Some(0) || !told.contains("again") {
            return Err(format!("{output:?}"));
        }
        let rate: f64 = text.split(' ').next().unwrap().parse().unwrap();
        near("the rate", rate, 16.0, 14.0)
    });
}

#[test]
fn sessions_and_thoughts_are_run_and_shown() {
    let server = MockServer::start().unwrap();
    let page = file("sessions.html", "");
    let flags = [
        "--rate",
        "100",
        "--session-requests",
        "2",
        "--think-time",
        "10ms",
    ];
    let mut flags = flags.to_vec();
    flags.extend(["--report-html", page.to_str().unwrap()]);
    let output = run(&server, "sessions", &flags);
    assert_eq!(code(&output), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let model = "partly open, poisson arrivals, 100 sessions/s of 2 requests, think time 0.01 s";
    assert!(text.replace("\n          ", " ").contains(model), "{text}");
    assert!(std::fs::read_to_string(&page).unwrap().contains(model));
    // Each of the five records once: the last session has one request.
    assert_eq!(server.stats().requests, 5);
}

#[test]
fn reports_are_compared_and_merged() {
    let server = MockServer::start().unwrap();
    let reports = ["one", "two"].map(|name| {
        let path = file(&format!("{name}.json"), "");
        let shown = path.to_str().unwrap().to_owned();
        let output = run(
            &server,
            name,
            &["--report-json", &shown, "--requests-per-user", "20"],
        );
        assert_eq!(code(&output), Some(0), "{output:?}");
        shown
    });
    let merged = file("merged.json", "");
    let output = batchbench()
        .arg("merge")
        .args(&reports)
        .arg("--report-json")
        .arg(&merged)
        .output()
        .unwrap();
    assert_eq!(code(&output), Some(0), "{output:?}");
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&merged).unwrap()).unwrap();
    assert_eq!(json["requests"]["succeeded"], 200);
    let same = batchbench()
        .arg("compare")
        .args([&reports[0], &reports[0]])
        .output()
        .unwrap();
    assert_eq!(code(&same), Some(0), "{same:?}");
    let broken = file("broken.json", "{}");
    let output = batchbench()
        .arg("compare")
        .arg(&reports[0])
        .arg(&broken)
        .output()
        .unwrap();
    assert_eq!(code(&output), Some(2), "{output:?}");
}

#[test]
fn http2_and_a_proxy_can_be_asked_for() {
    let server = H2Server::honest();
    let run = |flags: &[&str]| {
        batchbench()
            .arg("--jsonl")
            .arg(records("http2", 5))
            .args(["--kind", "embeddings", "--no-calibration", "--quiet"])
            .args(["--requests-per-user", "4"])
            .args(flags)
            .output()
            .unwrap()
    };
    let output = run(&["--host", &server.url(), "--http2"]);
    assert_eq!(code(&output), Some(0), "{output:?}");
    assert_eq!(server.requests(), 20);

    // The mock stands where a proxy does; it is asked for the whole URL, which it does not know.
    let proxy = MockServer::start().unwrap();
    let output = run(&["--host", "http://nowhere.test", "--proxy", &proxy.url()]);
    assert_eq!(code(&output), Some(1), "{output:?}");
    assert!(proxy.stats().requests >= 20);

    let output = run(&["--host", "http://h", "--proxy", "socks5://u:secret@h"]);
    assert_eq!(code(&output), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("proxy") && !said.contains("secret"), "{said}");
}
