//! Settings arrive raw, are checked once here, and only checked ones go inward.

mod endpoint;
#[cfg(feature = "env_logger")]
mod logging;
mod preference;
mod span;
mod values;

pub use endpoint::ApiKey;
pub(crate) use endpoint::{BaseUrl, request_id_prefix};
#[cfg(feature = "env_logger")]
pub use logging::init_logging;
pub use preference::Preference;
pub(crate) use preference::{Checked, HEDGE_MARGIN};
#[cfg_attr(
    not(feature = "bench"),
    expect(unreachable_pub, reason = "the harness shows it to its users")
)]
pub use span::parse_span;
pub use values::{ExtraHeaders, OnError, OnProgress};
