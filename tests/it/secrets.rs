//! No key in any log, error or Debug output, whatever a server does with it.

mod queries;

use crate::support::hostile::{Act, Hostile, Next, Visit, header};
use crate::support::texts;
use crate::tls::in_a_process_of_its_own;
use hedgerow::bench::{BenchmarkConfig, RunMode, run_blocking};
use hedgerow::{
    ApiKey, BlockingClient, Client, Embed, Embeddings, Error, Headers, Preference, System,
};
use http::{HeaderName, HeaderValue};
use std::error::Error as StdError;
use std::fmt::Debug;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

const KEY: &str = "sk-client-4f1c9a77";
const OTHER_KEY: &str = "sk-operation-b20e63d5";
const EXTRA: &str = "extra-value-91d7c3f8";
const LONG: &str = "long-value-5be80a1d";
const PASSWORD: &str = "password-2c6ab01e";
const QUERY: &str = "query-value-e47d08b1";

/// What gives a secret away: half of one is as bad.
fn leak(text: &str) -> Option<&str> {
    let secrets = [KEY, OTHER_KEY, EXTRA, LONG, PASSWORD, QUERY];
    let halves = secrets.into_iter().flat_map(|secret| {
        let (first, second) = secret.split_at(secret.len() - 6);
        [first, second]
    });
    let found = halves.filter_map(|half| text.find(half)).min();
    found.map(|start| &text[start..])
}

/// Sees every log line of the process.
struct Capturing {
    lines: AtomicUsize,
    own: AtomicUsize,
    leaks: Mutex<Vec<String>>,
}

static LOG: Capturing = Capturing {
    lines: AtomicUsize::new(0),
    own: AtomicUsize::new(0),
    leaks: Mutex::new(Vec::new()),
};

impl log::Log for Capturing {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.target(), record.args());
        self.lines.fetch_add(1, SeqCst);
        if record.target().starts_with("hedgerow") {
            self.own.fetch_add(1, SeqCst);
        }
        if leak(&line).is_some() {
            self.leaks
                .lock()
                .expect("no panic with the lock")
                .push(line);
        }
    }

    fn flush(&self) {}
}

/// Everything that can be printed, with where it came from.
#[derive(Debug, Default)]
struct Prints(Vec<(String, String)>);

impl Prints {
    fn value(&mut self, what: &str, value: &impl Debug) {
        self.0
            .push((format!("{what} {{:?}}"), format!("{value:?}")));
        self.0
            .push((format!("{what} {{:#?}}"), format!("{value:#?}")));
    }

    fn error(&mut self, what: &str, error: &Error) {
        self.value(what, error);
        self.0.push((
            format!("body of {what}"),
            error.body().unwrap_or_default().into(),
        ));
        let headers = error.headers().into_iter().flat_map(Headers::iter);
        for (name, value) in headers {
            self.0
                .push((format!("header {name} of {what}"), value.into()));
        }
        let mut next: Option<&dyn StdError> = Some(error);
        while let Some(cause) = next {
            self.0.push((format!("{what} {{}}"), cause.to_string()));
            self.0
                .push((format!("source of {what}"), format!("{cause:?} {cause:#?}")));
            next = cause.source();
        }
    }

    fn answer(&mut self, what: &str, answer: &Result<Embeddings, Error>) {
        match answer {
            Ok(embeddings) => {
                self.value(what, embeddings);
                self.value(&format!("records of {what}"), &embeddings.requests());
            }
            Err(error) => self.error(what, error),
        }
    }

    fn assert_clean(&self) {
        let leaks: Vec<String> = self
            .0
            .iter()
            .filter_map(|(what, text)| Some(format!("{what}: {}", leak(text)?)))
            .collect();
        assert!(leaks.is_empty(), "{leaks:#?}");
    }
}

fn system() -> System {
    System::builder().workers(1).start().expect("a system")
}

fn client(url: &str) -> BlockingClient {
    let client = Client::builder(url).system(system()).api_key(KEY).build();
    BlockingClient::new(client.expect("a client"))
}

/// Three secrets: the operation's own key, which replaces the client's, and a header.
fn preference() -> Preference {
    Preference {
        timeout: Duration::from_secs(20),
        max_retries: 1,
        initial_backoff: Duration::from_millis(50),
        extra_headers: [("x-secret", EXTRA), ("x-value", LONG), ("x-mode", "fast")].into(),
        ..Preference::default()
    }
}

fn with_other_key() -> Preference {
    Preference {
        api_key: Some(ApiKey::new(OTHER_KEY).expect("a key")),
        ..preference()
    }
}

/// All secrets that the request carried, as a server might quote them.
fn quoted(visit: &Visit<'_>) -> String {
    let bearer = header(&visit.head, "authorization").expect("a key was sent");
    let extra = header(&visit.head, "x-secret").expect("the header was sent");
    let key = bearer.strip_prefix("Bearer ").expect("a bearer token");
    let long = header(&visit.head, "x-value").expect("the header was sent");
    format!("bad key {key} ({bearer}), bad header {extra}, and {long}")
}

fn echoed(visit: &mut Visit<'_>, status: &str, body: &str) -> Next {
    let quoted = quoted(visit);
    let headers = format!("x-echo: {quoted}\r\nset-cookie: {quoted}\r\n");
    visit.answer(status, &headers, body.replace("SECRETS", &quoted))
}

/// What a server can do with a key: each of these quotes it wherever it can.
const MISDEEDS: [(&str, Act); 9] = [
    ("a success", |visit| {
        let body = visit.rows();
        echoed(visit, "200 OK", &body)
    }),
    ("a refusal", |visit| {
        echoed(visit, "401 Unauthorized", "SECRETS")
    }),
    ("an overload", |visit| {
        echoed(visit, "503 Service Unavailable", "SECRETS")
    }),
    ("a redirect", |visit| echoed(visit, "302 Found", "SECRETS")),
    ("another shape", |visit| {
        echoed(visit, "200 OK", r#"{"error": "SECRETS"}"#)
    }),
    ("no JSON", |visit| echoed(visit, "200 OK", "SECRETS")),
    ("a wrong type", |visit| {
        echoed(
            visit,
            "200 OK",
            r#"{"data": [{"index": "SECRETS", "embedding": "SECRETS"}]}"#,
        )
    }),
    ("an unknown coding", |visit| {
        let headers = format!("content-encoding: {}\r\n", quoted(visit));
        visit.answer("200 OK", &headers, "")
    }),
    ("a bad head", |visit| {
        visit.end_with(format!("HTTP/1.1 {}\r\n\r\n", quoted(visit)))
    }),
];

/// A body that is cut, for an error text, in the middle of the key.
fn cut_within_the_key(visit: &mut Visit<'_>) -> Next {
    let key = header(&visit.head, "authorization")
        .expect("a key was sent")
        .to_owned();
    let opening = r#"{"error": ""#;
    let padding = "x".repeat(200 - opening.len() - key.len() + 3);
    visit.answer(
        "200 OK",
        "",
        format!("{opening}{padding}{key} and more\"}}"),
    )
}

fn every_misdeed(prints: &mut Prints) {
    for (what, script) in MISDEEDS {
        let server = Hostile::start(script);
        let client = client(&server.url());
        for preference in [preference(), with_other_key()] {
            let call = Embed::new(texts(1), "m").preference(preference);
            let answer = client.embed(call);
            assert_eq!(answer.is_ok(), what == "a success", "{what}: {answer:?}");
            prints.answer(what, &answer);
        }
        let (client_key, other_key) = (KEY, OTHER_KEY);
        let heads = server.heads().concat();
        assert!(
            heads.contains(client_key) && heads.contains(other_key),
            "{what}: {heads}"
        );
    }
    let server = Hostile::start(cut_within_the_key);
    let answer = client(&server.url()).embed(Embed::new(texts(1), "m").preference(preference()));
    prints.answer("a cut key", &answer);
}

/// The same, of requests that ask whether a service is ready.
fn every_wait(prints: &mut Prints) {
    // The right answer is one to embeddings.
    let misdeeds = MISDEEDS.into_iter();
    for (what, script) in misdeeds.filter(|(what, _)| *what != "a success") {
        let server = Hostile::start(script);
        let mode = RunMode::Finite {
            requests_per_user: 1,
        };
        let body = serde_json::json!({});
        let mut config = BenchmarkConfig::try_new(server.url(), Some(KEY.into()), 1, mode, body)
            .expect("a configuration")
            .with_calibration(false)
            .with_wait_ready(Duration::from_secs(1), format!("/up?key={OTHER_KEY}"));
        for (name, value) in [("x-secret", EXTRA), ("x-value", LONG)] {
            let value = HeaderValue::from_static(value);
            config = config.add_header(HeaderName::from_static(name), value);
        }
        prints.value("BenchmarkConfig", &config);
        match run_blocking(&config) {
            Ok(report) => prints.value(what, &report),
            Err(error) => prints.error(what, &error),
        }
        let heads = server.heads().concat();
        assert!(
            heads.contains(KEY) && heads.contains(OTHER_KEY),
            "{prints:?}"
        );
    }
}

fn every_broken_connection(prints: &mut Prints) {
    let never = Hostile::start(|visit| visit.stall_after(""));
    let closing = Hostile::start(|_| Next::Close);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let silent = silent.local_addr().expect("a bound listener");
    for (what, url) in [
        ("a timeout", never.url()),
        ("a close", closing.url()),
        ("nobody there", format!("http://{silent}")),
        ("no TLS", format!("https://{}", closing.address())),
        ("no such host", "http://does-not-exist.invalid".to_owned()),
    ] {
        let short = Preference {
            timeout: Duration::from_millis(300),
            ..with_other_key()
        };
        let answer = client(&url).embed(Embed::new(texts(1), "m").preference(short));
        assert!(answer.is_err(), "{what}");
        prints.answer(what, &answer);
    }
}

fn every_value(prints: &mut Prints) {
    let server = Hostile::honest();
    let builder = Client::builder(server.url()).api_key(KEY).system(system());
    prints.value("ClientBuilder", &builder);
    let client = builder.build().expect("a client");
    prints.value("Client", &client);
    prints.value("System", client.system());
    prints.value("BlockingClient", &BlockingClient::new(client.clone()));
    prints.value("ApiKey", &ApiKey::new(KEY).expect("a key"));
    prints.value("Preference", &with_other_key());
    let call = Embed::new(texts(1), "m").preference(with_other_key());
    prints.value("Embed", &call);
    let pending = client.embed(call);
    prints.value("Pending", &pending);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let answer = runtime.expect("a runtime").block_on(pending);
    prints.answer("an awaited answer", &answer);
}

#[test]
fn no_secret_is_printed_or_logged() {
    const ALONE: &str = "HEDGEROW_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        // Another test may have set a logger, and this one sees every line of the process.
        let test = concat!(module_path!(), "::no_secret_is_printed_or_logged");
        in_a_process_of_its_own(test, (ALONE, "1"), &[]);
        return;
    }
    log::set_logger(&LOG).expect("the first logger of the process");
    log::set_max_level(log::LevelFilter::Trace);
    let mut prints = Prints::default();
    every_misdeed(&mut prints);
    every_wait(&mut prints);
    every_broken_connection(&mut prints);
    every_value(&mut prints);

    prints.assert_clean();
    let leaks = LOG.leaks.lock().expect("no panic with the lock").clone();
    assert!(leaks.is_empty(), "{leaks:#?}");
    let seen = (LOG.lines.load(SeqCst), LOG.own.load(SeqCst));
    assert!(
        seen.0 > 100 && seen.1 > 10,
        "{seen:?} lines, of which our own, were logged"
    );
}

#[test]
fn bad_settings_are_refused_without_showing_what_they_hold() {
    let mut prints = Prints::default();
    for key in [
        format!("{KEY}\n"),
        format!("Bearer {KEY}"),
        format!("{KEY}\u{e9}"),
    ] {
        prints.error(
            "a bad key",
            &ApiKey::new(&key).expect_err("not in a header"),
        );
        let builder = Client::builder("http://127.0.0.1")
            .system(system())
            .api_key(&key);
        prints.value("ClientBuilder of a bad key", &builder);
        prints.error("a bad key", &builder.build().expect_err("not in a header"));
    }
    for url in [
        format!("http://user:{PASSWORD}@127.0.0.1"),
        format!("http://{PASSWORD}@127.0.0.1"),
        format!("http://127.0.0.1?api_key={PASSWORD}"),
        format!("http://127.0.0.1#{PASSWORD}"),
        format!("http://user:{PASSWORD}@"),
        format!("ftp://user:{PASSWORD}@127.0.0.1"),
    ] {
        let builder = Client::builder(&url).system(system());
        prints.value("ClientBuilder of a bad URL", &builder);
        prints.error("a bad URL", &builder.build().expect_err("refused"));
    }
    let server = Hostile::honest();
    for (name, value) in [
        ("x-secret", format!("{EXTRA}\r\n")),
        ("bad name", EXTRA.to_owned()),
    ] {
        let bad = Preference {
            extra_headers: [(name, value)].into(),
            ..preference()
        };
        let answer = client(&server.url()).embed(Embed::new(texts(1), "m").preference(bad));
        assert!(answer.as_ref().is_err_and(Error::is_config), "{name}");
        prints.answer("a bad header", &answer);
    }
    assert_eq!(server.requests(), 0);
    prints.assert_clean();
}

#[test]
fn the_search_for_secrets_finds_them() {
    assert_eq!(leak(&format!("a {KEY}!")), Some("sk-client-4f1c9a77!"));
    assert!(leak(&format!("a {}", &EXTRA[..EXTRA.len() - 6])).is_some());
    assert_eq!(leak("a ***"), None);
    let mut prints = Prints::default();
    prints.value("a test", &OTHER_KEY);
    assert!(std::panic::catch_unwind(|| prints.assert_clean()).is_err());
}

#[test]
fn ordinary_words_of_headers_stay_in_errors() {
    let server = Hostile::start(|visit| visit.answer("400 Bad Request", "", "not so fast"));
    let call = Embed::new(texts(1), "m").preference(preference());
    let error = client(&server.url()).embed(call).expect_err("refused");
    assert_eq!(error.body(), Some("not so fast"));
}

#[test]
fn a_client_without_a_key_sends_none_whatever_the_environment_has() {
    const INSIDE: &str = "HEDGEROW_TEST_WITHOUT_KEY";
    if std::env::var(INSIDE).is_err() {
        let test = concat!(
            module_path!(),
            "::a_client_without_a_key_sends_none_whatever_the_environment_has"
        );
        let key = std::path::Path::new(KEY);
        return in_a_process_of_its_own(test, (INSIDE, "1"), &[("BASETEN_API_KEY", key)]);
    }
    let server = Hostile::honest();
    let builder = || Client::builder(server.url()).system(system());
    let other = ApiKey::new(OTHER_KEY).expect("a key");
    for (builder, expected) in [
        (builder(), Some(KEY)),
        (builder().without_api_key(), None),
        (builder().api_key(OTHER_KEY).without_api_key(), None),
        (
            builder().without_api_key().api_key(OTHER_KEY),
            Some(OTHER_KEY),
        ),
    ] {
        let client = BlockingClient::new(builder.build().expect("a client"));
        let embed = |preference| client.embed(Embed::new(texts(1), "m").preference(preference));
        embed(Preference::default()).expect("an honest server");
        let sent = server.heads().pop().expect("a request");
        let sent = header(&sent, "authorization").map(str::to_owned);
        assert_eq!(sent, expected.map(|key| format!("Bearer {key}")));
        // A call may have one nevertheless.
        embed(Preference {
            api_key: Some(other.clone()),
            ..Preference::default()
        })
        .expect("an honest server");
        let sent = server.heads().pop().expect("a request");
        let expected = format!("Bearer {OTHER_KEY}");
        assert_eq!(header(&sent, "authorization"), Some(&*expected));
    }
}
