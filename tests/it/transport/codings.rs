//! `content-encoding`: what is asked for, and what comes.

use super::{ask_once, is_broken, is_right, is_told, no_retries, preference};
use crate::support::hostile::{Hostile, header};
use crate::support::{client_of, texts};
use flate2::Compression;
use hedgerow::{Embed, EncodingFormat, ExtraHeaders, Preference};
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
    const ALL: &str = "zstd, gzip, br, deflate";
    let asked = |format: Option<EncodingFormat>, headers: ExtraHeaders| {
        let server = Hostile::honest();
        let client = client_of(&server.url());
        let preference = Preference {
            extra_headers: headers,
            ..no_retries()
        };
        // The second knows that the server has no base64.
        for _ in 0..2 {
            let mut call = Embed::new(texts(1), "m").preference(preference.clone());
            if let Some(format) = format {
                call = call.encoding_format(format);
            }
            client.embed(call).expect("an honest server");
        }
        let heads = server.heads();
        let asked = heads
            .iter()
            .filter_map(|head| header(head, "accept-encoding"));
        asked.map(str::to_owned).collect::<Vec<_>>()
    };
    let none = ExtraHeaders::default;
    assert_eq!(asked(Some(EncodingFormat::Float), none()), [ALL, ALL]);
    // Base64 of numbers does not shrink.
    assert_eq!(asked(Some(EncodingFormat::Base64), none()), ["identity"; 2]);
    assert_eq!(asked(None, none()), ["identity", ALL]);
    let own = || [("Accept-Encoding", "gzip")].into();
    assert_eq!(asked(Some(EncodingFormat::Base64), own()), ["gzip"; 2]);
    assert_eq!(asked(None, own()), ["gzip"; 2]);
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
fn of_a_compressed_refusal_of_any_size_the_beginning_is_told() {
    // Numbers by chance, so that 64 KiB of what is sent are no more than some 100 of the text.
    let lines = (0..100_000_u32).map(|n| format!("{:08x}\n", n.wrapping_mul(2_654_435_761)));
    let text: String = lines.collect();
    for coding in ["gzip", "zstd", "br", "deflate"] {
        let body = compressed(coding, text.as_bytes());
        assert!(body.len() > 128 << 10, "{coding}: {}", body.len());
        let server = Hostile::start(move |visit| {
            let headers = format!("content-encoding: {coding}\r\n");
            visit.answer("400 Bad Request", &headers, &body)
        });
        let error = ask_once(&server, &no_retries()).expect_err("a refusal");
        assert_eq!(error.body(), Some(&text[..64 << 10]), "{coding}");
    }
}

#[test]
fn more_than_three_codings_are_refused_before_the_body_comes() {
    let server = Hostile::start(|visit| {
        let codings = ["gzip"; 40].join(", ");
        visit.stall_after(format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: {codings}\r\ncontent-length: 55000\r\n\r\nx"
        ))
    });
    let error = ask_once(&server, &preference()).expect_err("too many");
    assert!(error.is_answer(), "{error}");
    assert!(error.to_string().contains("more than 3 codings"), "{error}");
    assert_eq!(server.requests(), 1, "{error}");
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
