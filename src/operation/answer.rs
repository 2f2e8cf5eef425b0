//! The answer to a call: its data, how each request went, and what failed.

use crate::caller::ReplyPort;
use crate::error::Error;
use crate::job::{End, Gather, Part, RequestError, RequestRecord};
use crate::policy::pieces::Requests;
use std::fmt;
use std::ops::{Deref, Range};
use std::time::Duration;

/// The answer to a call. It can be used as its data, of type `T`. The default is one of a call that
/// had no inputs.
#[derive(Clone, Default)]
pub struct Answer<T> {
    data: T,
    requests: Vec<RequestRecord>,
    errors: Vec<RequestError>,
    total_time: Duration,
}

impl<T> Answer<T> {
    /// How each request went, in input order.
    #[must_use]
    pub fn requests(&self) -> &[RequestRecord] {
        &self.requests
    }

    /// The requests that failed, in the order in which they did. Empty in the answer to a call
    /// with [`OnError::Raise`](crate::OnError::Raise), whose first failure is its end.
    #[must_use]
    pub fn errors(&self) -> &[RequestError] {
        &self.errors
    }

    /// Whether every request succeeded.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.requests.iter().all(|request| request.attempts > 0)
    }

    /// From the call to its answer.
    #[must_use]
    pub fn total_time(&self) -> Duration {
        self.total_time
    }

    /// The data alone.
    #[must_use]
    pub fn into_data(self) -> T {
        self.data
    }

    /// All that it holds, given away.
    #[must_use]
    pub fn into_parts(self) -> Parts<T> {
        let Self {
            data,
            requests,
            errors,
            total_time,
        } = self;
        Parts {
            data,
            requests,
            errors,
            total_time,
        }
    }
}

/// What an [`Answer`] holds.
#[derive(Debug, Clone)]
pub struct Parts<T> {
    /// The data.
    pub data: T,
    /// How each request went, in input order.
    pub requests: Vec<RequestRecord>,
    /// The requests that failed, in the order in which they did.
    pub errors: Vec<RequestError>,
    /// From the call to its answer.
    pub total_time: Duration,
}

impl<T> Deref for Answer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

impl<T: fmt::Debug> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("data", &self.data)
            .field("requests", &self.requests.len())
            .field("errors", &self.errors)
            .field("total_time", &self.total_time)
            .finish()
    }
}

/// Data that is joined from the parts that requests give.
pub(crate) trait Join: Send + Sync + 'static {
    /// Puts a part where it belongs, or says why it does not fit the others.
    fn join(&mut self, inputs: Range<usize>, part: Part) -> Result<(), String>;

    /// No part came for these inputs. Called at the end, after all that came.
    fn leave_out(&mut self, inputs: Range<usize>);

    /// All that came is joined, and all else left out.
    fn end(&mut self) {}
}

/// Joins the parts of a call, and answers it.
pub(crate) struct Collect<T> {
    /// Its records reach up to the last request that succeeded so far.
    answer: Answer<T>,
    reply: ReplyPort<Result<Answer<T>, Error>>,
}

impl<T> Collect<T> {
    pub(crate) fn new(data: T, reply: ReplyPort<Result<Answer<T>, Error>>) -> Self {
        let answer = Answer {
            data,
            requests: Vec::new(),
            errors: Vec::new(),
            total_time: Duration::ZERO,
        };
        Self { answer, reply }
    }
}

impl<T: Join> Gather for Collect<T> {
    fn planned(&mut self, requests: usize) {
        self.answer.requests.reserve_exact(requests);
    }

    fn accept(&mut self, request: usize, part: Part, record: RequestRecord) -> Result<(), String> {
        self.answer.data.join(record.inputs.clone(), part)?;
        let records = &mut self.answer.requests;
        if records.len() <= request {
            records.resize(request + 1, RequestRecord::default());
        }
        records[request] = record;
        Ok(())
    }

    fn failed(&mut self, failed: RequestError, _: u32) {
        self.answer.errors.push(failed);
    }

    fn finish(self: Box<Self>, end: End, requests: Option<&Requests>, total_time: Duration) {
        let Self { mut answer, reply } = *self;
        answer.total_time = total_time;
        let all_succeeded = matches!(end, End::Done) && answer.errors.is_empty();
        if let Some(requests) = requests {
            if !all_succeeded {
                leave_out_the_others(&mut answer, requests);
            }
            if requests.has_pieces() {
                put_pieces_in_place(&mut answer.requests, requests);
            }
        }
        answer.data.end();
        reply.send(match end {
            End::Done => Ok(answer),
            End::Failed(error) => Err(error.with_partial(answer)),
            End::CutShort(error) => {
                answer.blame_unfinished(&error);
                Ok(answer)
            }
        });
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }
}

/// Leaves out what no request gave, with a record that has no attempts.
fn leave_out_the_others<T: Join>(answer: &mut Answer<T>, requests: &Requests) {
    let numbers = requests.numbered();
    answer.requests.resize(numbers, RequestRecord::default());
    for (request, record) in answer.requests.iter_mut().enumerate() {
        if record.attempts == 0 && !requests.was_cut(request) {
            record.inputs = requests.range(request);
            answer.data.leave_out(record.inputs.clone());
        }
    }
}

/// Brings the records into input order, without those of requests that were cut.
fn put_pieces_in_place(records: &mut Vec<RequestRecord>, requests: &Requests) {
    let mut request = 0;
    records.retain(|_| {
        request += 1;
        !requests.was_cut(request - 1)
    });
    records.sort_by_key(|record| record.inputs.start);
}

impl<T> Answer<T> {
    /// Gives every request that neither succeeded nor failed this error.
    fn blame_unfinished(&mut self, error: &Error) {
        let failed: std::collections::HashSet<usize> = self
            .errors
            .iter()
            .map(|failed| failed.inputs.start)
            .collect();
        let unfinished = self
            .requests
            .iter()
            .filter(|record| record.attempts == 0 && !failed.contains(&record.inputs.start));
        self.errors.extend(unfinished.map(|record| RequestError {
            inputs: record.inputs.clone(),
            error: error.clone(),
        }));
    }
}
