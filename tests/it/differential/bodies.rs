//! Bodies, and the lines that say how long they are: mostly right.

use super::grammar::{Bytes, join, line, mostly, one_of};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A `content-length` of a body of so many bytes, and how it is wrong.
fn length_lines(length: usize) -> Bytes {
    let right = length.to_string();
    let values = [
        format!("{right}, {right}"),
        format!("{right},{right} , {right}"),
        format!("{right}, {}", length + 1),
        format!("+{right}"),
        format!("-{right}"),
        format!("0x{length:x}"),
        format!("0{right}"),
        format!("{right}."),
        format!("{right},"),
        format!(",{right}"),
        format!("{right};"),
        format!("{right} {right}"),
        format!("{right}\t"),
        String::new(),
        " ".to_owned(),
        "99999999999999999999".to_owned(),
        "18446744073709551615".to_owned(),
        "18446744073709551616".to_owned(),
        "9223372036854775807".to_owned(),
        "1e1".to_owned(),
        "two".to_owned(),
        "\u{663}".to_owned(),
        (length + 1).to_string(),
        (length + 40).to_string(),
        length.saturating_sub(1).to_string(),
        "0".to_owned(),
    ];
    let name = || one_of(&["content-length", "Content-Length", "CONTENT-LENGTH"]);
    let exactly = |value: &str| line(name(), Just(value.as_bytes().to_vec()).boxed());
    let odd = select(values.to_vec()).prop_map(String::into_bytes).boxed();
    let different = (length + 1).to_string();
    prop_oneof![
        12 => exactly(&right),
        5 => line(name(), odd.clone()),
        1 => (exactly(&right), exactly(&right)).prop_map(|(a, b)| [a, b].concat()),
        1 => (exactly(&right), exactly(&different)).prop_map(|(a, b)| [a, b].concat()),
        1 => (line(name(), odd), exactly(&right)).prop_map(|(a, b)| [a, b].concat()),
    ]
    .boxed()
}

fn coding_line() -> Bytes {
    let value = prop_oneof![
        12 => one_of(&["chunked"]),
        4 => one_of(&["Chunked", "gzip, chunked", "gzip,chunked", "chunked ", "identity, chunked", ", chunked"]),
        3 => one_of(&[
            "chunked, gzip", "identity", "chunked, identity", "chunked, chunked", "chunked;x=1", "", "chunked,",
            "gzip", "x-chunked", "chunke", "\"chunked\"", "chunked\u{e4}", "chunked, \u{e4}", "identity, identity",
            "chunked\tchunked",
        ]),
    ]
    .boxed();
    line(
        one_of(&[
            "transfer-encoding",
            "Transfer-Encoding",
            "TRANSFER-ENCODING",
        ]),
        value,
    )
}

fn coding_lines() -> Bytes {
    prop_oneof![
        8 => coding_line(),
        1 => (coding_line(), coding_line()).prop_map(|(a, b)| [a, b].concat()),
    ]
    .boxed()
}

fn data() -> Bytes {
    prop_oneof![
        20 => vec(any::<u8>(), 0..60),
        6 => one_of(&["hello", "0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "\r\n", "a\r\n0\r\n\r\n"]),
        1 => (5_000usize..40_000).prop_map(|length| (0..=255).cycle().take(length).collect::<Vec<u8>>()),
    ]
    .boxed()
}

fn size_text(size: usize) -> Bytes {
    let texts = [
        format!("{:x}", size + 1),
        format!("{:x}", size.saturating_sub(1)),
        format!("{size:x}h"),
        format!("0x{size:x}"),
        format!("+{size:x}"),
        format!("-{size:x}"),
        format!(" {size:x}"),
        format!("{size:x} {size:x}"),
        String::new(),
        " ".to_owned(),
        ";x".to_owned(),
        "ffffffffffffffff".to_owned(),
        "fffffffffffffffe".to_owned(),
        "10000000000000000".to_owned(),
        format!("{size:016x}"),
        format!("{size:017x}"),
        format!("{size:040x}"),
        "7fffffffffffffff".to_owned(),
        format!("{size:x}\0"),
    ];
    let odd = select(texts.to_vec()).prop_map(String::into_bytes);
    prop_oneof![
        20 => Just(format!("{size:x}").into_bytes()),
        6 => Just(format!("{size:X}").into_bytes()),
        4 => Just(format!("{size:05x}").into_bytes()),
        1 => odd,
    ]
    .boxed()
}

fn extension() -> Bytes {
    mostly(
        60,
        &[
            "",
            "",
            "",
            "",
            "",
            ";x",
            ";x=1",
            ";a=b;c=d",
            ";q=\"a;\\\"b\"",
            " ",
            " \t",
            " ;x",
            ";",
            "; x = 1",
            ";=",
            ";\u{e4}",
        ],
        &[";x\ny", ";q=\"\r\n\"", ";x\ry", " x", "\n;x", "\0"],
    )
}

fn chunk_end() -> Bytes {
    mostly(
        60,
        &["\r\n"],
        &[
            "\n", "\r", "", "\r\r\n", "x\r\n", "\r\n\r\n", " \r\n", "\n\r",
        ],
    )
}

fn chunk() -> Bytes {
    data()
        .prop_filter("an empty chunk is the last", |data| !data.is_empty())
        .prop_flat_map(|data| {
            (
                size_text(data.len()),
                extension(),
                chunk_end(),
                Just(data),
                chunk_end(),
            )
                .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].concat())
        })
        .boxed()
}

fn last_chunk() -> Bytes {
    let size = mostly(
        30,
        &["0", "0", "000", "0000000000000000"],
        &["", "00000000000000000", "1", ";x", " "],
    );
    let trailer = prop_oneof![
        10 => one_of(&["", "", "", "x: y\r\n", "X-A:\r\nx-b: c\r\n", "content-length: 3\r\n"]),
        1 => one_of(&["no colon\r\n", "x: y\r\n folded\r\n", "x: y\n", "x y: z\r\n", "x: \0\r\n", " \r\n", "x: y\rz\r\n", "\r", ":\r\n", "f\u{e4}: y\r\n"]),
        1 => prop_oneof![90usize..140, 1_000usize..3_000].prop_map(|count| "x: y\r\n".repeat(count).into_bytes()),
    ];
    (
        size,
        extension(),
        chunk_end(),
        trailer,
        mostly(30, &["\r\n"], &["\n", "", "\r", "x\r\n", "\n\r\n"]),
    )
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].concat())
        .boxed()
}

fn chunks() -> Bytes {
    (vec(chunk(), 0..5).prop_map(join), last_chunk())
        .prop_map(|(a, b)| [a, b].concat())
        .boxed()
}

/// Lines that say how long a body is, and the body.
pub(super) fn framed() -> BoxedStrategy<(Vec<u8>, Vec<u8>)> {
    let measured = data().prop_flat_map(|data| (length_lines(data.len()), Just(data)));
    let both = (coding_lines(), chunks()).prop_flat_map(|(coding, body)| {
        let lines = length_lines(body.len()).prop_map(move |length| (coding.clone(), length));
        (lines, any::<bool>(), Just(body)).prop_map(|((coding, length), first, body)| {
            let lines = if first {
                [coding, length]
            } else {
                [length, coding]
            };
            (lines.concat(), body)
        })
    });
    prop_oneof![
        8 => measured,
        8 => (coding_lines(), chunks()),
        1 => both,
        1 => (coding_lines(), data()),
        2 => (Just(Vec::new()), data()),
    ]
    .boxed()
}
