//! `content-encoding`: what is asked for, and what comes.

use super::{ask_once, is_broken, is_right, is_told, no_retries};
use crate::support::hostile::{Hostile, header};
use flate2::Compression;
use std::io::Write;

/// `body` in one coding. `raw-deflate` is what some servers take `deflate` to mean.
pub(super) fn compressed(coding: &str, body: &[u8]) -> Vec<u8> {
    let level = Compression::fast();
    let done = match coding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
        "raw-deflate" => {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
        "zstd" => zstd::encode_all(body, 1),
        "br" => {
            let mut out = Vec::new();
            let params = brotli::enc::BrotliEncoderParams {
                quality: 1,
                ..Default::default()
            };
            brotli::BrotliCompress(&mut &*body, &mut out, &params).map(|_| out)
        }
        other => panic!("no coding {other}"),
    };
    done.expect("in memory")
}

/// A server whose answers carry `headers`, and were compressed by `codings` one after another.
fn compressing(headers: &'static str, codings: &'static [&'static str]) -> Hostile {
    Hostile::start(move |visit| {
        let plain = visit.rows().into_bytes();
        let apply = |body: Vec<u8>, coding: &&str| compressed(coding, &body);
        let body = codings.iter().fold(plain, apply);
        visit.answer("200 OK", headers, body)
    })
}

fn is_understood(headers: &'static str, codings: &'static [&'static str]) {
    is_right(&compressing(headers, codings), 1);
}

#[test]
fn every_coding_that_is_asked_for_is_understood() {
    is_understood("content-encoding: gzip\r\n", &["gzip"]);
    is_understood("content-encoding: x-gzip\r\n", &["gzip"]);
    is_understood("content-encoding: zstd\r\n", &["zstd"]);
    is_understood("Content-Encoding: BR\r\n", &["br"]);
    is_understood("content-encoding: deflate\r\n", &["deflate"]);
    is_understood("content-encoding: deflate\r\n", &["raw-deflate"]);
    is_understood("content-encoding: identity\r\n", &[]);
}

#[test]
fn stacked_codings_are_undone_in_reverse() {
    is_understood("content-encoding: deflate, br\r\n", &["deflate", "br"]);
    is_understood(
        "content-encoding: zstd,gzip , br\r\n",
        &["zstd", "gzip", "br"],
    );
    // A list may be sent on several lines.
    is_understood(
        "content-encoding: gzip\r\ncontent-encoding: zstd\r\n",
        &["gzip", "zstd"],
    );
}

#[test]
fn the_codings_are_asked_for_in_each_request() {
    let server = Hostile::honest();
    ask_once(&server, &no_retries()).expect("an honest server");
    let heads = server.heads();
    assert_eq!(
        header(&heads[0], "accept-encoding"),
        Some("zstd, gzip, br, deflate")
    );
}

#[test]
fn an_unknown_coding_is_an_error_that_names_it() {
    let server =
        Hostile::start(|visit| visit.answer("200 OK", "content-encoding: snappy\r\n", "whatever"));
    let text = is_broken(&server).to_string();
    assert!(text.contains("snappy"), "{text}");
}

#[test]
fn a_compressed_refusal_is_readable() {
    let server = Hostile::start(|visit| {
        let body = compressed("zstd", b"no such model");
        visit.answer("404 Not Found", "content-encoding: zstd\r\n", body)
    });
    is_told(&server, 404, "no such model");
}

#[test]
fn of_a_large_compressed_refusal_the_beginning_is_told() {
    let server = Hostile::start(|visit| {
        let text = "a line of an explanation\n".repeat(20_000);
        let body = compressed("gzip", text.as_bytes());
        visit.answer("400 Bad Request", "content-encoding: gzip\r\n", body)
    });
    let error = ask_once(&server, &no_retries()).expect_err("a refusal");
    let body = error.body().unwrap();
    assert!(body.starts_with("a line of an explanation\n") && body.len() == 64 << 10);
}
