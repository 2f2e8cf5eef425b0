//! Answers as bytes: mostly right, and each part at times as wrong as servers write it.

use super::bodies::framed;
use super::case::{Case, End};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

pub(super) type Bytes = BoxedStrategy<Vec<u8>>;

/// One of these texts, of which each is Latin-1: `\u{e4}` is one byte.
pub(super) fn one_of(texts: &'static [&'static str]) -> Bytes {
    select(texts).prop_map(bytes_of).boxed()
}

fn bytes_of(text: &str) -> Vec<u8> {
    let byte = |letter| u8::try_from(u32::from(letter)).expect("Latin-1");
    text.chars().map(byte).collect()
}

/// `usual`, and one time in `rarity` one of `odd`.
pub(super) fn mostly(
    rarity: u32,
    usual: &'static [&'static str],
    odd: &'static [&'static str],
) -> Bytes {
    prop_oneof![rarity - 1 => one_of(usual), 1 => one_of(odd)].boxed()
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "strategies give what they make away"
)]
pub(super) fn join(parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.concat()
}

pub(super) fn line_end() -> Bytes {
    mostly(60, &["\r\n"], &["\n", "\r", "\r\r\n", "\n\r\n", ""])
}

fn version() -> Bytes {
    let odd = &[
        "HTTP/1.2",
        "HTTP/2.0",
        "HTTP/0.9",
        "http/1.1",
        "HTTP/1.",
        "HTTP1.1",
        "HTTP/1.1 ",
        "",
        " HTTP/1.1",
        "\r\nHTTP/1.1",
        "\n\nHTTP/1.1",
        "\r\rHTTP/1.1",
    ];
    prop_oneof![
        20 => one_of(&["HTTP/1.1"]),
        4 => one_of(&["HTTP/1.0"]),
        1 => one_of(odd),
    ]
    .boxed()
}

fn status_line() -> Bytes {
    let status = prop_oneof![
        16 => one_of(&[" 200"]),
        8 => one_of(&[" 204", " 304", " 201", " 203", " 205", " 206", " 301", " 404", " 429", " 500"]),
        1 => one_of(&[" 599", " 600", " 999", " 099", " 000", " 20", " 2000", " abc", " -20", "\t200", "  200", "200", " 2 0"]),
    ];
    let reason = prop_oneof![
        10 => one_of(&[" OK"]),
        4 => one_of(&["", " ", " Not Found", "  two  spaces ", " \t", " Gr\u{f6}\u{df}e", " \u{80}\u{ff}"]),
        1 => one_of(&["\tOK", " O\0K", " \u{7f}", "OK", " O\rK"]),
    ];
    (version(), status, reason, line_end())
        .prop_map(|(a, b, c, d)| [a, b, c, d].concat())
        .boxed()
}

/// A header line of this name and value.
pub(super) fn line(name: Bytes, value: Bytes) -> Bytes {
    let separator = mostly(
        20,
        &[": ", ":", ":  ", ":\t"],
        &[" : ", "\t:", " :", "", " ", "::", ":\r\n ", ":\0"],
    );
    let behind = mostly(
        8,
        &[""],
        &[" ", "\t ", "\r\n folded", "\r\n\tfolded", "\r\n "],
    );
    let behind = prop_oneof![6 => one_of(&["", "", " "]), 1 => behind];
    (name, separator, value, behind, line_end())
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].concat())
        .boxed()
}

fn other_header() -> Bytes {
    let name = mostly(
        30,
        &[
            "x-a",
            "X-B",
            "x-a",
            "Content-Type",
            "set-cookie",
            "Set-Cookie",
            "sErVeR",
            "date",
            "_",
            "x.!#$%&'*+-^`|~",
        ],
        &[
            "", "bad name", "x(y", "x\u{e4}", " x", "\tx", "x\0", "x\u{7f}", "\"x\"",
        ],
    );
    let value = mostly(
        30,
        &[
            "1",
            "",
            "a b",
            "a  b",
            "a\tb",
            "f\u{fc}r",
            "f\u{c3}\u{bc}r",
            "\u{80}\u{ff}",
            "a: b",
            "\"q\"",
            ",",
            "text/event-stream; charset=utf-8",
        ],
        &["\0", "a\0b", "\u{7f}", "\u{1}", "a\rb", "\u{1b}[0m"],
    );
    line(name, value)
}

fn many_headers() -> Bytes {
    (prop_oneof![90usize..105, 120usize..135], 0usize..40)
        .prop_map(|(count, length)| {
            let line = |number| format!("x-{number}: {}\r\n", "v".repeat(length));
            (0..count).map(line).collect::<String>().into_bytes()
        })
        .boxed()
}

fn connection() -> Bytes {
    let value = one_of(&[
        "close",
        "keep-alive",
        "Close",
        "Keep-Alive",
        "close, keep-alive",
        "keep-alive, close",
        "x, close",
        "keep-alive, x",
        "",
        "upgrade",
        "closed",
        ",close",
        "close ,x",
    ]);
    line(one_of(&["connection", "Connection", "CONNECTION"]), value)
}

fn informational() -> Bytes {
    let one = one_of(&[
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 100\r\n\r\n",
        "HTTP/1.0 100 Continue\r\n\r\n",
        "HTTP/1.1 102 Processing\r\nx: y\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\ncontent-length: 3\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 199 X\n\n",
        "HTTP/1.1 100 Continue\r\n\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    ]);
    prop_oneof![12 => Just(Vec::new()), 3 => vec(one, 1..4).prop_map(join)].boxed()
}

fn behind() -> Bytes {
    mostly(
        6,
        &[""],
        &[
            "\r\n",
            "\r\n\r\n",
            "x",
            "\0",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong",
            "HTTP/1.1 408 Request Timeout\r\n\r\n",
        ],
    )
}

fn answer() -> Bytes {
    let others = prop_oneof![30 => vec(other_header(), 0..4).prop_map(join), 1 => many_headers()];
    let connection = prop_oneof![3 => Just(Vec::new()), 1 => connection()];
    let head = (
        informational(),
        status_line(),
        others,
        connection,
        line_end(),
    );
    (head, framed(), any::<bool>(), behind())
        .prop_map(
            |((before, status, others, connection, end), framed, first, behind)| {
                let (lines, body) = framed;
                let lines = if first {
                    [lines, others]
                } else {
                    [others, lines]
                };
                [
                    before,
                    status,
                    lines.concat(),
                    connection,
                    end,
                    body,
                    behind,
                ]
                .concat()
            },
        )
        .boxed()
}

/// Where an answer is cut: nowhere, at a few places, or, where it is short, behind every byte.
fn cuts(length: usize) -> BoxedStrategy<Vec<usize>> {
    let few = vec(any::<Index>(), 0..9).prop_map(move |places| {
        let mut cuts: Vec<_> = places.iter().map(|it| it.index(length + 1)).collect();
        cuts.sort_unstable();
        cuts
    });
    let all: Vec<_> = (1..length.min(200)).collect();
    prop_oneof![4 => few, 2 => Just(Vec::new()), 1 => Just(all)].boxed()
}

/// Any case.
pub(super) fn case() -> impl Strategy<Value = Case> {
    let kept = prop_oneof![5 => Just(None), 1 => any::<Index>().prop_map(Some)];
    let answer = (answer(), kept).prop_map(|(mut answer, kept)| {
        if let Some(kept) = kept {
            answer.truncate(kept.index(answer.len() + 1));
        }
        answer
    });
    let end = prop_oneof![2 => Just(End::Close), 1 => Just(End::Keep)];
    let sent = answer.prop_flat_map(|answer| (cuts(answer.len()), Just(answer)));
    (prop::bool::weighted(0.1), sent, end).prop_map(|(is_head, (cuts, answer), end)| Case {
        is_head,
        answer,
        cuts,
        end,
    })
}
