//! Reading an answer moves no time that is measured, however slow the reader is.

use crate::actor::{Placement, System};
use crate::bench::answer::{Expected, Measured, WorkloadRequest};
use crate::bench::plan::{BenchmarkConfig, Blueprint, RunMode};
use crate::decode::DecodeError;
use crate::headers::Headers;
use crate::job::{End, Gather, Job, Observer, Operation, Part, RequestError, RequestRecord};
use crate::mock::{MockConfig, MockServer};
use crate::policy::pieces::Requests;
use crate::transport::Head;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// A request whose reader takes its time before it begins.
struct Slow(WorkloadRequest, Duration);

impl Operation for Slow {
    fn head(&self) -> &Arc<Head> {
        &self.0.head
    }

    fn inputs(&self) -> usize {
        1
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
    let config = BenchmarkConfig::try_new(
        format!("{}/v1/chat/completions", server.url()),
        None,
        1,
        RunMode::Finite {
            requests_per_user: 1,
        },
        serde_json::json!({"messages": [], "stream": true}),
    );
    let blueprint = Blueprint::new(&config.unwrap()).unwrap();
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

    fn finish(self: Box<Self>, _: End, _: Option<&Requests>, _: Duration) {}

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
