//! Settings arrive raw, are checked once here, and only checked ones go inward.

mod endpoint;
mod preference;
mod span;
mod values;

pub use endpoint::ApiKey;
pub(crate) use endpoint::{BaseUrl, request_id_prefix};
pub use preference::Preference;
pub(crate) use preference::{Checked, HEDGE_MARGIN};
#[cfg_attr(
    not(feature = "bench"),
    expect(unreachable_pub, reason = "it is public as one of the harness's")
)]
pub use span::parse_span;
pub use values::{ExtraHeaders, OnError, OnProgress};

/// Reads the log level and starts logging to stderr: `PERFORMANCE_CLIENT_LOG_LEVEL`, else
/// `RUST_LOG`, else `warn`. A second call, or a logger of the program's own, changes nothing.
pub fn init_logging() {
    let level = ["PERFORMANCE_CLIENT_LOG_LEVEL", "RUST_LOG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "warn".into());
    let started = env_logger::Builder::new().parse_filters(&level).try_init();
    if started.is_err() {
        log::debug!("a logger is already set; hedgerow logs to that one");
    }
}
