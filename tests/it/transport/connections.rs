//! Making connections, keeping them, and losing them between requests.

use super::{ask, ask_once, is_right, no_retries, preference, retries};
use crate::support::hostile::{Hostile, Next, assert_right, header};
use crate::support::{client_of, client_on, eventually, one_each, texts};
use hedgerow::{Embed, Preference};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const ROUNDS: usize = 8;

/// One text a request, so many at once, without retries.
fn window_of(requests: usize) -> Preference {
    Preference {
        max_concurrent_requests: requests,
        batch_size: 1,
        ..no_retries()
    }
}

#[test]
fn a_connection_closed_between_requests_is_not_noticed() {
    let server = Hostile::start(|visit| {
        visit.right();
        Next::Close
    });
    // A stale connection is nobody's fault. Where its end crosses the request, it may not be known
    // whether that was read, and it is a retry.
    let client = client_of(&server.url());
    for _ in 0..ROUNDS {
        let found = ask(&client, &retries(1)).expect("an answer that can be read");
        assert_right(&found, 0, 1);
    }
    let seen = (server.connections(), server.requests());
    assert_eq!(seen, (ROUNDS, ROUNDS));
}

#[test]
fn connections_that_died_together_while_idle_are_not_tried_one_after_the_other() {
    let server = Hostile::start(|visit| match visit.on_connection {
        0 => {
            visit.wait_for_requests(ROUNDS);
            visit.right()
        }
        _ => Next::Reset,
    });
    let client = client_of(&server.url());
    let call = Embed::new(texts(ROUNDS), "m").preference(window_of(ROUNDS));
    client
        .embed(call)
        .expect("each over a connection of its own");
    assert_eq!(server.connections(), ROUNDS);
    // It is the being idle that makes the difference, so there is nothing to wait for.
    std::thread::sleep(Duration::from_millis(600));
    let found = ask(&client, &retries(1)).expect("the retry gets a new connection");
    assert_right(&found, 0, 1);
    assert_eq!(found.requests()[0].attempts, 2);
    assert_eq!(
        (server.connections(), server.requests()),
        (ROUNDS + 1, ROUNDS + 2)
    );
    eventually("the others are closed", || server.open() == 1);
}

#[test]
fn requests_reuse_connections() {
    const REQUESTS: usize = 1000;
    const WINDOW: usize = 8;
    let server = Hostile::honest();
    let call = Embed::new(texts(REQUESTS), "m").preference(window_of(WINDOW));
    let found = client_of(&server.url())
        .embed(call)
        .expect("an honest server");
    assert_right(&found, 0, REQUESTS);
    assert_eq!(server.requests(), REQUESTS);
    // A connection is given back a moment after the answer has been, hence a few more.
    assert!(
        server.most_open() <= WINDOW + 2,
        "{} open",
        server.most_open()
    );
    assert!(
        server.connections() <= WINDOW + 4,
        "{} made",
        server.connections()
    );
}

#[test]
fn an_answer_that_says_close_ends_its_connection() {
    let server = Hostile::start(|visit| {
        let body = visit.rows();
        visit.answer("200 OK", "connection: close\r\n", body);
        assert!(visit.wait_for_close(), "no request follows a close");
        Next::Close
    });
    is_right(&server, ROUNDS);
    assert_eq!(server.connections(), ROUNDS);
    eventually("the client closes", || server.closed_by_client() == ROUNDS);
}

#[test]
fn more_than_a_hundred_requests_can_be_in_flight() {
    // The library's own limit is 100, over all hosts.
    const WINDOW: usize = 150;
    let server = Hostile::start(|visit| {
        visit.wait_for_requests(WINDOW);
        visit.right()
    });
    let call = Embed::new(texts(WINDOW), "m").preference(window_of(WINDOW));
    let found = client_of(&server.url()).embed(call);
    assert_right(
        &found.expect("all were sent before one was answered"),
        0,
        WINDOW,
    );
    assert_eq!((server.connections(), server.requests()), (WINDOW, WINDOW));
}

#[test]
fn a_head_that_takes_longer_than_five_seconds_is_waited_for() {
    // So long is the library's own patience.
    let server = Hostile::start(|visit| {
        visit.pause(Duration::from_millis(5300));
        visit.right()
    });
    let found = ask_once(&server, &no_retries()).expect("slow and right");
    assert_eq!(found.requests()[0].attempts, 1);
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_request_has_the_headers_that_it_should_have_and_no_others() {
    let server = Hostile::honest();
    ask_once(&server, &no_retries()).expect("an honest server");
    let heads = server.heads();
    let mut lines = heads[0].trim_end().lines();
    assert_eq!(lines.next(), Some("POST /v1/embeddings HTTP/1.1"));
    let mut names: Vec<&str> = lines
        .filter_map(|line| Some(line.split_once(':')?.0))
        .collect();
    names.sort_unstable();
    let expected = [
        "accept",
        "accept-encoding",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "request-deadline-ms",
        "request-timeout-ms",
        "user-agent",
        "x-baseten-customer-request-id",
    ];
    assert_eq!(names, expected);
}

#[test]
fn where_a_request_ends_is_not_the_caller_s_to_say() {
    let server = Hostile::honest();
    let headers = [("Transfer-Encoding", "chunked"), ("Content-Length", "1")];
    let own = Preference {
        extra_headers: headers.into(),
        ..no_retries()
    };
    ask_once(&server, &own).expect("an honest server");
    let head = server.heads().remove(0);
    assert_eq!(header(&head, "transfer-encoding"), None);
    assert_eq!(head.matches("content-length").count(), 1, "{head}");
    assert_ne!(header(&head, "content-length"), Some("1"));
}

#[test]
fn redirects_to_another_server_are_not_followed() {
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent",
    ] {
        let other = Hostile::honest();
        let elsewhere = format!("{}/v1/embeddings", other.url());
        let location = format!("location: {elsewhere}?key=sk-1\r\n");
        let server = Hostile::start(move |visit| visit.answer(status, &location, "elsewhere"));
        let error = ask_once(&server, &preference()).expect_err("a redirect is no answer");
        assert_eq!(error.status(), status[..3].parse().ok(), "{error}");
        let told = format!(" to {elsewhere}, which is not followed: elsewhere");
        assert!(error.to_string().contains(&told), "{error}");
        assert_eq!(server.requests(), 1, "{status}");
        assert_eq!(other.connections(), 0, "{status}: a key may have left");
    }
}

/// Sends each request on to `location`, but for those whose path is right.
fn sending_on(status: &'static str, location: &'static str, body: &'static str) -> Hostile {
    Hostile::start(move |visit| {
        if visit
            .head
            .starts_with("POST /v1/embeddings/?a=b HTTP/1.1\r\n")
        {
            return visit.right();
        }
        visit.answer(status, &format!("location: {location}\r\n"), body)
    })
}

#[test]
fn a_redirect_within_the_server_is_followed_with_method_and_body() {
    for status in ["307 Temporary Redirect", "308 Permanent Redirect"] {
        for body in ["", "<html>Moved</html>"] {
            let server = sending_on(status, "/v1/embeddings/?a=b#c", body);
            let client = client_of(&server.url());
            for _ in 0..2 {
                assert_right(&ask(&client, &no_retries()).expect("followed"), 0, 1);
            }
            assert_eq!(
                (server.requests(), server.connections()),
                (4, 1),
                "{status}"
            );
            let keys = server.heads();
            let keys = keys.iter().filter_map(|head| header(head, "authorization"));
            assert_eq!(keys.collect::<Vec<_>>(), ["Bearer sk-test-key"; 4]);
        }
    }
}

#[test]
fn a_redirect_that_leads_to_itself_is_followed_a_few_times() {
    let server = sending_on("308 Permanent Redirect", "/v1/embeddings", "");
    let error = ask_once(&server, &preference()).expect_err("a circle");
    assert_eq!(error.status(), Some(308), "{error}");
    assert_eq!(server.requests(), 4);
}

#[test]
fn other_redirects_are_not_followed() {
    for status in ["301 Moved Permanently", "302 Found", "303 See Other"] {
        let server = sending_on(status, "/v1/embeddings/?a=b", "");
        let error = ask_once(&server, &preference()).expect_err("another method");
        assert_eq!(error.status(), status[..3].parse().ok(), "{error}");
        assert_eq!(server.requests(), 1, "{status}");
    }
}

#[test]
fn a_refused_connection_fails_in_seconds_however_many_batches_there_are() {
    // The port was free a moment ago, and nothing listens there any more.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let url = format!("http://{}", free.expect("a free port"));
    let start = Instant::now();
    let call = Embed::new(texts(2000), "m").preference(one_each());
    let error = client_of(&url).embed(call).expect_err("nobody listens");
    assert!(error.is_connect(), "{error}");
    assert!(error.to_string().contains("(Connect)"), "{error}");
    assert!(error.request_id().is_some(), "{error}");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_host_that_does_not_exist_is_a_connect_error() {
    let client = client_of("http://does-not-exist.invalid");
    let error = ask(&client, &no_retries()).expect_err("no such host");
    assert!(error.is_connect(), "{error}");
    // Where there is no name server, its silence is what ends this.
    let text = error.to_string();
    let silence = text.contains("connect_timeout");
    assert!(
        silence || text.contains("does-not-exist.invalid has no address"),
        "{text}"
    );
}

#[test]
fn a_name_is_resolved_and_sent_as_the_host() {
    let server = Hostile::honest();
    let name = format!("localhost:{}", server.address().port());
    // Where this name has an IPv6 address too, nobody listens there.
    let client = client_of(&format!("http://{name}"));
    ask(&client, &no_retries()).expect("localhost has the address 127.0.0.1");
    assert_eq!(header(&server.heads()[0], "host"), Some(&*name));
    assert_eq!(server.requests(), 1);
}

/// Sockets of this process that the server at `port` has closed, and this side has not.
#[cfg(target_os = "linux")]
fn half_closed(port: u16) -> usize {
    const CLOSE_WAIT: &str = "08";
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
    let remote = format!(":{port:04X}");
    let sockets = table.lines().filter(|line| {
        let mut fields = line.split_whitespace().skip(2);
        let to_server = fields.next().is_some_and(|to| to.ends_with(&remote));
        to_server && fields.next() == Some(CLOSE_WAIT)
    });
    sockets.count()
}

#[cfg(target_os = "linux")]
#[test]
fn what_servers_close_is_closed_though_nothing_more_is_asked() {
    let server = Hostile::start(|visit| {
        visit.wait_for_requests(ROUNDS);
        visit.right();
        Next::Close
    });
    let client = client_of(&server.url());
    let call = Embed::new(texts(ROUNDS), "m").preference(window_of(ROUNDS));
    client.embed(call).expect("answered");
    let port = server.address().port();
    eventually("the server closes", || server.open() == 0);
    let took = eventually("and so does the client", || half_closed(port) == 0);
    assert!(took < Duration::from_secs(3), "{took:?}");
    drop(client);
}

#[test]
fn many_hosts_by_turns_each_keep_their_connection() {
    const HOSTS: usize = 100;
    let servers: Vec<_> = (0..HOSTS).map(|_| Hostile::honest()).collect();
    let client = client_of(&servers[0].url());
    let system = client.as_async().system();
    for _ in 0..3 {
        for server in &servers {
            let client = client_on(&server.url(), system.clone());
            ask(&client, &no_retries()).expect("an honest server");
        }
    }
    let connections: Vec<_> = servers.iter().map(Hostile::connections).collect();
    assert_eq!(connections, vec![1; HOSTS]);
}
