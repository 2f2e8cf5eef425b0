//! Heads of HTTP/1.1, beside httparse and the framing rules in the order in which RFC 9112 has them.

use crate::{ends, number_and_rest};
use hedgerow::internals::fuzz::{PlainFraming, PlainHead, head};

/// The first byte says in pieces of which size the others come.
///
/// # Panics
///
/// When a head is read in another way, or in another way when it comes in pieces.
pub fn heads(data: &[u8]) {
    let (size, bytes) = number_and_rest(data);
    let whole = head(bytes, [bytes.len()]);
    let pieces = head(bytes, ends(bytes.len(), size.max(1)));
    match (&whole, &pieces) {
        (Err(_), Err(_)) => {}
        // One that comes in pieces is looked at when a line has ended.
        (Err(_), Ok(None)) if !bytes.ends_with(b"\n") => {}
        _ => assert_eq!(whole, pieces, "in pieces of {size}"),
    }
    assert_eq!(whole.ok(), by_the_rules(bytes).ok());
}

fn by_the_rules(bytes: &[u8]) -> Result<Option<PlainHead>, ()> {
    let mut passed = 0;
    loop {
        let mut headers = vec![httparse::EMPTY_HEADER; 1024];
        let mut answer = httparse::Response::new(&mut headers);
        let answered = httparse::ParserConfig::default()
            .allow_spaces_after_header_name_in_responses(true)
            .parse_response(&mut answer, &bytes[passed..]);
        let httparse::Status::Complete(length) = answered.map_err(drop)? else {
            return Ok(None);
        };
        let status = answer.code.ok_or(())?;
        if status < 100 || status == 101 {
            return Err(());
        }
        let headers: Vec<_> = answer
            .headers
            .iter()
            .map(|header| (header.name.to_ascii_lowercase(), text_of(header.value)))
            .collect();
        let framing = framing(status, &headers)?;
        passed += length;
        if status >= 200 {
            let keeps_alive = keeps_alive(answer.version == Some(1), &headers);
            return Ok(Some((status, headers, framing, keeps_alive, passed)));
        }
    }
}

fn text_of(value: &[u8]) -> String {
    String::from_utf8(value.to_vec())
        .unwrap_or_else(|_| value.iter().map(|byte| char::from(*byte)).collect())
}

/// The parts between the commas of all headers of this name.
fn parts(headers: &[(String, String)], name: &str) -> Vec<String> {
    headers
        .iter()
        .filter(|(other, _)| other == name)
        .flat_map(|(_, value)| value.split(','))
        .map(|part| part.trim_matches([' ', '\t']).to_ascii_lowercase())
        .collect()
}

fn framing(status: u16, headers: &[(String, String)]) -> Result<PlainFraming, ()> {
    let lengths = parts(headers, "content-length");
    let mut length: Option<u64> = None;
    for part in &lengths {
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(());
        }
        let number = part.parse().map_err(drop)?;
        if length.is_some_and(|length| length != number) {
            return Err(());
        }
        length = Some(number);
    }
    let codings = codings(headers);
    Ok(if status == 204 || status == 304 {
        PlainFraming::Empty
    } else if codings.last().is_some_and(|last| last == "chunked") {
        PlainFraming::Chunked
    } else if !codings.is_empty() {
        PlainFraming::UntilClose
    } else {
        length.map_or(PlainFraming::UntilClose, PlainFraming::Length)
    })
}

fn codings(headers: &[(String, String)]) -> Vec<String> {
    let mut codings = parts(headers, "transfer-encoding");
    codings.retain(|coding| !coding.is_empty() && coding != "identity");
    codings
}

fn keeps_alive(is_1_1: bool, headers: &[(String, String)]) -> bool {
    let options = parts(headers, "connection");
    let says = |option| options.iter().any(|other| other == option);
    let has_length = headers.iter().any(|(name, _)| name == "content-length");
    let trusted = codings(headers).is_empty() || (is_1_1 && !has_length);
    trusted && !says("close") && (is_1_1 || says("keep-alive"))
}
