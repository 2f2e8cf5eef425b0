//! How the answer to a call under way lands on an event loop.

use crate::bridge::{Landing, PendingCall};
use crate::failure::respond;
use crate::process::Owned;
use crate::response::IntoResponse;
use hedgerow::Pending;
use std::future::{Future, poll_fn, ready};
use std::pin::Pin;
use std::task::Poll;

/// A call that has begun, or has failed to: ends in the object of its answer or in a `Failure`.
pub(crate) fn landing<A: IntoResponse>(begun: hedgerow::Result<Pending<A>>) -> PendingCall {
    let mut pending = match begun {
        Ok(pending) => Owned::new(pending),
        Err(error) => return Box::pin(ready(land::<A>(Err(error)))),
    };
    Box::pin(poll_fn(move |context| {
        // The bridge polls nothing of its parent's.
        let Some(pending) = pending.get_mut() else {
            return Poll::Pending;
        };
        Pin::new(pending).poll(context).map(land)
    }))
}

fn land<A: IntoResponse>(answer: hedgerow::Result<A>) -> Landing {
    Box::new(move |py| match respond(py, answer)? {
        Ok(response) => Ok(response),
        Err(failure) => Ok(failure.into_any()),
    })
}
