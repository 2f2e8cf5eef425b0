//! Settings arrive raw, are checked once here, and only checked ones go inward.

mod api_key;
mod base_url;
mod environment;
mod hedge_delay;
#[cfg(feature = "env_logger")]
mod logging;
mod preference;
mod span;
mod values;

pub use api_key::ApiKey;
pub(crate) use base_url::BaseUrl;
pub(crate) use environment::request_id_prefix;
#[cfg(feature = "env_logger")]
pub use logging::init_logging;
pub(crate) use preference::Checked;
pub use preference::Preference;
#[cfg(feature = "bench")]
pub use span::parse_span;
pub use values::{CountTokens, ExtraHeaders, OnError, OnProgress};
