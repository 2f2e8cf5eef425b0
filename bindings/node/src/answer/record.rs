//! What every answer says beside its data: times, headers, errors.

use crate::failure::FailedRequest;
use crate::headers::pairs;
use hedgerow::{RequestError, RequestRecord};
use napi::bindgen_prelude::Float64Array;
use napi_derive::napi;
use std::sync::{Arc, OnceLock};

/// Where the records of an answer are kept.
pub(crate) trait Recorded: Send + Sync {
    /// Shows them once.
    fn show(&self, look: &mut dyn FnMut(Shown<'_>));
}

/// The records of an answer.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) requests: &'a [RequestRecord],
    pub(crate) errors: &'a [RequestError],
    /// Seconds.
    pub(crate) total_time: f64,
}

impl<T: Send + Sync> Recorded for hedgerow::Answer<T> {
    fn show(&self, look: &mut dyn FnMut(Shown<'_>)) {
        look(Shown {
            requests: self.requests(),
            errors: self.errors(),
            total_time: self.total_time().as_secs_f64(),
        });
    }
}

/// How the requests of a call went.
#[napi]
pub(crate) struct Record {
    source: Arc<dyn Recorded>,
    /// The places of the errors, in the order of the inputs.
    order: OnceLock<Vec<usize>>,
}

#[napi]
impl Record {
    /// Seconds from the call to its answer.
    #[napi(getter)]
    pub fn total_time(&self) -> f64 {
        self.read(|shown| shown.total_time)
    }

    /// Seconds, a number a request; NaN where it did not succeed.
    #[napi]
    pub fn times(&self) -> Float64Array {
        let seconds = |request: &RequestRecord| match request.attempts {
            0 => f64::NAN,
            _ => request.time.as_secs_f64(),
        };
        let times: Vec<f64> = self.read(|shown| shown.requests.iter().map(seconds).collect());
        Float64Array::new(times)
    }

    /// The headers of a request's answer: names and values, by turns.
    #[napi]
    pub fn headers(&self, request: u32) -> Vec<String> {
        self.read(|shown| {
            let request = shown.requests.get(request as usize);
            request
                .map(|request| pairs(&request.headers))
                .unwrap_or_default()
        })
    }

    /// How many requests failed.
    #[napi(getter)]
    pub fn failed(&self) -> u32 {
        self.read(|shown| u32::try_from(shown.errors.len()).unwrap_or(u32::MAX))
    }

    /// Some of the requests that failed, in the order of the inputs.
    #[napi]
    pub fn errors(&self, start: u32, end: u32) -> Vec<FailedRequest> {
        self.read(|shown| {
            let order = self.order.get_or_init(|| in_order(shown.errors));
            let some = order.get(start as usize..end as usize);
            let some = some.unwrap_or_default().iter();
            some.map(|place| FailedRequest::from(&shown.errors[*place]))
                .collect()
        })
    }
}

fn in_order(errors: &[RequestError]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..errors.len()).collect();
    places.sort_by_key(|place| errors[*place].inputs.start);
    places
}

impl Record {
    pub(super) fn of<R: Recorded + 'static>(source: &Arc<R>) -> Self {
        Self {
            source: Arc::<R>::clone(source),
            order: OnceLock::new(),
        }
    }

    fn read<R>(&self, look: impl FnOnce(Shown<'_>) -> R) -> R {
        let mut look = Some(look);
        let mut found = None;
        self.source
            .show(&mut |shown| found = look.take().map(|look| look(shown)));
        found.expect("records are shown once")
    }
}
