//! What an endpoint makes of a request that it cannot read.

/// A request that its endpoint cannot answer: status 400, and why.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) String);

impl Refusal {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("the body cannot be read: {error}"))
    }
}
