//! The cases that are run every time: those that have gone wrong somewhere.

use super::case::{Case, End};

/// Answers to a GET. Each is sent whole, in single bytes, and in both halves, and with each end.
const ANSWERS: &[&str] = &[
    // Ordinary ones.
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.0 200 OK\r\n\r\nhello",
    // A body that is cut short is no whole one.
    "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhell",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r",
    // A chunk without a size is not the last one.
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n;x\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n \r\n\r\n",
    // Sizes and line ends.
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;x=\"a;b\"\r\nhello\r\n000 ;y\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n00000000000000000005\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nA\r\nhellohello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;x\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;\n9\r\nab\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;x\ry\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
    // Trailers.
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\ncontent-length: 3\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\n",
    // Lengths.
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 4\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 5, 4\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 5,\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 0x5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 05\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 5 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\n content-length: 5\r\n\r\nhello",
    // Lengths and codings.
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked,\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: , chunked, ,\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding:\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\ncontent-length: 5\r\n\r\nhello and more",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding:\tchunked\t\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    // Informational answers.
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 103 Hints\r\ncontent-length: 9\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 103 Hints\r\ncontent-length: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhello",
    "HTTP/1.1 100 Continue\r\n\r\n",
    // No body, whatever they say.
    "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
    "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\ncontent-length: x\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\nhello",
    "HTTP/1.1 205 Reset Content\r\ncontent-length: 2\r\n\r\nhi",
    // What follows an answer belongs to none.
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello\r\n",
    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nconnection: keep-alive\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello",
    // Status lines.
    "HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 \r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 Gr\u{f6}\u{df}e\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 099 Low\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 999 High\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 20 Short\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 2000 Long\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.2 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/2.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "http/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1  200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "200 OK\r\n\r\n",
    "",
    // Header lines.
    "HTTP/1.1 200 OK\ncontent-length: 5\n\nhello",
    "HTTP/1.1 200 OK\r\nx-a:\r\nX-A:  b \t\r\nx-b: f\u{fc}r\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nx: folded\r\n here\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nno colon\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\n: no name\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nbad name: x\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nx: a\rb\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nx: y\r\r\ncontent-length: 5\r\n\r\nhello",
];

/// Answers to a HEAD.
const TO_HEAD: &[&str] = &[
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 5, 4\r\n\r\n",
];

/// So many headers, behind which there is a body.
fn many(count: usize) -> Vec<u8> {
    let lines = (1..count).map(|number| format!("x-{number}: y\r\n"));
    let lines = lines.collect::<Vec<_>>().concat();
    format!("HTTP/1.1 200 OK\r\n{lines}content-length: 5\r\n\r\nhello").into_bytes()
}

/// Bodies that do not come at once.
fn large() -> Vec<Vec<u8>> {
    let body = vec![b'y'; 3 << 20];
    let length = body.len();
    let with = |head: String, end: &str| [head.as_bytes(), &body, end.as_bytes()].concat();
    vec![
        with(
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"),
            "",
        ),
        with(
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", length + 1),
            "",
        ),
        with(
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n"),
            "\r\n0\r\n\r\n",
        ),
        with("HTTP/1.1 200 OK\r\n\r\n".to_owned(), ""),
    ]
}

/// Each text is Latin-1.
fn bytes_of(text: &str) -> Vec<u8> {
    let byte = |letter| u8::try_from(u32::from(letter)).expect("Latin-1");
    text.chars().map(byte).collect()
}

/// An answer, cut in three ways, with each end.
fn in_all_ways(answer: Vec<u8>, is_head: bool) -> impl Iterator<Item = Case> {
    let length = answer.len();
    let cuts = [vec![], vec![length / 2], (1..length).collect()];
    let ends = [End::Close, End::Keep];
    let ways = cuts
        .into_iter()
        .flat_map(move |cuts| ends.map(|end| (cuts.clone(), end)));
    ways.map(move |(cuts, end)| Case {
        is_head,
        answer: answer.clone(),
        cuts,
        end,
    })
}

pub(super) fn cases() -> Vec<Case> {
    let get = ANSWERS.iter().map(|text| (bytes_of(text), false));
    let head = TO_HEAD.iter().map(|text| (bytes_of(text), true));
    let long = [96, 97, 128, 129, 1024, 1025].map(|count| (many(count), false));
    let mut cases: Vec<_> = get
        .chain(head)
        .chain(long)
        .flat_map(|(answer, is_head)| in_all_ways(answer, is_head))
        .collect();
    cases.extend(large().into_iter().map(|answer| Case {
        is_head: false,
        cuts: vec![100, 70_000, 1 << 20, (1 << 20) + 1],
        answer,
        end: End::Close,
    }));
    cases
}
