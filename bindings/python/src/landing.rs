//! How the answer to a call under way lands on an event loop.

use crate::bridge::{Landing, PendingCall};
use crate::failure::respond;
use crate::process::Owned;
use crate::response::IntoResponse;
use hedgerow::Pending;
use std::future::{Future, poll_fn};
use std::pin::Pin;

/// A call under way, that ends in the object of its answer or in a `Failure`.
pub(crate) fn landing<A: IntoResponse>(pending: Pending<A>) -> PendingCall {
    let mut pending = Owned::new(pending);
    Box::pin(poll_fn(move |context| {
        // The bridge polls nothing of its parent's.
        let Some(pending) = pending.get_mut() else {
            return std::task::Poll::Pending;
        };
        Pin::new(pending).poll(context).map(|answer| {
            let landing: Landing = Box::new(move |py| match respond(py, answer)? {
                Ok(response) => Ok(response),
                Err(failure) => Ok(failure.into_any()),
            });
            landing
        })
    }))
}
