//! Answers that take a while to unpack or to decode: they hold nobody up. In real time, with one
//! Worker, whose thread keeps all deadlines.

use crate::support::hostile::{Hostile, Visit};
use crate::support::{async_client_on, client_on, in_some_try, texts};
use hedgerow::{Client, Embed, Preference, System};
use std::io::Write;
use std::time::{Duration, Instant};

/// So late may a deadline be told.
const LATE: Duration = Duration::from_millis(50);
const SHORT: Duration = Duration::from_millis(300);

/// So much text, in gzip: members of a megabyte, one after another. It is no JSON.
fn packed(mebibytes: usize) -> Vec<u8> {
    let number = |n: u32| format!("{:.7},", f64::from(n.wrapping_mul(2_654_435_761)) / 4e9);
    let text: String = (0..110_000).map(number).collect();
    let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    member
        .write_all(&text.as_bytes()[..1 << 20])
        .expect("in memory");
    member.finish().expect("in memory").repeat(mebibytes)
}

/// An answer of one row that is right and that the scanner knows nothing of.
fn odd(dimensions: usize) -> String {
    let row = vec!["0.12345"; dimensions].join(",");
    format!(r#"{{"data":[{{"\u0065mbedding":[{row}]}}],"model":"m"}}"#)
}

fn preference(timeout: Duration) -> Preference {
    Preference {
        timeout,
        max_retries: 0,
        ..Preference::default()
    }
}

fn one_worker() -> System {
    System::builder().workers(1).start().expect("a system")
}

/// What happens to others at the moment when an answer has come that takes a while.
async fn others_are_on_time(slow: &Hostile, system: &System) -> Result<(), String> {
    let silent = Hostile::start(|visit| visit.stall_after(""));
    let client = |server: &Hostile| async_client_on(&server.url(), system.clone());
    let ask = async |client: &Client, timeout| {
        let call = Embed::new(texts(1), "m").preference(preference(timeout));
        let start = Instant::now();
        let answer = client.embed(call).await;
        (answer, start.elapsed())
    };
    let (slow, silent) = (client(slow), client(&silent));
    let long = ask(&slow, Duration::from_mins(1));
    let others = async {
        let mut worst = Duration::ZERO;
        for _ in 0..4 {
            let (answer, took) = ask(&silent, SHORT).await;
            assert!(answer.expect_err("silence").is_timeout());
            worst = worst.max(took);
        }
        worst
    };
    let ((_, long), worst) = tokio::join!(long, others);
    if long < 2 * SHORT {
        return Err(format!("it took no more than {long:?}"));
    }
    if worst > SHORT + LATE {
        return Err(format!("a deadline of {SHORT:?} was told after {worst:?}"));
    }
    Ok(())
}

fn hold_nobody_up(slow: &Hostile) {
    let system = one_worker();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    in_some_try(|| runtime.block_on(others_are_on_time(slow, &system)));
}

fn gzip(visit: &mut Visit<'_>, body: &[u8]) -> crate::support::hostile::Next {
    visit.answer("200 OK", "content-encoding: gzip\r\n", body)
}

#[test]
fn to_unpack_an_answer_holds_nobody_up() {
    let body = packed(48);
    hold_nobody_up(&Hostile::start(move |visit| gzip(visit, &body)));
}

#[test]
fn to_decode_an_answer_that_the_scanner_does_not_know_holds_nobody_up() {
    let body = odd(1 << 22);
    let server = Hostile::start(move |visit| visit.answer("200 OK", "", &body));
    hold_nobody_up(&server);
    let call = Embed::new(texts(1), "m").preference(preference(Duration::from_mins(1)));
    let found = client_on(&server.url(), one_worker()).embed(call);
    let found = found.expect("it is right all the same");
    assert_eq!((found.dimensions(), found.row(0)[7]), (1 << 22, 0.12345));
}

#[test]
fn an_answer_that_is_unpacked_for_too_long_ends_at_its_deadline() {
    let body = packed(48);
    let server = Hostile::start(move |visit| gzip(visit, &body));
    let client = client_on(&server.url(), one_worker());
    in_some_try(|| {
        let call = Embed::new(texts(1), "m").preference(preference(SHORT));
        let start = Instant::now();
        let error = client.embed(call).expect_err("too late");
        let took = start.elapsed();
        assert!(error.is_timeout(), "{error}");
        if took > SHORT + LATE {
            return Err(format!("{SHORT:?} ended after {took:?}"));
        }
        Ok(())
    });
}

#[test]
fn answers_larger_than_all_the_room_are_read_one_after_another() {
    const ROWS: usize = 24;
    let body = format!("{}{}", " ".repeat(3 << 20), odd(2));
    let server = Hostile::start(move |visit| {
        if visit.number % 2 == 0 {
            return visit.answer("200 OK", "", &body);
        }
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        visit.write(format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
        crate::support::hostile::Next::Keep
    });
    let system = System::builder().workers(1).max_buffered_bytes(1 << 20);
    let client = client_on(&server.url(), system.start().expect("a system"));
    let each = Preference {
        batch_size: 1,
        max_concurrent_requests: 8,
        ..preference(Duration::from_mins(1))
    };
    let found = client.embed(Embed::new(texts(ROWS), "m").preference(each));
    assert_eq!(found.expect("all are read").len(), ROWS);
    assert_eq!(server.requests(), ROWS);
}
