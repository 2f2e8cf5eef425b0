//! The command and signals: Ctrl-C, and a client that does not get to run.

use super::command::{batchbench, code, file, records};
use crate::support::program::Running;
use crate::support::{eventually, hanging_mock, slow_mock};
use hedgerow::mock::{Latency, MockServer};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::Duration;

pub(super) fn signal(name: &str, process: u32) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn an_interrupt_prints_the_report_of_what_was_done() {
    let server = slow_mock(Latency::Fixed(Duration::from_millis(20)));
    let report = file("interrupted.json", "");
    let child = batchbench()
        .arg("--jsonl")
        .arg(records("interrupted", 5))
        .args([
            "--host",
            &server.url(),
            "--no-calibration",
            "--duration",
            "10m",
            "--users",
            "4",
        ])
        .arg("--report-json")
        .arg(&report)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("some are answered", || server.stats().answered > 10);
    signal("INT", child.id());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), Some(0), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("VALID"));
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(json["interrupted"], true);
    let counted = |key: &str| json["requests"][key].as_u64().unwrap();
    // Those that four users have not read yet are cut.
    assert!(counted("succeeded") > 6);
    assert_eq!(counted("planned"), counted("sent") + counted("dropped"));
    assert!(counted("cancelled") <= 4);
}

#[test]
fn an_interrupt_does_not_wait_for_a_server_that_hangs() {
    let server = hanging_mock();
    let child = batchbench()
        .args([
            "--input-tokens",
            "5",
            "--users",
            "3",
            "--host",
            &server.url(),
        ])
        .args(["--no-calibration", "--quiet"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("all hang", || server.stats().in_flight == 3);
    signal("INT", child.id());
    let mut running = Running(child);
    eventually("it ends", || running.0.try_wait().unwrap().is_some());
    assert_eq!(
        running.0.wait().unwrap().code(),
        Some(1),
        "nothing succeeded"
    );
}

/// Rules 12 and 13: a client that did not get to run was the bottleneck, and its report says so
/// first.
#[test]
fn a_client_that_was_stopped_for_a_while_says_so_in_its_first_line() {
    let server = MockServer::start().unwrap();
    let child = batchbench()
        .arg("--jsonl")
        .arg(records("strict", 5))
        .args([
            "--host",
            &server.url(),
            "--no-calibration",
            "--quiet",
            "--strict",
        ])
        .args([
            "--rate",
            "200",
            "--duration",
            "1500ms",
            "--arrival",
            "constant",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("it has begun", || server.stats().requests > 20);
    signal("STOP", child.id());
    std::thread::sleep(Duration::from_millis(500));
    signal("CONT", child.id());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), Some(4), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let first = text.lines().next().unwrap();
    assert!(
        first.starts_with("NOT VALID: the client was the bottleneck"),
        "{text}"
    );
}
