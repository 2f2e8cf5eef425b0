//! Heads: odd ones that are understood, and bad ones that are refused.

use super::{ask_once, is_a_network_error, is_broken, is_retried, is_right, is_told, no_retries};
use crate::support::hostile::{Act, Hostile, Next, Visit, assert_right};
use crate::support::{client_of, eventually, texts};
use hedgerow::{Embed, Preference};

#[test]
fn a_body_that_ends_with_its_connection_is_read() {
    for head in [
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n\r\n",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200\r\ncontent-type: application/json\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n",
        "HTTP/1.1 200 OK\nserver: old\n\n",
    ] {
        let server = Hostile::start(move |visit| {
            let body = visit.rows();
            visit.write(head);
            visit.end_with(body)
        });
        is_right(&server, 3);
        assert_eq!(server.connections(), 3, "{head}");
    }
}

#[test]
fn a_refusal_that_ends_with_its_connection_keeps_its_status() {
    let server = Hostile::start(|visit| {
        visit.end_with("HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\nno such key")
    });
    is_told(&server, 401, "no such key");
}

#[test]
fn informational_answers_are_passed_over() {
    for before in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\ncontent-length: 3\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
    ] {
        let server = Hostile::start(move |visit| {
            visit.write(before);
            visit.right()
        });
        is_right(&server, 3);
        assert_eq!(server.connections(), 1, "{before}");
    }
}

#[test]
fn an_answer_after_an_informational_one_is_not_taken_for_that_of_another_request() {
    // Both heads come apart, so that a client that stops at the first has the second still to
    // come when its connection goes to the next request.
    let server = Hostile::start(|visit| {
        visit.write("HTTP/1.1 100 Continue\r\n\r\n");
        visit.pause(std::time::Duration::from_millis(20));
        visit.right()
    });
    let each = Preference {
        max_concurrent_requests: 2,
        batch_size: 1,
        ..no_retries()
    };
    let call = Embed::new(texts(12), "m").preference(each);
    let found = client_of(&server.url()).embed(call).expect("answered");
    assert_right(&found, 0, 12);
    assert_eq!(server.requests(), 12);
}

#[test]
fn a_head_in_single_bytes_is_read() {
    let server = Hostile::start(|visit| {
        let body = visit.rows();
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        for byte in head.as_bytes() {
            visit.write([*byte]);
        }
        visit.write(body);
        Next::Keep
    });
    is_right(&server, 3);
    assert_eq!(server.connections(), 1);
}

/// So many headers, with values of such a length.
fn headers(count: usize, length: usize) -> String {
    let line = |number| format!("x-{number}: {}\r\n", "v".repeat(length));
    (0..count).map(line).collect::<Vec<_>>().concat()
}

/// Answers with `line` among the headers of an answer that is right but for it.
fn with_line(visit: &mut Visit<'_>, line: &str) -> Next {
    let body = visit.rows();
    visit.answer("200 OK", line, body)
}

#[test]
fn a_head_of_80_headers_and_60_kb_is_read() {
    let server = Hostile::start(|visit| {
        let many = headers(80, 700);
        with_line(visit, &many)
    });
    let found = ask_once(&server, &no_retries()).expect("large and right");
    assert_right(&found, 0, 1);
    assert_eq!(
        found.requests()[0].headers.get("x-79").map(str::len),
        Some(700)
    );
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_head_of_1024_headers_is_read() {
    for count in [128, 129, 1023] {
        let server = Hostile::start(move |visit| {
            let many = headers(count, 1);
            with_line(visit, &many)
        });
        is_right(&server, 2);
    }
}

#[test]
fn empty_elements_of_a_list_of_codings_count_for_nothing() {
    for coding in ["chunked,", ", chunked", "chunked, ,"] {
        let server = Hostile::start(move |visit| {
            let body = visit.rows();
            let head = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n");
            visit.write(format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
            Next::Keep
        });
        is_right(&server, 2);
        assert_eq!(server.connections(), 1, "{coding}");
    }
}

#[test]
fn heads_that_are_no_http_are_network_errors() {
    let scripts: [Act; 9] = [
        |visit| with_line(visit, "no colon in this line\r\n"),
        |visit| with_line(visit, "x-folded: one\r\n two\r\n"),
        |visit| with_line(visit, "bad name: 1\r\n"),
        |visit| with_line(visit, "x-nul: \0\r\n"),
        |visit| with_line(visit, "content-length: 7\r\n"),
        |visit| visit.end_with("HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n{}"),
        |visit| visit.end_with("{\"data\": []}\r\n\r\n"),
        |visit| visit.end_with([0, 159, 146, 150, 13, 10, 13, 10]),
        |visit| visit.end_with("SSH-2.0-OpenSSH_9.6\r\n"),
    ];
    for script in scripts {
        is_retried(script);
        is_a_network_error(script);
    }
}

#[test]
fn an_empty_answer_is_a_network_error() {
    is_retried(|_| Next::Close);
    let error = is_a_network_error(|_| Next::Close);
    assert!(error.to_string().contains("before it answered"), "{error}");
}

#[test]
fn too_many_or_too_long_headers_are_network_errors() {
    is_a_network_error(|visit| {
        let many = headers(1024, 1);
        with_line(visit, &many)
    });
    is_a_network_error(|visit| {
        let long = format!("x-long: {}\r\n", "v".repeat(200 << 10));
        with_line(visit, &long)
    });
}

#[test]
fn a_head_without_end_is_given_up_and_not_kept_in_memory() {
    let server = Hostile::start(|visit| {
        visit.write("HTTP/1.1 200 OK\r\n");
        let line = format!("x-more: {}\r\n", "v".repeat(1000));
        for _ in 0..1000 {
            visit.write(&line);
        }
        visit.stall_after("")
    });
    is_broken(&server);
    eventually("the client closes", || server.open() == 0);
}

#[test]
fn a_header_of_100_kb_is_read() {
    let server = Hostile::start(|visit| {
        let long = format!("x-long: {}\r\n", "v".repeat(100 << 10));
        with_line(visit, &long)
    });
    is_right(&server, 1);
}

#[test]
fn header_values_that_are_not_ascii_are_read() {
    let server = Hostile::start(|visit| {
        let body = visit.rows();
        let length = body.len();
        visit.write("HTTP/1.1 200 OK\r\nx-name: f\u{fc}r\r\nx-latin: ");
        visit.write(b"f\xfcr\r\n");
        visit.write(format!("content-length: {length}\r\n\r\n{body}"));
        Next::Keep
    });
    let found = ask_once(&server, &no_retries()).expect("odd and right");
    let headers = &found.requests()[0].headers;
    assert_eq!(headers.get("x-name"), Some("für"));
    assert_eq!(headers.get("x-latin"), Some("für"));
}
