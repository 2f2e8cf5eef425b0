//! What the facades need of a call, whichever operation it asks for; and what calls share.

use super::Endpoint;
use crate::caller::ReplyPort;
use crate::error::{Error, Result};
use crate::job::Job;
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

/// How many bytes that writes.
pub(super) fn json_length(text: &str) -> usize {
    let more = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0..0x20 => 5,
        _ => 0,
    };
    let escapes: usize = text.bytes().map(more).sum();
    text.len() + escapes + 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_length_of_a_json_string_is_known_before_it_is_written(
            text in "[\\x00-\\x7f\\PC]{0,40}",
        ) {
            let mut written = Vec::new();
            write_json_string(&mut written, &text);
            prop_assert_eq!(json_length(&text), written.len());
        }
    }
}
