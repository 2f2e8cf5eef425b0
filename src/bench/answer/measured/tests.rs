//! What is read off answers, and that reading moves no time.

use super::*;
use crate::actor::{Placement, System};
use crate::bench::answer::operation::WorkloadRequest;
use crate::headers::Headers;
use crate::job::{End, Gather, Job, Observer, Operation, Part, RequestError, RequestRecord};
use crate::mock::{MockConfig, MockServer};
use crate::policy::split::Plan;
use crate::transport::Head;
use bytes::Bytes;
use proptest::prelude::*;
use std::ops::Range;
use std::sync::Arc;

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

/// A request whose reader takes its time before it begins.
struct Slow(WorkloadRequest, Duration);

impl Operation for Slow {
    fn head(&self) -> &Arc<Head> {
        &self.0.head
    }

    fn inputs(&self) -> usize {
        1
    }

    fn chars(&self, _: usize) -> usize {
        0
    }

    fn leaves_encoding_open(&self) -> bool {
        false
    }

    fn body(&self, inputs: Range<usize>, base64: bool) -> Option<Bytes> {
        self.0.body(inputs, base64)
    }

    fn decode(&self, _: Range<usize>, _: &Headers, _: &mut Vec<u8>) -> Result<Part, DecodeError> {
        unreachable!("its observer reads")
    }

    fn observer(&self) -> Option<Box<dyn Observer>> {
        let stopwatch = self.0.observer().expect("every attempt is timed");
        Some(Box::new(SlowReader(stopwatch, self.1)))
    }
}

struct SlowReader(Box<dyn Observer>, Duration);

impl Observer for SlowReader {
    fn head_came(&mut self) {
        self.0.head_came();
    }

    fn piece_came(&mut self, length: usize) {
        self.0.piece_came(length);
    }

    fn decode(self: Box<Self>, headers: &Headers, body: &mut Vec<u8>) -> Result<Part, DecodeError> {
        std::thread::sleep(self.1);
        self.0.decode(headers, body)
    }
}

/// The times to the first token of streams that come one after the other.
fn times_to_first_token(server: &MockServer, slowness: Duration) -> Duration {
    let config = crate::bench::BenchmarkConfig::try_new(
        format!("{}/v1/chat/completions", server.url()),
        None,
        1,
        crate::bench::RunMode::Finite {
            requests_per_user: 1,
        },
        serde_json::json!({"messages": [], "stream": true}),
    );
    let blueprint = crate::bench::plan::Blueprint::new(&config.unwrap()).unwrap();
    let system = System::builder()
        .placement(Placement::Threads(1))
        .start()
        .unwrap();
    let times = (0..10).map(|_| {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let request = blueprint.workload.request(0);
        let prepared = WorkloadRequest {
            head: Arc::clone(request.head()),
            body: request.body(0..1, false).unwrap(),
            expected: Expected::Stream,
        };
        let job = Job::without_ports(
            Arc::new(Slow(prepared, slowness)),
            Box::new(Deliver(sender)),
            Arc::new(blueprint.settings.clone()),
        );
        system.submit(job).unwrap();
        let measured = receiver.recv().unwrap();
        measured.first_token.unwrap() - measured.sent
    });
    let shortest = times.min().unwrap();
    system.shutdown_blocking().unwrap();
    shortest
}

/// Hands over what was measured.
struct Deliver(crossbeam_channel::Sender<Box<Measured>>);

impl Gather for Deliver {
    fn planned(&mut self, _: usize) {}

    fn accept(&mut self, _: usize, part: Part, _: RequestRecord) -> Result<(), String> {
        if let Part::Other(measured) = part {
            self.0.send(measured.downcast().unwrap()).unwrap();
        }
        Ok(())
    }

    fn failed(&mut self, _: RequestError, _: u32) {}

    fn finish(self: Box<Self>, _: End, _: Option<&Plan>, _: Duration) {}

    fn is_abandoned(&self) -> bool {
        false
    }
}

/// METHOD 4.
#[test]
fn a_parser_that_is_ten_milliseconds_slower_does_not_move_the_time_to_first_token() {
    let server = MockServer::start_with(MockConfig {
        ttft: 20 * MS,
        itl: MS,
        tokens: 5,
        ..MockConfig::default()
    })
    .unwrap();
    let fast = times_to_first_token(&server, Duration::ZERO);
    let slow = times_to_first_token(&server, 10 * MS);
    assert!(fast >= 20 * MS && slow >= 20 * MS, "{fast:?}, {slow:?}");
    // The shortest of ten each: the machine may be busy with other things.
    assert!(slow < fast + 5 * MS, "{slow:?} against {fast:?}");
}
