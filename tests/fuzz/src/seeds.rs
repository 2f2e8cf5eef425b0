//! What mutations begin with: valid inputs of each target, and pieces that are put into them.

use rmpv::Value;

/// For `embeddings`.
#[must_use]
pub fn embeddings() -> Vec<Vec<u8>> {
    let answers = [
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2.5e-3,3]},{"index":1,"embedding":[1,2,3]}],"model":"m","usage":{"prompt_tokens":5,"total_tokens":5}}"#,
        r#"{"data":[{"embedding":[1.0,0.25],"index":1},{"embedding":[-0.5,4e2],"index":0}]}"#,
        r#"{"model":"\u00fc\"m\"","data":[{"embedding":"AACAPwAAAEA="},{"embedding":"AACAPwAAAEA"}],"usage":null}"#,
        r#" { "data" : [ { "embedding" : [ 1 , 2 ] , "x" : {"y":[true,false,null,"]}"]} } , {"embedding":[3,4]} ] , "z" : -1.5e-7 } "#,
        r#"{"data":[{"embedding":[0.12345678901234567,1e-46,3.4028235e38,16777217,-0,0.000001,1E5,123456789012345678901234567890]},{"embedding":[1,2,3,4,5,6,7,8]}]}"#,
        r#"{"data":[{"embedding":[1,null]},{"embedding":[1,2]}]}"#,
    ];
    let with_count = |answer: &&str| [b"\x02", answer.as_bytes()].concat();
    let mut seeds: Vec<_> = answers.iter().map(with_count).collect();
    seeds.push([b"\x00".as_slice(), br#"{"data":[]}"#].concat());
    seeds
}

/// For `message_pack`.
///
/// # Panics
///
/// Never: a vector takes all that is written to it.
#[must_use]
pub fn message_pack() -> Vec<Vec<u8>> {
    let text = |text: &str| Value::from(text);
    let row = |index: u64, embedding: Value| {
        Value::Map(vec![
            (text("index"), index.into()),
            (text("embedding"), embedding),
            (text("object"), text("embedding")),
        ])
    };
    let vectors = [
        Value::Array(vec![
            Value::F32(0.5),
            Value::F64(-1.25),
            Value::from(3),
            Value::from(-700),
        ]),
        Value::Binary(
            [1.5f32, 2.0, -3.0, 0.0]
                .iter()
                .flat_map(|it| it.to_le_bytes())
                .collect(),
        ),
        text("AACAPwAAAEAAAIA/AAAAQA=="),
    ];
    let mut seeds = Vec::new();
    for vector in &vectors {
        let usage = vec![
            (text("prompt_tokens"), 9.into()),
            (text("total_tokens"), 300.into()),
        ];
        let answer = Value::Map(vec![
            (text("object"), text("list")),
            (
                text("data"),
                Value::Array(vec![row(1, vector.clone()), row(0, vectors[0].clone())]),
            ),
            (text("model"), text("m")),
            (text("usage"), Value::Map(usage)),
            (
                text("x"),
                Value::Array(vec![Value::Nil, true.into(), Value::Ext(5, vec![1, 2])]),
            ),
        ]);
        let mut bytes = vec![2];
        rmpv::encode::write_value(&mut bytes, &answer).expect("a vector takes it");
        seeds.push(bytes);
    }
    seeds
}

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// For `events`.
#[must_use]
pub fn events() -> Vec<Vec<u8>> {
    bytes(&[
        "data: {\"a\":1}\n\ndata: {\"b\":2}\n\ndata: [DONE]\n\n",
        "\u{feff}event: x\r\nid: 7\r\ndata: one\r\ndata:two\r\ndata\r\n\r\n: comment\r\n\r\ndata: [DONE]",
        "data:a\r\rretry: 5\rdata: b\r\r",
        "data: a\n\ndata: cut",
        "data: a\ndata: b\n",
    ])
}

/// For `heads`; the first byte is the size of the pieces.
#[must_use]
pub fn heads() -> Vec<Vec<u8>> {
    bytes(&[
        "\x07HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX-Y:  z \r\n\r\nhello",
        "\x01HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nconnection: close\r\n\r\n",
        "\x09HTTP/1.0 200\r\nContent-Length : 5, 5\r\nConnection: keep-alive\r\n\r\n",
        "\x05HTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 C\n\nHTTP/1.1 304 No\r\ncontent-length: 9\r\n\r\n",
        "\x03\r\nHTTP/1.1 204 No\r\ntransfer-encoding: identity\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n",
    ])
}

/// For `chunks`; the first byte is the size of the pieces.
#[must_use]
pub fn chunks() -> Vec<Vec<u8>> {
    bytes(&[
        "\x045\r\nhello\r\n0\r\n\r\nHTTP",
        "\x01a;x=\"y\"\r\nhellohello\r\n1\t;z\r\n!\r\n000\r\nx: y\r\nz: w\r\n\r\n",
        "\x0600000000000000000005\r\nhello\r\nFFFFFFFFFFFFFFFF\r\nmore",
        "\x020 \r\n\n",
    ])
}

/// For `retry_after`.
#[must_use]
pub fn retry_after() -> Vec<Vec<u8>> {
    bytes(&[
        "120",
        "1.5",
        "1500\n2",
        "Tue, 14 Nov 2023 22:14:20 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "soon\nTue, 14 Nov 2023 22:14:20 GMT",
        "-1",
        "nan\ninf",
        "1e300\n1e19",
        "18446744073709551615",
    ])
}

/// For `base64`.
#[must_use]
pub fn base64() -> Vec<Vec<u8>> {
    bytes(&[
        "AACAPwAAAEA=",
        "AACAPwAAAEA",
        "AACAPw==",
        "AACAPw",
        "AACAPwAAAEAAAEBA",
        "",
        "//8=+/+/",
    ])
}

/// What is put into inputs.
pub const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b" ",
    b"\t",
    b"\0",
    b"\xff",
    b"\xc3\xbc",
    b",",
    b":",
    b";",
    b"=",
    b"==",
    b"0",
    b"1",
    b"-",
    b"+",
    b".",
    b"e",
    b"E9",
    b"e-400",
    b"1e999",
    b"18446744073709551616",
    b"ffffffffffffffff",
    b"00000000000000000000",
    b"null",
    b"true",
    b"NaN",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\"",
    b"\\",
    b"\\u00e9",
    b"\\ud800",
    b"\"index\":0",
    b"\"embedding\":[1]",
    b"\"data\":[]",
    b"data",
    b"data:",
    b"data: ",
    b"[DONE]",
    b"index",
    b"embedding",
    b"usage",
    b"model",
    b"HTTP/1.1 100 C\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"content-length: 5\r\n",
    b"Content-Length:4\r\n",
    b"transfer-encoding: chunked\r\n",
    b"transfer-encoding:identity\r\n",
    b"connection: close\r\n",
    b"chunked",
    b"identity",
    b"\xc0",
    b"\xc1",
    b"\xc4\x04",
    b"\xca\x7f\x80\0\0",
    b"\xcb",
    b"\xd9\x01",
    b"\xdc\0\x01",
    b"\xdf",
    b"\xdd\xff\xff\xff\xff",
    b"\x81",
    b"\x91",
    b"\xc7",
    b"\xd4",
    b"GMT",
    b"Sun, ",
    b"60",
    b"2024",
    b"99",
    b"A",
    b"AAAA",
    b"/",
    b"_",
];
