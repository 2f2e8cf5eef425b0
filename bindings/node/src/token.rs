//! `CancellationToken`.

use napi_derive::napi;

/// The core's token.
#[napi]
#[derive(Default)]
pub(crate) struct Token(pub(crate) hedgerow::CancellationToken);

#[napi]
impl Token {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi]
    pub fn cancel(&self) {
        self.0.cancel();
    }

    #[napi(getter)]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
