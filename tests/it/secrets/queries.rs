//! A key in the query of a URL, which a server quotes.

use super::{Prints, QUERY, client};
use crate::support::hostile::Hostile;
use hedgerow::{BatchPost, Payload};

#[test]
fn a_key_in_a_query_is_in_no_error() {
    let server = Hostile::start(|visit| {
        let line = visit.head.lines().next().expect("a line").to_owned();
        let body = format!("there is nothing at {line}");
        visit.answer("404 Not Found", &format!("x-echo: {line}\r\n"), body)
    });
    let path = format!("/x?mode=fast&key={QUERY}");
    let payload = Payload::json(&1).expect("a payload");
    let answer = client(&server.url()).post(BatchPost::new(path, [payload]));
    let error = answer.expect_err("refused");
    assert!(server.heads().concat().contains(QUERY));
    let quoted = "POST /x?mode=fast&key=*** HTTP/1.1";
    let expected = format!("there is nothing at {quoted}");
    assert_eq!(error.body(), Some(&*expected));
    let headers = error.headers().expect("those of the answer");
    assert_eq!(headers.get("x-echo"), Some(quoted));
    let mut prints = Prints::default();
    prints.error("a refused query", &error);
    prints.assert_clean();
}
