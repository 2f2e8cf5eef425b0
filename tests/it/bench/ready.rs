//! Waiting for a service before its load.

use super::command::{batchbench, code, file};
use super::refusals::assert_refused;
use super::{ANSWER, users};
use crate::support::hostile::{Hostile, Visit, header};
use crate::support::tinyproxy::Tinyproxy;
use hedgerow::bench::{Progress, run_blocking};
use hedgerow::mock::{MockConfig, MockServer};
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const KEY: &str = "sk-ready-55c1";

fn is_probe(visit: &Visit<'_>) -> bool {
    visit.head.starts_with("GET ")
}

/// Refuses so many probes, which give the key back, and everything that comes before it is ready.
fn ready_after(refusals: usize) -> Hostile {
    Hostile::start(move |visit| {
        if !is_probe(visit) {
            assert!(visit.number > refusals, "a request before it was ready");
            return visit.answer("200 OK", "", ANSWER);
        }
        if visit.number >= refusals {
            return visit.answer("200 OK", "", "{}");
        }
        let key = header(&visit.head, "authorization").unwrap_or_default();
        let body = format!("loading for {key}");
        visit.answer("503 Service Unavailable", "", body)
    })
}

/// An address where nothing listens.
fn nowhere() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    free.expect("a free port")
}

fn waiting(host: &str, span: &str) -> Command {
    let mut command = batchbench();
    command
        .args(["--input-tokens", "5", "--no-calibration", "--users", "2"])
        .args(["--api-key", KEY, "--header", "x-mine: 1"])
        .args(["--host", host, "--wait-ready", span]);
    command
}

#[test]
fn the_load_begins_when_the_service_is_ready() {
    let server = ready_after(2);
    let output = waiting(&server.url(), "20s").output().unwrap();
    assert_eq!(code(&output), Some(0), "{output:?}");
    let heads = server.heads();
    assert_eq!(heads.len(), 5, "{heads:?}");
    for head in &heads[..3] {
        assert!(head.starts_with("GET /health HTTP/1.1\r\n"), "{head}");
        let bearer = format!("Bearer {KEY}");
        assert_eq!(header(head, "authorization"), Some(&*bearer));
        assert_eq!(header(head, "x-mine"), Some("1"));
        assert_eq!(header(head, "host"), Some(&*server.address().to_string()));
        assert_eq!(header(head, "connection"), Some("close"));
    }
    assert!(
        heads[3].starts_with("POST /v1/chat/completions "),
        "{heads:?}"
    );
}

#[test]
fn a_path_of_ones_own_is_asked_for_at_the_endpoint_s_origin() {
    let server = ready_after(0);
    let endpoint = format!("{}/deep/v1/chat/completions?x=1", server.url());
    let output = waiting("http://127.0.0.1:9", "5s")
        .args(["--endpoint", &endpoint, "--ready-path", "/v1/up?deep=1"])
        .output()
        .unwrap();
    assert_eq!(code(&output), Some(0), "{output:?}");
    let heads = server.heads();
    assert!(
        heads[0].starts_with("GET /v1/up?deep=1 HTTP/1.1\r\n"),
        "{heads:?}"
    );
}

#[test]
fn the_proxy_of_the_run_is_asked() {
    let server = ready_after(0);
    let proxy = Tinyproxy::start("");
    let output = waiting(&server.url(), "5s")
        .args(["--proxy", &proxy.url()])
        .output()
        .unwrap();
    assert_eq!(code(&output), Some(0), "{output:?}");
    let line = format!("GET {}/health HTTP/1.1", server.url());
    assert_eq!(proxy.requests().first(), Some(&line));
}

#[test]
fn a_service_that_is_not_there_yet_is_waited_for() {
    let address = nowhere();
    let child = waiting(&format!("http://{address}"), "20s")
        .spawn()
        .unwrap();
    let mut child = crate::support::program::Running(child);
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.0.try_wait().unwrap().is_none(), "it does not wait");
    let config = MockConfig {
        addr: address,
        ..MockConfig::default()
    };
    let server = MockServer::start_with(config).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    assert_eq!(
        server.stats().per_path.get("/v1/chat/completions"),
        Some(&2)
    );
}

#[test]
fn a_service_that_never_is_ready_ends_the_wait_in_time_and_in_words() {
    let server = ready_after(usize::MAX);
    let address = nowhere();
    for (host, last) in [
        (server.url(), "503 Service Unavailable: loading for ***"),
        (format!("http://{address}"), "refused"),
    ] {
        let began = Instant::now();
        let output = waiting(&host, "1500ms").output().unwrap();
        let took = began.elapsed();
        assert_eq!(code(&output), Some(1), "{output:?}");
        assert!(took >= Duration::from_millis(1500), "{took:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        for part in [
            &*format!("GET {host}/health was sent "),
            "1.5 s",
            last,
            "wait longer",
        ] {
            assert!(said.contains(part), "{part} is missing: {said}");
        }
        // After a second it says what it waits for.
        assert!(said.contains("1s  waiting for "), "{said}");
        assert!(!said.contains(KEY), "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_service_that_accepts_and_says_nothing_ends_no_later() {
    let server = Hostile::start(|visit| visit.stall_after(""));
    let began = Instant::now();
    let output = waiting(&server.url(), "700ms")
        .arg("--quiet")
        .output()
        .unwrap();
    let took = began.elapsed();
    assert_eq!(code(&output), Some(1), "{output:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no whole answer within 0.7"), "{said}");
    assert!(said.contains("was sent once in 0.7 s"), "{said}");
}

#[test]
fn a_redirect_is_told_of_and_no_key_goes_where_it_leads() {
    let other = Hostile::start(|visit| visit.answer("200 OK", "", ""));
    let location = format!("location: {}/health\r\n", other.url());
    let server = Hostile::start(move |visit| visit.answer("307 Temporary Redirect", &location, ""));
    let output = waiting(&server.url(), "1s")
        .arg("--quiet")
        .output()
        .unwrap();
    assert_eq!(code(&output), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let part = format!(
        "307 Temporary Redirect to {}/health, which is not followed",
        other.url()
    );
    assert!(said.contains(&part), "{said}");
    assert_eq!(other.connections(), 0);
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_wait_at_once_and_nothing_is_sent() {
    let server = Hostile::start(|visit| visit.stall_after(""));
    let report = file("ready.json", "");
    let child = waiting(&server.url(), "10m")
        .arg("--report-json")
        .arg(&report)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    crate::support::eventually("it asks", || server.requests() == 1);
    let began = Instant::now();
    super::interrupts::signal("INT", child.id());
    let output = child.wait_with_output().unwrap();
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(code(&output), Some(1), "{output:?}");
    assert_eq!(server.requests(), 1);
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(json["interrupted"], true);
    assert_eq!(json["requests"]["planned"], 0);
    assert!(
        json["notes"].to_string().contains("ready"),
        "{}",
        json["notes"]
    );
}

#[test]
fn a_search_waits_once() {
    let server = ready_after(1);
    let output = batchbench()
        .args(["search", "--input-tokens", "5", "--no-calibration"])
        .args(["--host", &server.url(), "--wait-ready", "10s"])
        .args(["--from-rate", "20", "--to-rate", "20", "--repeats", "1"])
        .args(["--trial", "200ms", "--slo", "error_rate<50%"])
        .output()
        .unwrap();
    assert_eq!(code(&output), Some(0), "{output:?}");
    let heads = server.heads();
    let probes = heads.iter().filter(|head| head.starts_with("GET "));
    assert_eq!(probes.count(), 2);
    assert!(heads.len() > 2, "{heads:?}");
}

#[test]
fn the_library_waits_and_tells_of_it() {
    let server = Hostile::start(|visit| {
        let begun = visit.number > 0;
        if is_probe(visit) && !begun {
            visit.pause(Duration::from_millis(1500));
        }
        visit.answer("200 OK", "", ANSWER)
    });
    let told = Arc::new(Mutex::new(Vec::<Progress>::new()));
    let list = Arc::clone(&told);
    let config = users(&server.url(), 1, 1)
        .with_wait_ready(Duration::from_secs(20), "/health")
        .with_progress(move |progress| list.lock().unwrap().push(progress.clone()));
    let report = run_blocking(&config).unwrap();
    assert_eq!(report.requests.succeeded, 1);
    // The wait is no part of the run.
    assert!(report.duration_s < 1.0, "{}", report.duration_s);
    let told = told.lock().unwrap();
    let first = &told[0];
    assert!(first.elapsed >= Duration::from_secs(1), "{first:?}");
    let what = first.waiting_for.as_deref().unwrap();
    assert!(what.contains(&format!("{}/health", server.url())), "{what}");
    assert_eq!(told.last().unwrap().waiting_for, None);
}

#[test]
fn a_run_that_is_not_ready_in_time_ran_out_of_time() {
    let address = nowhere();
    let config = users(&format!("http://{address}"), 1, 1)
        .with_wait_ready(Duration::from_millis(50), "/health");
    let error = run_blocking(&config).unwrap_err();
    assert!(error.is_timeout() && !error.is_config(), "{error:?}");
}

#[test]
fn bad_settings_are_refused_by_name_value_and_range() {
    let hours = |hours| Duration::from_hours(hours);
    for (span, path, parts) in [
        (
            Duration::ZERO,
            "/health",
            ["wait_ready must be above 0 s", "got 0 s"],
        ),
        (
            hours(721),
            "/health",
            ["wait_ready must be at most 30 days", "got 2595600 s"],
        ),
        (
            hours(1),
            "health?key=secret",
            ["ready_path must begin with /", "got \"health\""],
        ),
        (hours(1), "", ["ready_path must begin with /", "got \"\""]),
    ] {
        let config = users("http://127.0.0.1:9", 1, 1).with_wait_ready(span, path);
        let error = run_blocking(&config).unwrap_err();
        assert!(error.is_config(), "{error:?}");
        for part in parts {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
    for (flags, part) in [
        (&["--wait-ready", "0s"][..], "--wait-ready"),
        (&["--wait-ready", "721h"], "--wait-ready"),
        (&["--ready-path", "/up"], "--wait-ready"),
        (
            &["--wait-ready", "1s", "--ready-path", "up"],
            "--ready-path must begin",
        ),
    ] {
        let mut command = batchbench();
        command
            .args(["--input-tokens", "5", "--host", "http://127.0.0.1:9"])
            .args(flags);
        assert_refused(&mut command, flags, &[part]);
    }
}
