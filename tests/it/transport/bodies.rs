//! Bodies that end early, and bodies that are not what was asked for.

use super::{
    ask_once, assert_names_the_last_attempt, is_a_network_error, is_retried, is_right, preference,
};
use crate::support::hostile::{Hostile, Next, Visit};
use std::io::Write;

fn cut_of_its_length(visit: &mut Visit<'_>) -> Next {
    let body = visit.rows();
    let (length, half) = (body.len(), &body[..body.len() / 2]);
    visit.end_with(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{half}"
    ))
}

fn cut_by_an_rst(visit: &mut Visit<'_>) -> Next {
    cut_of_its_length(visit);
    Next::Reset
}

/// Whole JSON in one chunk, cut after half of it.
fn cut_within_a_chunk(visit: &mut Visit<'_>) -> Next {
    let body = visit.rows();
    let (length, half) = (body.len(), &body[..body.len() / 2]);
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    visit.end_with(format!("{head}{length:x}\r\n{half}"))
}

/// Half of the JSON in a chunk of its own, and no last chunk.
fn cut_between_chunks(visit: &mut Visit<'_>) -> Next {
    let body = visit.rows();
    let half = &body[..body.len() / 2];
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    visit.end_with(format!("{head}{:x}\r\n{half}\r\n", half.len()))
}

/// A whole message whose body is half of a compressed one.
fn cut_before_it_was_sent(visit: &mut Visit<'_>) -> Next {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder
        .write_all(visit.rows().as_bytes())
        .expect("in memory");
    let whole = encoder.finish().expect("in memory");
    visit.answer(
        "200 OK",
        "content-encoding: gzip\r\n",
        &whole[..whole.len() / 2],
    )
}

/// A whole message, which a proxy made of the part that it had.
fn cut_json(visit: &mut Visit<'_>) -> Next {
    let body = visit.rows();
    visit.answer("200 OK", "", &body[..body.len() / 2])
}

fn nothing(visit: &mut Visit<'_>) -> Next {
    visit.answer("200 OK", "", "")
}

#[test]
fn a_body_cut_short_of_its_length_is_retried() {
    is_retried(cut_of_its_length);
    let error = is_a_network_error(cut_of_its_length);
    assert!(
        error.to_string().contains("the body ended after"),
        "{error}"
    );
}

#[test]
fn a_body_cut_by_an_rst_is_retried() {
    is_retried(cut_by_an_rst);
    is_a_network_error(cut_by_an_rst);
}

#[test]
fn a_body_without_its_last_chunk_is_retried() {
    for cut in [cut_within_a_chunk, cut_between_chunks] {
        is_retried(cut);
        is_a_network_error(cut);
    }
}

/// The right answer in chunks of a byte, each with an extension of such a length.
fn extended(visit: &mut Visit<'_>, length: usize) -> Next {
    let extension = "x".repeat(length);
    visit.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    for byte in visit.rows().bytes() {
        visit.write(format!("1;{extension}\r\n{}\r\n", char::from(byte)));
    }
    visit.write("0\r\n\r\n");
    Next::Keep
}

#[test]
fn chunks_may_have_short_extensions_and_no_more() {
    is_right(&Hostile::start(|visit| extended(visit, 100)), 2);
    let error = is_a_network_error(|visit| extended(visit, 4000));
    assert!(error.to_string().contains("beside their sizes"), "{error}");
}

#[test]
fn a_compressed_body_that_is_cut_is_retried() {
    is_retried(cut_before_it_was_sent);
    let error = is_a_network_error(cut_before_it_was_sent);
    assert!(error.to_string().contains("damaged or cut"), "{error}");
}

#[test]
fn a_body_that_is_the_beginning_of_json_is_retried() {
    for wrong in [cut_json, nothing] {
        is_retried(wrong);
        let error = is_a_network_error(wrong);
        assert!(error.to_string().contains("JSON"), "{error}");
    }
}

#[test]
fn json_of_another_shape_is_an_error_at_once() {
    let server = Hostile::start(|visit| {
        visit.answer("200 OK", "", r#"{"error": {"message": "no such model"}}"#)
    });
    let error = ask_once(&server, &preference()).expect_err("no rows");
    assert!(error.is_answer(), "{error}");
    assert!(error.to_string().contains("no such model"), "{error}");
    assert_names_the_last_attempt(&error, &server);
    assert_eq!(server.requests(), 1);
}
