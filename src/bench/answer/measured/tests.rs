//! What is read off answers.

use super::*;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

fn content(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

const ROLE: &str =
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const REASONING: &str = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n";
const FINISH: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn usage(tokens: u64) -> String {
    format!(
        "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":4,\"completion_tokens\":{tokens}}}}}\n\n"
    )
}

/// The pieces as they came, one a millisecond; with the body that they make.
fn arrived(pieces: &[&str]) -> (Timing, String) {
    let sent = Instant::now();
    let mut body = String::new();
    let mut stamps = Vec::new();
    for (number, piece) in (10..).zip(pieces) {
        body.push_str(piece);
        stamps.push((body.len(), sent + number * MS));
    }
    let timing = Timing {
        sent,
        head: sent + 5 * MS,
        pieces: stamps,
    };
    (timing, body)
}

fn stream(pieces: &[&str]) -> Result<Measured, DecodeError> {
    let (timing, body) = arrived(pieces);
    Measured::read(Expected::Stream, body.as_bytes(), &timing)
}

fn since(measured: &Measured, at: Option<Instant>) -> Option<u128> {
    at.map(|at| (at - measured.sent).as_millis())
}

#[test]
fn first_byte_role_reasoning_and_content_are_told_apart() {
    let (one, two) = (content("a"), content("b"));
    let measured = stream(&[
        ROLE,
        REASONING,
        REASONING,
        &one,
        &two,
        FINISH,
        &usage(4),
        DONE,
    ])
    .unwrap();
    assert_eq!(since(&measured, Some(measured.first_byte)), Some(5));
    assert_eq!(since(&measured, measured.first_reasoning), Some(11));
    assert_eq!(since(&measured, measured.first_token), Some(13));
    assert_eq!(since(&measured, Some(measured.ended)), Some(17));
    assert_eq!(measured.token_gaps, [MS], "between content tokens");
    assert_eq!(measured.chunk_gaps, [MS; 6], "between all chunks");
    let tokens = (
        measured.tokens.prompt,
        measured.tokens.completion,
        measured.tokens.estimated,
    );
    assert_eq!(tokens, (Some(4), Some(4), false));
}

#[test]
fn a_role_alone_is_no_token() {
    let measured = stream(&[ROLE, FINISH, DONE]).unwrap();
    assert_eq!(
        (measured.first_token, measured.tokens.completion),
        (None, Some(0))
    );
}

#[test]
fn several_tokens_a_chunk_share_its_gap() {
    let piece = content("three words each ");
    let measured = stream(&[&piece, &piece, &piece, &usage(9), DONE]).unwrap();
    assert_eq!(measured.token_gaps.len(), 6);
    assert!(measured.token_gaps.iter().all(|gap| *gap == MS / 3));
    assert_eq!(measured.chunk_gaps.len(), 3);
}

#[test]
fn without_usage_a_chunk_is_a_token_and_the_count_an_estimate() {
    let piece = content("a");
    let measured = stream(&[&piece, &piece, DONE]).unwrap();
    assert!(measured.tokens.estimated);
    assert_eq!(measured.tokens.completion, Some(2));
}

#[test]
fn a_stream_without_its_end_is_cut_short() {
    let piece = content("a");
    assert!(stream(&[&piece, FINISH]).is_ok(), "its reason is an end");
    assert!(stream(&[&piece, DONE]).is_ok());
    assert!(
        stream(&[&piece, "data: [DONE]"]).is_ok(),
        "the last line break is not waited for"
    );
    for pieces in [vec![], vec![ROLE], vec![piece.as_str()], vec![&piece[..20]]] {
        assert!(stream(&pieces).unwrap_err().is_malformed(), "{pieces:?}");
    }
    let broken = [piece.as_str(), "data: {\"choices\":\n\n", DONE];
    assert!(stream(&broken).unwrap_err().is_malformed());
    let error = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
    assert!(!stream(&[&piece, error, DONE]).unwrap_err().is_malformed());
}

#[test]
fn a_body_that_came_compressed_has_no_times_between_tokens() {
    let (mut timing, body) = arrived(&[&content("a"), &content("b"), DONE]);
    timing.pieces.truncate(1);
    let measured = Measured::read(Expected::Stream, body.as_bytes(), &timing).unwrap();
    assert_eq!(measured.first_token, None);
    assert!(measured.token_gaps.is_empty());
    assert_eq!(measured.tokens.completion, Some(2));
}

proptest! {
    /// The events are the same and each is stamped when its last byte came, whatever the split.
    #[test]
    fn a_stream_is_read_whatever_the_split_of_its_bytes(
        words in prop::collection::vec("[a-z]{1,9}", 1..8),
        cuts in prop::collection::vec(0usize..1000, 0..20),
        carriage in any::<bool>(),
    ) {
        let mut parts = vec![format!(": hello\n\n{ROLE}")];
        parts.extend(words.iter().map(|word| content(word)));
        parts.push(format!("{FINISH}{}{DONE}", usage(words.len() as u64)));
        let breaks = if carriage { "\r\n" } else { "\n" };
        let parts: Vec<String> = parts.iter().map(|part| part.replace('\n', breaks)).collect();
        let body = parts.concat();
        let mut ends: Vec<usize> = cuts.into_iter().filter(|cut| *cut < body.len()).collect();
        ends.push(body.len());
        ends.sort_unstable();
        let sent = Instant::now();
        let at = |end: usize| {
            let piece = ends.iter().position(|cut| *cut >= end).unwrap_or(0);
            sent + u32::try_from(piece).unwrap() * MS
        };
        let pieces = ends.iter().map(|end| (*end, at(*end))).collect();
        let timing = Timing { sent, head: sent, pieces };
        let measured = Measured::read(Expected::Stream, body.as_bytes(), &timing).unwrap();
        let token = |count: usize| at(parts[..=count].iter().map(String::len).sum());
        prop_assert_eq!(measured.first_token, Some(token(1)));
        let gaps: Vec<Duration> = (1..words.len()).map(|word| token(word + 1) - token(word)).collect();
        prop_assert_eq!(measured.token_gaps, gaps);
        prop_assert_eq!(measured.tokens.completion, Some(words.len() as u64));
    }

    #[test]
    fn any_body_is_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let sent = Instant::now();
        let timing = Timing { sent, head: sent, pieces: vec![(body.len(), sent)] };
        for expected in [Expected::Stream, Expected::Json, Expected::Anything] {
            let _ = Measured::read(expected, &body, &timing);
        }
    }
}
