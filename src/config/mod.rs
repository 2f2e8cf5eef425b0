//! Settings arrive raw, are checked once here, and only checked ones go inward.

mod api_key;
mod base_url;
mod environment;
mod hedge_delay;
mod preference;
mod span;
mod values;

pub use api_key::ApiKey;
pub(crate) use base_url::BaseUrl;
pub(crate) use environment::request_id_prefix;
pub(crate) use preference::Checked;
pub use preference::Preference;
#[cfg(feature = "bench")]
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
