//! What the facades need of a call, whichever operation it asks for; and what calls share.

use super::Endpoint;
use crate::actor::{Job, ReplyPort};
use crate::error::{Error, Result};
use actix::Message;

/// A call that the facades can carry out: it is checked, and becomes what the actors work on.
pub(crate) trait Call: Message<Result = Result<<Self as Call>::Answer>> + Send {
    /// What the caller gets.
    type Answer: Send + 'static;

    /// Checks the call and makes of it what the actors work on.
    fn into_job(self, endpoint: &Endpoint, reply: ReplyPort<Result<Self::Answer>>) -> Result<Job>;
}

/// Checks how many inputs a call has. `empty` is what is said where it has none.
pub(super) fn check_count(count: usize, empty: &'static str) -> Result<()> {
    if count == 0 {
        return Err(Error::config(empty));
    }
    // Requests are numbered with 32 bits.
    if u32::try_from(count).is_err() {
        let most = u32::MAX;
        return Err(Error::config(format!(
            "a call takes at most {most} inputs (got {count})"
        )));
    }
    Ok(())
}

/// Writing a string into memory cannot fail.
pub(super) fn write_json_string(into: &mut Vec<u8>, text: &str) {
    let written = serde_json::to_writer(into, text);
    debug_assert!(written.is_ok());
}

/// The body of a request: `opening`, the texts between `around` each and commas, room for
/// `closing` bytes that the caller may add.
pub(super) fn write_texts(
    opening: &[u8],
    texts: &[String],
    around: [&str; 2],
    closing: usize,
) -> Vec<u8> {
    /// Room for an escape or two, quotes, brackets and a comma.
    const ROOM: usize = 10;
    let length: usize = texts.iter().map(|text| text.len() + ROOM).sum();
    let mut body = Vec::with_capacity(opening.len() + length + closing);
    body.extend_from_slice(opening);
    for (position, text) in texts.iter().enumerate() {
        if position > 0 {
            body.push(b',');
        }
        body.extend_from_slice(around[0].as_bytes());
        write_json_string(&mut body, text);
        body.extend_from_slice(around[1].as_bytes());
    }
    body
}
