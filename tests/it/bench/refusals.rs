//! The command: each value that it refuses is named with its flag and what is allowed.

use super::command::{batchbench, code, file, records};
use std::path::Path;
use std::process::Command;

/// Runs the command on a file of one record, and looks for what it must say.
fn refuses(jsonl: &Path, flags: &[&str], parts: &[&str]) {
    let mut command = batchbench();
    command.arg("--jsonl").arg(jsonl).args(flags);
    if !flags.contains(&"--host") {
        // Whatever is let through goes nowhere.
        command.args(["--host", "http://127.0.0.1:9"]);
    }
    assert_refused(&mut command, flags, parts);
}

/// Runs a command that has these flags, and looks for what it must say.
pub(super) fn assert_refused(command: &mut Command, flags: &[&str], parts: &[&str]) {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{flags:?}: {said}");
    for part in parts {
        assert!(said.contains(part), "{flags:?}: {part} is missing: {said}");
    }
}

#[test]
fn a_bad_value_is_refused_with_its_flag_and_its_range() {
    let jsonl = records("values", 1);
    for (flags, parts) in [
        (
            &["--users", "0"][..],
            &["--users", "'0'", "between 1 and 1000000"][..],
        ),
        (&["--requests-per-user", "0"], &["--requests-per-user", "0"]),
        (&["--rate", "0"], &["--rate", "'0'", "between"]),
        (
            &["--arrival", "sometimes"],
            &["--arrival", "sometimes", "poisson"],
        ),
        (
            &["--stages", "10:30s,x"],
            &["--stages", "'x'", "LEVEL:SPAN"],
        ),
        (
            &["--duration", "soon"],
            &["--duration", "soon", "ms, s, m or h"],
        ),
        (&["--kind", "poem"], &["--kind", "poem", "embeddings"]),
        (
            &["--request-timeout-secs", "0"],
            &["--request-timeout-secs", "between 0.1 and 3600"],
        ),
        (
            &["--max-retries", "101"],
            &["--max-retries", "between 0 and 100"],
        ),
        (
            &["--retry-delay-ms", "50000"],
            &["--retry-delay-ms", "between 0 and 45000"],
        ),
        (&["--slo", "speed<1"], &["--slo", "speed"]),
        (&["--header", "nonsense"], &["--header", "Name: value"]),
    ] {
        refuses(&jsonl, flags, parts);
    }
}

#[test]
fn a_bad_header_is_refused_without_its_value() {
    let jsonl = records("headers", 1);
    for (given, said) in [
        ("sk-secret", "a header is `Name: value`"),
        (
            "authorization bearer sk-secret",
            "a header is `Name: value`",
        ),
        (
            "bearer sk-secret: x",
            "before the colon is no header's name",
        ),
        (
            "x-key: sk-secret\u{7f}",
            "the value of x-key is no header's",
        ),
    ] {
        let mut command = batchbench();
        command.arg("--jsonl").arg(&jsonl).args(["--header", given]);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("--header") && text.contains(said), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn a_file_without_a_key_is_refused() {
    let jsonl = records("keys", 1);
    let empty = file("empty.key", " \n");
    let empty = empty.to_str().unwrap();
    for (flags, parts) in [
        (
            ["--api-key-file", "/no/such/file"],
            [
                "--api-key-file '/no/such/file' cannot be read",
                "No such file",
            ],
        ),
        (
            ["--api-key-file", empty],
            ["--api-key-file", "holds no key"],
        ),
    ] {
        refuses(&jsonl, &flags, &parts);
    }
    let both = ["--api-key", "sk-secret", "--api-key-file", empty];
    refuses(&jsonl, &both, &["--api-key-file", "cannot be used with"]);
}

#[test]
fn flags_that_do_not_go_together_are_refused_by_name() {
    let jsonl = records("together", 1);
    for (flags, parts) in [
        (&["--output-vary", "3"][..], &["--output-tokens"][..]),
        (&["--users", "3", "--rate", "5"], &["--users", "--rate"]),
        (&["--input-tokens", "5"], &["--input-tokens", "--jsonl"]),
        (&["--requests", "5"], &["--requests", "--rate"]),
        (
            &["--session-requests", "5"],
            &["--session-requests", "--rate or --stages"],
        ),
        (
            &["--session-requests", "0", "--rate", "1"],
            &["--session-requests", "'0'", "between 1 and 1000000"],
        ),
        (
            &["--think-time", "1s", "--rate", "1"],
            &["--think-time", "--session-requests", "1 s"],
        ),
        (&["--think-time", "-1s"], &["--think-time"]),
        (
            &["--kind", "embeddings", "--stream"],
            &["--stream", "chat, completions and raw", "embeddings"],
        ),
        (
            &["--kind", "rerank", "--output-tokens", "5"],
            &["--output-tokens", "rerank"],
        ),
        (&["--batch-size", "4"], &["--batch-size", "got 4", "chat"]),
        (&["--users", "-3"], &["--users", "'-3'", "between 1"]),
        (&["--stages", "-5:1s"], &["--stages", "'-5:1s'"]),
        (&["--stages", "0:1s"], &["--stages", "above 0", "got 0"]),
        (&["--prompts", "5"], &["--prompts", "--jsonl"]),
        (&["--host", "ftp://h"], &["--host", "ftp://h", "http://"]),
        (&["--host", "http://h:99999"], &["http://h:99999", "port"]),
        (
            &["--hedge-delay", "2s", "--request-timeout-secs", "1"],
            &["--hedge-delay", "--request-timeout-secs", "2 s"],
        ),
        (&["--max-in-flight", "5"], &["--max-in-flight", "--rate"]),
        (&["--arrival", "constant"], &["--arrival", "--rate"]),
        (
            &["--hedge-delay", "p100"],
            &["--hedge-delay", "p100", "45ms and 1h", "p95"],
        ),
        (
            &["--hedge-delay", "10ms"],
            &["--hedge-delay", "10ms", "45ms and 1h"],
        ),
        (&["--host", "http://u:p@h"], &["password"]),
        (
            &["--report-json", "/nowhere/x.json"],
            &["--report-json", "/nowhere/x.json"],
        ),
        (
            &["--warmup", "5s", "--duration", "1s", "--drain", "9999h"],
            &["--drain"],
        ),
    ] {
        refuses(&jsonl, flags, parts);
    }
    let neither = batchbench().args(["--users", "1"]).output().unwrap();
    assert_eq!(code(&neither), Some(2));
}

#[test]
fn a_hostile_file_of_records_is_refused_by_its_line() {
    for (name, text, said) in [
        ("cut", "{\"text\":\"a\"}\n{\"text\":\"b", "line 2"),
        ("other", "{\"text\":\"a\"}\n[1]\n", "line 2"),
        ("typed", "{\"text\":7}", "line 1"),
        ("binary", "\u{0}\u{1}\u{2}", "line 1"),
        ("empty", "", "no record"),
        ("deep", &"[".repeat(100_000), "line 1"),
        ("kind", "{\"query\":\"q\",\"texts\":[]}", "record 1"),
    ] {
        let path = file(&format!("hostile-{name}"), text);
        let output = batchbench().arg("--jsonl").arg(&path).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {error}");
        assert!(error.contains(said), "{name}: {error}");
    }
    let output = batchbench()
        .args(["--jsonl", "/nowhere.jsonl"])
        .output()
        .unwrap();
    assert_eq!(code(&output), Some(2));
}

#[test]
fn a_search_refuses_what_says_nothing_in_it() {
    for (flags, part) in [
        (&["--rate", "5"][..], "--rate"),
        (&["--users", "5"], "--users"),
        (&["--requests", "5"], "--requests"),
        (&["--report-html", "x.html"], "--report-html"),
        (&["--report-json", "/nowhere/x.json"], "/nowhere/x.json"),
        (&["--strict"], "--strict"),
        (
            &["--from-rate", "9", "--to-rate", "5"],
            "--to-rate (got 9 and 5)",
        ),
        (&["--precision", "0"], "--precision"),
        (&["--repeats", "x"], "--repeats"),
    ] {
        let mut command = batchbench();
        command
            .args(["search", "--input-tokens", "5", "--slo", "error_rate<1%"])
            .args(["--host", "http://127.0.0.1:9"])
            .args(flags);
        assert_refused(&mut command, flags, &[part]);
    }
}
